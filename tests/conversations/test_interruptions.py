"""Barge-in at every stage: the agent yields, remembers what was heard, and never says old words."""

import pytest

from agent.persona import TurnTemperament
from agent.tools.registry import ToolContext, ToolRegistry
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say, Use

LONG = (
    "Well one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty."
)


def interrupted_at(when_s: float, **options: object) -> Call:
    """A long answer (from about 2.5 s on) that the caller talks into at `when_s`."""
    call = Call(llm=FakeLlm([Say(LONG), Say("New answer.")]), **options)  # type: ignore[arg-type]
    call.says("go on please", at=1.0)
    call.says("stop please", at=when_s)
    return call.run(until=when_s + 8)


def old_words(call: Call) -> list[tuple[float, str]]:
    return [(at, word) for at, word in call.sounded() if word not in ("New", "answer")]


def test_the_agent_is_silent_soon_after_the_caller_cuts_in() -> None:
    call = interrupted_at(4.0)
    # It is held after 80 ms of voice and the fade; the new answer begins before 5 s.
    assert call.sound_between(4.0 + 0.25, 4.9) == 0
    assert call.words().endswith("New answer")


def test_the_context_holds_the_words_that_sounded_and_no_others() -> None:
    call = interrupted_at(4.0)
    heard = call.context()[1][1]
    assert heard.endswith("—")
    sounded = " ".join(word for _, word in old_words(call))
    remembered = heard.rstrip("—").strip()
    assert abs(len(sounded.split()) - len(remembered.split())) <= 1
    assert sounded.startswith(remembered) or remembered.startswith(sounded)


@pytest.mark.parametrize("tenths", range(20, 80, 3))
def test_at_any_moment_the_new_turn_plays_nothing_of_the_old(tenths: int) -> None:
    call = interrupted_at(tenths / 10)
    words = call.words()
    assert words.endswith("New answer")
    new_at_s = next(at for at, word in call.sounded() if word == "New")
    assert all(at < new_at_s for at, _ in old_words(call))
    roles = [role for role, _ in call.context()]
    assert roles[0] == "user" and roles[-1] == "assistant"
    heard = [text for role, text in call.context() if role == "assistant"][:-1]
    remembered = heard[0].rstrip("—").split() if heard else []
    assert abs(len(remembered) - len(old_words(call))) <= 1


def test_cutting_in_while_the_model_thinks_cancels_it_and_keeps_both_turns() -> None:
    call = Call(llm=FakeLlm([Say("Never heard."), Say("Both noted.")], first_token_s=2.0))
    call.says("first half", at=1.0)
    call.says("second half", at=2.5)
    call.run(until=9)
    assert call.llm.cancelled == 1
    assert call.words() == "Both noted"
    assert call.context()[0] == ("user", "first half second half")


def test_cutting_in_while_the_voice_works_cancels_it() -> None:
    call = Call(llm=FakeLlm([Say("Never heard."), Say("New answer.")]))
    call.tts.first_chunk_s = 2.0
    call.says("go on please", at=1.0)
    call.says("say it again please", at=2.6)
    call.run(until=12)
    assert call.tts.cancelled == 1
    assert call.words() == "New answer"
    assert "Never" not in str(call.context())


def test_cutting_in_during_a_tool_cancels_it() -> None:
    log: list[str] = []

    async def slow_lookup(context: ToolContext) -> str:
        """Look something up slowly."""
        import asyncio

        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        return "found"

    registry = ToolRegistry()
    registry.add(slow_lookup)
    tools = registry.toolbox(["slow_lookup"], ToolContext("call", "en"))
    call = Call(llm=FakeLlm([Use("slow_lookup"), Say("New answer.")]), toolbox=tools)
    call.says("look it up", at=1.0)
    call.says("never mind that", at=5.0)
    call.run(until=12)
    assert log == ["cancelled"]
    assert call.words() == "One moment let me check New answer"


def test_model_and_voice_stop_working_for_an_interrupted_reply() -> None:
    call = interrupted_at(3.0)
    assert call.llm.cancelled + call.tts.cancelled >= 1
    assert "twenty" not in call.tts.words


def test_a_cough_does_not_stop_the_agent() -> None:
    call = Call(llm=FakeLlm([Say("One two three four five six.")]))
    call.says("count", at=1.0)
    call.coughs(at=2.6, duration_s=0.14)
    call.run(until=8)
    assert call.words() == "One two three four five six"


def test_after_a_false_alarm_the_agent_says_the_rest() -> None:
    call = Call(llm=FakeLlm([Say("One two three four five six seven eight.")]))
    call.says("count", at=1.0)
    call.coughs(at=2.8, duration_s=0.6)
    call.run(until=12)
    words = call.words().split()
    assert words[0] == "One" and words[-1] == "eight"
    assert set(words) == set("One two three four five six seven eight".split())
    assert len(words) <= 9  # the word that was cut may be said again
    assert len(call.llm.asked) == 1


def test_a_persona_that_may_not_be_interrupted_finishes() -> None:
    persona = PERSONA.model_copy(update={"turns": TurnTemperament(interruption="never")})
    call = Call(persona=persona, llm=FakeLlm([Say("One two three four five six.")]))
    call.says("count", at=1.0)
    call.says("please stop", at=2.6)
    call.run(until=8)
    assert call.words() == "One two three four five six"


def test_speaking_over_the_greeting_is_an_interruption_too() -> None:
    greeting = "Welcome to the longest greeting that was ever spoken on a telephone line."
    persona = PERSONA.model_copy(update={"greeting": greeting})
    call = Call(persona=persona, llm=FakeLlm([Say("Sure.")]))
    call.says("I have a question", at=2.0)
    call.run(until=8)
    assert call.words().endswith("Sure")
    greeted = [text for role, text in call.context() if role == "assistant"]
    assert greeted[0].startswith("Welcome") and greeted[0].endswith("—")


def test_what_still_sits_in_the_callers_buffer_is_heard_too() -> None:
    """No packet can be called back: the buffer plays on after the interruption."""
    calls = [interrupted_at(5.0, playout_delay_ms=delay_ms) for delay_ms in (0.0, 600.0)]
    at_once, later = (call.context()[1][1] for call in calls)
    assert at_once == later


def test_the_page_is_told_what_was_said_and_what_was_not() -> None:
    call = interrupted_at(4.0)
    [(_, ended)] = [note for note in call.notes("agent-ended") if note[1]["interrupted"]]
    utterance = ended["utterance"]
    text = "".join(n["text"] for _, n in call.notes("agent-text") if n["utterance"] == utterance)
    spoken = text[: ended["spoken_chars"]]
    assert spoken == call.context()[1][1].rstrip("—")
    progress = [
        n["spoken_chars"] for _, n in call.notes("agent-progress") if n["utterance"] == utterance
    ]
    assert progress == sorted(progress) and progress[-1] <= ended["spoken_chars"]


def test_words_are_shown_when_they_are_spoken_and_not_before() -> None:
    call = Call(llm=FakeLlm([Say("One two three four five six seven.")]))
    call.says("count", at=1.0)
    call.run(until=8)
    text = "".join(n["text"] for _, n in call.notes("agent-text"))
    began = {word: at for at, word in call.sounded()}
    for at, note in call.notes("agent-progress"):
        newest = text[: note["spoken_chars"]].rstrip(".").split()[-1]
        assert began[newest] <= at <= began[newest] + 0.35


def test_the_model_reads_what_was_heard_while_the_caller_still_talks() -> None:
    call = interrupted_at(4.0)
    remembered = call.context()[1][1]
    primed = [messages[-1]["content"] for messages in call.llm.primed]
    assert remembered in primed
    # Next to it stands only the caller's new turn.
    assert call.llm.asked[1][:-1] == call.llm.primed[primed.index(remembered)]


def test_agreeing_before_the_agent_has_asked_is_no_answer() -> None:
    text = "The flight leaves at nine and gets there at ten. Shall I book it for you?"
    agreed, answered = (Call(llm=FakeLlm([Say(text), Say("Booked.")])) for _ in range(2))
    for call, at_s in ((agreed, 3.2), (answered, 7.5)):
        call.says("when is it", at=1.0)
        call.says("okay", at=at_s, word_s=0.4)
        call.run(until=12)
    assert (
        agreed.words() == "The flight leaves at nine and gets there at ten Shall I book it for you"
    )
    assert agreed.reason == "test over" and len(agreed.llm.asked) == 1
    assert answered.words().endswith("Booked")
