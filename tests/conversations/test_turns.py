"""Who speaks when: ordinary turns, pauses, silence, and the end of a call."""

import pytest

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.tools.builtin import builtin_registry
from agent.tools.registry import ToolContext
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say, Use


def answers(*texts: str, **timing: float) -> FakeLlm:
    return FakeLlm([Say(text) for text in texts], **timing)


def test_the_greeting_is_spoken_and_remembered() -> None:
    persona = PERSONA.model_copy(update={"greeting": "Good morning. How can I help?"})
    call = Call(persona=persona).run(until=5)
    assert call.words() == "Good morning How can I help"
    assert call.context()[-1] == ("assistant", "Good morning. How can I help?")


def test_a_question_gets_one_answer() -> None:
    call = Call(llm=answers("Hello there, friend."))
    call.says("hi robot", at=2.0)
    call.run(until=8)
    assert call.words() == "Hello there friend"
    assert call.context() == [("user", "hi robot"), ("assistant", "Hello there, friend.")]
    assert len(call.llm.asked) == 1


def test_the_answer_begins_as_soon_as_silence_model_and_voice_allow() -> None:
    call = Call(llm=answers("Yes, it is.", first_token_s=0.2, per_token_s=0.02))
    stopped_s = call.says("say it again please", at=2.0)
    call.run(until=8)
    began_s = call.sounded()[0][0]
    # 60 ms until the pause is noticed, 100 ms transcript, 200 ms first token, 40 ms to the end of
    # the sentence, 60 ms voice, and one frame of 20 ms at each end of the line.
    assert 0.46 <= began_s - stopped_s <= 0.50001


def test_the_latency_of_each_stage_is_told_and_adds_up() -> None:
    call = Call(llm=answers("Yes, it is."))
    call.says("is it open", at=2.0)
    call.run(until=8)
    [(_, note)] = call.notes("turn-latency")
    assert list(note["stages"]) == ["endpoint_ms", "stt_ms", "llm_ms", "tts_ms", "send_ms"]
    assert abs(sum(note["stages"].values()) - note["total_ms"]) <= 3


def test_a_pause_inside_a_sentence_does_not_end_the_turn() -> None:
    call = Call(llm=answers("Noted."))
    call.says("my number is um", at=2.0)
    call.says("five five two", at=3.8)
    call.run(until=9)
    assert call.context()[0] == ("user", "my number is um five five two")
    assert len(call.llm.asked) == 1


def test_a_patient_persona_waits_longer() -> None:
    began = []
    for patience in (1.0, 2.0):
        turns = TurnTemperament(patience=patience)
        call = Call(persona=PERSONA.model_copy(update={"turns": turns}), llm=answers("Fine."))
        call.says("the cat and", at=2.0)
        call.run(until=12)
        began.append(call.sounded()[0][0])
    assert began[1] - began[0] > 0.4


def test_a_late_transcript_delays_the_answer_and_nothing_else() -> None:
    call = Call(llm=answers("Here I am."), stt_s=2.0)
    stopped_s = call.says("are you there", at=2.0)
    call.run(until=9)
    assert call.words() == "Here I am"
    assert call.sounded()[0][0] - stopped_s > 2.0


def test_partial_transcripts_are_shown_while_the_caller_speaks() -> None:
    call = Call(llm=answers("Okay then."))
    call.says("one two three four five six seven eight", at=1.0)
    call.run(until=8)
    partials = [
        message["data"]["text"]
        for _, message in call.line.messages
        if message.get("type") == "user-transcription" and not message["data"]["final"]
    ]
    assert partials
    whole = "one two three four five six seven eight"
    assert all(whole.startswith(partial) for partial in partials)
    assert partials == sorted(partials, key=len)


def test_noise_without_words_does_not_stall_the_call() -> None:
    call = Call(llm=answers("I hear you."))
    call.coughs(at=1.0, duration_s=0.5)
    call.says("hello", at=3.0)
    call.run(until=8)
    assert call.context() == [("user", "hello"), ("assistant", "I hear you.")]


def test_two_turns_in_a_row_are_both_answered_in_order() -> None:
    call = Call(llm=answers("First answer.", "Second answer."))
    call.says("question one", at=1.0)
    call.says("question two", at=6.0)
    call.run(until=11)
    assert call.words() == "First answer Second answer"
    assert [role for role, _ in call.context()] == ["user", "assistant", "user", "assistant"]


def test_hanging_up_in_the_middle_of_a_word_ends_everything() -> None:
    call = Call(llm=answers("This is a rather long answer that goes on and on."))
    call.says("say it again please", at=1.0)
    call.hangs_up_at = 3.2
    call.run(until=30)
    assert call.reason == "hung up"
    assert call.sounded()[-1][0] < 3.2
    assert call.line.heard[-1][0] < 3.4


@pytest.mark.parametrize("caller_returns_s", [6.0, 12.0])
def test_the_agent_can_end_the_call_after_its_goodbye_was_played(caller_returns_s: float) -> None:
    tools = builtin_registry().toolbox(["end_call"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("end_call"), Say("Goodbye, my friend.")]), toolbox=tools)
    call.says("bye now", at=1.0)
    call.says("one more thing", at=caller_returns_s)
    call.run(until=20)
    assert call.words() == "Goodbye my friend"
    assert call.reason == "agent ended the call"
    assert len(call.llm.asked) == 2


def test_a_long_turn_is_heard_whole() -> None:
    call = Call(llm=answers("Quite a story."), turns=TurnsConfig(idle_prompt_s=0, max_turn_s=5))
    at_s = 1.0
    for number in range(60):
        at_s = call.says(f"word{number}", at=at_s) + 0.06
    call.run(until=28)
    assert call.context()[0] == ("user", " ".join(f"word{number}" for number in range(60)))


def test_partials_take_a_quarter_of_the_time_at_most() -> None:
    call = Call(llm=FakeLlm([Say("Fine.")]), stt_s=0.6)
    call.says(" ".join(f"word{number}" for number in range(40)), at=1.0)  # 10 s
    call.run(until=14)
    assert 2 <= call.stt.partials <= 10 / (0.6 * 4) + 1
