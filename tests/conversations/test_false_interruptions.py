"""What becomes of an answer that was broken off for nothing: a long noise, a cough, a door.

Shorter noises only lower or hold the voice (`test_barge_in`); these last until they had to be
taken for a caller who wants to speak.
"""

from typing import Literal

import pytest

from agent.persona import TurnTemperament
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say
from tests.fakes.tts import FakeTts

ANSWER = (
    "One two three four five. Six seven eight, nine ten eleven twelve. Thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty."
)
FALSE_ALARM_S = 1.6


def answered(
    *, at: float, policy: Literal["resume", "rephrase", "drop"] = "resume", **options: object
) -> Call:
    """An answer of twenty words, 0.3 s each, from about 2.9 s on, and a long noise."""
    turns = TurnTemperament(false_interruption=policy)
    persona = PERSONA.model_copy(update={"turns": turns})
    call = Call(persona=persona, llm=FakeLlm([Say(ANSWER), Say("Other words.")]), **options)  # type: ignore[arg-type]
    call.says("count to twenty please", at=1.0)
    call.coughs(at=at, duration_s=FALSE_ALARM_S)
    return call.run(until=at + 14)


def parts(call: Call) -> tuple[list[str], list[str]]:
    """What the conversation holds of the answer: up to the noise, and after it."""
    [text] = [text for role, text in call.context() if role == "assistant"]
    before, after = text.split("—")
    return before.split(), after.split()


def test_it_goes_on_at_the_phrase_that_broke_off() -> None:
    call = answered(at=4.6)
    before, after = parts(call)
    assert ANSWER.startswith(" ".join(before))
    assert ANSWER.endswith(" ".join(after))
    assert after[0] in ("One", "Six", "nine", "Thirteen")
    assert len(call.llm.asked) == 1


@pytest.mark.parametrize("tenths", range(37, 86, 7))
def test_whenever_it_broke_off_nothing_is_left_out_and_no_more_than_a_phrase_said_twice(
    tenths: int,
) -> None:
    call = answered(at=tenths / 10)
    before, after = parts(call)
    whole = ANSWER.split()
    assert 0 <= len(before) + len(after) - len(whole) <= 8
    assert after == whole[len(whole) - len(after) :]


def test_the_model_is_asked_to_say_the_rest_in_other_words() -> None:
    call = answered(at=4.6, policy="rephrase")
    assert call.words().endswith("Other words")
    heard, request = call.llm.asked[1][-2:]
    assert heard["role"] == "assistant" and heard["content"].endswith("—")
    told = heard["content"].rstrip("—")
    assert ANSWER.startswith(told)
    assert ANSWER.removeprefix(told).strip(" .,") in request["content"]


def test_what_it_was_asked_to_rephrase_stays_out_of_the_conversation() -> None:
    call = answered(at=4.6, policy="rephrase")
    assert [role for role, _ in call.context()] == ["user", "assistant"]
    assert call.context()[1][1].endswith("— Other words.")


def test_the_rest_may_be_left_unsaid() -> None:
    call = answered(at=4.6, policy="drop")
    assert len(call.llm.asked) == 1
    assert call.context()[1][1].endswith("—")
    assert call.sound_between(4.6 + FALSE_ALARM_S, 4.6 + 14) == 0


def test_an_answer_that_was_heard_to_its_end_is_not_taken_up_again() -> None:
    call = Call(llm=FakeLlm([Say("One two three.")]))
    call.says("count please", at=1.0)
    call.coughs(at=3.6, duration_s=FALSE_ALARM_S)
    call.run(until=10)
    assert call.words() == "One two three"


def test_a_greeting_is_taken_up_again_too() -> None:
    persona = PERSONA.model_copy(update={"greeting": ANSWER})
    call = Call(persona=persona)
    call.coughs(at=3.0, duration_s=FALSE_ALARM_S)
    call.run(until=16)
    assert call.context()[-1][1].endswith("nineteen twenty.")
    assert call.llm.asked == []


def test_a_passage_is_taken_up_again_where_it_broke_off() -> None:
    call = answered(at=4.6, voice_takes_passages=True, tts=FakeTts(marks_late=True))
    before, after = parts(call)
    assert after == ANSWER.split()[20 - len(after) :]
    assert len(before) + len(after) <= 28


def test_words_after_the_noise_are_a_turn_and_nothing_is_taken_up_again() -> None:
    call = Call(llm=FakeLlm([Say(ANSWER), Say("New answer.")]))
    call.says("count to twenty please", at=1.0)
    call.coughs(at=4.6, duration_s=FALSE_ALARM_S)
    call.says("what about thirty then please", at=4.6 + FALSE_ALARM_S + 0.1)
    call.run(until=14)
    assert call.words().endswith("New answer")
    assert "twenty" not in call.words()
