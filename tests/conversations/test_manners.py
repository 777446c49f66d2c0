"""Manners of a call: openers, what is said in silence and while tools run, and murmurs."""

import asyncio

import pytest

from agent.config import OpenersConfig, TurnsConfig
from agent.persona import TurnTemperament
from agent.tools.registry import Toolbox, ToolContext, ToolRegistry
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say, Use

QUESTION = "what time is it there"
LADDER = TurnsConfig(idle_prompt_s=10, max_idle_prompts=2, hold_s=40)


def asks(*times_s: float, first_token_s: float, **options: object) -> Call:
    """A call that asks at these times; the model answers after `first_token_s`."""
    answers = [Say(f"Answer number {number}.") for number in range(len(times_s))]
    call = Call(llm=FakeLlm(answers, first_token_s=first_token_s), **options)  # type: ignore[arg-type]
    for at_s in times_s:
        call.says(QUESTION, at=at_s)
    return call


def openers(call: Call) -> list[tuple[str, str]]:
    """(reason, words) of each that was said."""
    return [(fields["reason"], fields["text"]) for _, fields in call.log.named("opener")]


def tool(takes_s: float, timeout_s: float = 60.0) -> Toolbox:
    async def lookup(context: ToolContext) -> str:
        """Look something up."""
        await asyncio.sleep(takes_s)
        return "forty two"

    registry = ToolRegistry()
    registry.add(lookup, timeout_s=timeout_s)
    return registry.toolbox(["lookup"], ToolContext("call", "en"))


# Openers.


def test_a_wait_that_turns_out_long_is_covered_when_it_is_too_long() -> None:
    call = asks(1.0, first_token_s=3.0).run(until=9)
    assert call.words() == "Let me see Answer number 0"
    [(ended_s, _)] = call.log.named("end_turn")
    assert 1.2 <= call.sounded()[0][0] - ended_s <= 1.3
    assert call.context()[-1] == ("assistant", "Let me see. Answer number 0.")
    assert call.log.named("turn_latency")[0][1]["phrase_first"]


def test_a_wait_that_is_known_to_be_long_is_covered_at_once() -> None:
    call = Call(llm=FakeLlm([Say("Hello."), Say("It is three.")], first_token_s=3.0))
    call.says("hello", at=1.0)  # so short a turn wants no opener
    call.says(QUESTION, at=8.0)
    call.run(until=15)
    assert call.words() == "Hello Let me see It is three"
    (_, (ended_s, _)) = call.log.named("end_turn")
    [(_, opener)] = call.log.named("opener")
    assert (opener["reason"], opener["kind"]) == ("predicted", "question")
    assert opener["wait_s"] > opener["bound_s"] == 1.2
    assert next(at for at, word in call.sounded() if word == "Let") - ended_s <= 0.1


def test_a_short_wait_is_not_covered() -> None:
    call = asks(1.0, 6.0, 11.0, first_token_s=0.5).run(until=15)
    assert openers(call) == []
    assert call.words() == "Answer number 0 Answer number 1 Answer number 2"
    assert not any(fields["phrase_first"] for _, fields in call.log.named("turn_latency"))


def test_openers_are_never_said_on_two_turns_running_nor_twice_in_a_row() -> None:
    call = asks(1.0, 8.0, 15.0, first_token_s=2.0).run(until=22)
    assert openers(call) == [("late", "Let me see."), ("predicted", "Let me think.")]
    assert call.words() == (
        "Let me see Answer number 0 Answer number 1 Let me think Answer number 2"
    )


def test_an_answer_does_not_repeat_its_opener() -> None:
    answer = "Let me check that for you. It is three."
    call = Call(llm=FakeLlm([Say(answer)], first_token_s=2.0))
    call.says(QUESTION, at=1.0)
    call.run(until=8)
    assert call.words() == "Let me see It is three"
    assert call.context()[-1] == ("assistant", "Let me see. It is three.")


def test_an_answer_without_an_opener_is_said_whole() -> None:
    answer = "Let me check that for you. It is three."
    call = Call(llm=FakeLlm([Say(answer)]))
    call.says(QUESTION, at=1.0)
    assert call.run(until=8).words() == "Let me check that for you It is three"


def test_an_opener_that_is_interrupted_leaves_what_was_heard_of_it() -> None:
    call = Call(llm=FakeLlm([Say("Never heard."), Say("Good.")], first_token_s=4.0))
    stopped_s = call.says("why do birds fly", at=1.0)
    call.says("no stop I want to know about fish", at=stopped_s + 2.3)
    call.run(until=14)
    heard = [text for role, text in call.context() if role == "assistant"][0]
    assert "Hmm, good question.".startswith(heard.rstrip("—")) and heard.endswith("—")
    assert "Never" not in call.words()
    assert call.llm.cancelled >= 1


def test_a_persona_has_words_of_its_own_for_openers() -> None:
    persona = PERSONA.model_copy(update={"phrases": {"opener_question": "Let the stars tell."}})
    call = asks(1.0, first_token_s=3.0, persona=persona).run(until=9)
    assert call.words() == "Let the stars tell Answer number 0"


def test_bad_news_is_met_with_sympathy_that_is_not_said_twice() -> None:
    call = Call(llm=FakeLlm([Say("I'm sorry about that. What broke?")], first_token_s=3.0))
    call.says("my new lamp arrived broken", at=1.0)
    call.run(until=9)
    assert call.words() == "I'm sorry to hear that What broke"


def test_openers_can_be_switched_off() -> None:
    turns = TurnsConfig(idle_prompt_s=0, openers=OpenersConfig(enabled=False))
    call = asks(1.0, first_token_s=3.0, turns=turns).run(until=9)
    assert call.words() == "Answer number 0"


# Silence.


def test_silence_is_asked_about_then_an_offer_is_made_then_the_agent_hangs_up() -> None:
    call = Call(turns=LADDER).run(until=90)
    assert call.words() == (
        "Are you still there "
        "Shall I go over it again or is there anything else "
        "Thanks for talking with me Goodbye"
    )
    assert call.reason == "agent ended the call"
    assert [(n["kind"], n["unanswered"]) for _, n in call.log.named("nudge")] == [
        ("prompt", 0),
        ("offer", 1),
        ("goodbye", 2),
    ]


def test_an_answer_begins_the_silence_anew_and_in_other_words() -> None:
    call = Call(turns=LADDER, llm=FakeLlm([Say("Good.")]))
    call.says("yes I am here", at=14.0)
    call.run(until=30)
    assert call.words() == "Are you still there Good Hello Can you still hear me"


def test_a_caller_who_asks_for_a_moment_is_left_in_peace() -> None:
    call = Call(turns=LADDER)
    call.says("hold on a second", at=1.0)
    call.says("it is the green lamp", at=38.0)
    call.run(until=44)
    assert call.words() == "Sure take your time Okay"
    assert call.log.named("nudge") == []
    assert [role for role, _ in call.context()] == ["user", "assistant", "user", "assistant"]


def test_asking_for_more_time_is_granted_in_silence() -> None:
    call = Call(turns=LADDER)
    call.says("one moment please", at=1.0)
    call.says("hold on", at=20.0)
    call.run(until=60)
    assert call.words() == "Sure take your time"


def test_after_a_long_wait_the_agent_asks_after_all() -> None:
    call = Call(turns=LADDER)
    call.says("one moment please", at=1.0)
    call.run(until=47)
    assert call.words() == "Sure take your time Are you still there"
    [(_, nudge)] = call.log.named("nudge")
    assert (nudge["kind"], nudge["held"]) == ("prompt", True)


# Tools.


def test_a_slow_tool_is_narrated_in_changing_words_at_growing_intervals() -> None:
    call = Call(llm=FakeLlm([Use("lookup"), Say("It is forty two.")]), toolbox=tool(16.0))
    call.says("look it up", at=1.0)
    call.run(until=24)
    assert call.words() == (
        "One moment let me check I'm still looking Thank you for your patience It is forty two"
    )
    firsts = [at for at, word in call.sounded() if word in ("One", "I'm", "Thank")]
    ends = [at + 0.3 for at, word in call.sounded() if word in ("check", "looking")]
    gaps = [began - ended for began, ended in zip(firsts[1:], ends, strict=True)]
    assert 4.0 <= gaps[0] <= 4.4 and 6.0 <= gaps[1] <= 6.4


def test_the_wait_for_a_tool_begins_when_the_caller_has_finished() -> None:
    call = Call(llm=FakeLlm([Use("lookup"), Say("Done.")], first_token_s=0.9), toolbox=tool(3.0))
    call.says("look it up", at=1.0)
    call.run(until=9)
    [(ended_s, _)] = call.log.named("end_turn")
    assert 1.2 <= call.sounded()[0][0] - ended_s <= 1.4


def test_a_tool_after_an_opener_is_not_announced_again() -> None:
    llm = FakeLlm([Use("lookup"), Say("It is forty two.")], first_token_s=2.0)
    call = Call(llm=llm, toolbox=tool(6.0))
    call.says("please look up my order", at=1.0)
    call.run(until=16)
    assert call.words() == "Let me check that for you I'm still looking It is forty two"


def test_a_tool_that_is_known_to_be_slow_is_announced_at_once() -> None:
    answers = [Use("lookup"), Say("It is here."), Use("lookup"), Say("It is there.")]
    call = Call(llm=FakeLlm(answers), toolbox=tool(3.0))
    call.says("look up the first", at=1.0)
    call.says("look up the second", at=9.0)
    call.run(until=17)
    called_s = call.log.named("tool_called")[1][0]
    assert next(at for at, _ in call.sounded() if at > called_s) - called_s <= 0.1


def test_a_tool_that_takes_too_long_ends_with_an_apology_and_a_way_out() -> None:
    call = Call(llm=FakeLlm([Use("lookup"), Say("Never asked.")]), toolbox=tool(60.0, timeout_s=3))
    call.says("look it up", at=1.0)
    call.run(until=16)
    assert call.words() == (
        "One moment let me check I'm sorry this is taking longer than it should "
        "Shall I try once more or can I help you with something else"
    )
    assert len(call.llm.asked) == 1
    assert "longer than 3 seconds" in str(call.conversation.messages())  # type: ignore[union-attr]


def test_only_what_was_heard_of_a_narration_is_remembered() -> None:
    call = Call(llm=FakeLlm([Use("lookup"), Say("New answer.")]), toolbox=tool(20.0))
    call.says("look it up", at=1.0)
    call.says("no stop never mind that", at=4.2)
    call.run(until=11)
    heard = [text for role, text in call.context() if role == "assistant"][0]
    assert heard.endswith("—") and "One moment, let me check".startswith(heard.rstrip("—"))


# Murmurs.

STORY = "so I bought this lamp at your shop in the old town last week and"
MORE = "then it broke"


def a_story(murmurs: bool) -> Call:
    persona = PERSONA.model_copy(update={"turns": TurnTemperament(murmurs=murmurs)})
    call = Call(persona=persona)
    stopped_s = call.says(STORY, at=2.0)
    call.says(MORE, at=stopped_s + 0.6)
    return call


def test_a_murmur_neither_ends_nor_interrupts_the_callers_turn() -> None:
    call = a_story(murmurs=True).run(until=12)
    [(_, _)] = call.log.named("murmur")
    assert call.context() == [("user", f"{STORY} {MORE}"), ("assistant", "Okay.")]
    assert call.log.named("interrupt") == []
    stopped_s = 2.0 + 0.25 * len(STORY.split())
    assert call.sound_between(stopped_s + 0.3, stopped_s + 0.6) > 0
    assert call.words() == "Okay"  # the murmur is softer than any word


def test_without_a_voice_for_murmurs_the_call_goes_on() -> None:
    call = a_story(murmurs=True)
    call.tts.refuses = 1
    call.run(until=12)
    assert [fields["code"] for _, fields in call.log.named("murmur_failed")] == ["overloaded"]
    assert call.words() == "Okay"


def test_a_persona_that_does_not_murmur_is_silent() -> None:
    call = a_story(murmurs=False).run(until=12)
    stopped_s = 2.0 + 0.25 * len(STORY.split())
    assert call.sound_between(0, stopped_s + 0.6) == 0


@pytest.mark.parametrize("answer_s", [0.2, 3.0])
def test_no_frame_of_an_opener_or_answer_is_lost_at_the_seam(answer_s: float) -> None:
    call = asks(1.0, first_token_s=answer_s).run(until=9)
    words = call.words().removeprefix("Let me see ")
    assert words == "Answer number 0"
    assert call.context()[-1][1].removeprefix("Let me see. ") == "Answer number 0."
