"""When a caller has finished: what the agent waits for, and what it does not."""

import pytest

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say

ASKS = "What is your phone number?"
QUESTION = "what time does the museum in the old town open on Sundays"


def call_with(*answers: str, **options: object) -> Call:
    options.setdefault("llm", FakeLlm([Say(answer) for answer in answers or ("Noted.",)]))
    return Call(**options)  # type: ignore[arg-type]


def users(call: Call) -> list[str]:
    return [text for role, text in call.context() if role == "user"]


def silences(call: Call) -> list[float]:
    """How long each turn's last silence was when it ended."""
    ended = call.log.named("end_turn")
    return [fields["ear_s"] - fields["stopped_s"] for _, fields in ended]


def test_digits_in_groups_are_heard_whole() -> None:
    persona = PERSONA.model_copy(update={"greeting": ASKS})
    call = call_with(persona=persona)
    at_s = call.says("five five two", at=4.0)
    at_s = call.says("eight one nine", at=at_s + 0.8)
    call.says("four four two seven", at=at_s + 0.8)
    call.run(until=14)
    assert users(call)[-1] == "five five two eight one nine four four two seven"
    assert len(call.log.named("end_turn")) == 1


def test_an_um_is_waited_out() -> None:
    call = call_with()
    stopped_s = call.says("I would like um", at=1.0)
    call.says("two tickets", at=stopped_s + 1.2)
    call.run(until=9)
    assert users(call) == ["I would like um two tickets"]


def test_let_me_see_is_waited_out() -> None:
    call = call_with()
    stopped_s = call.says("hmm let me see um", at=1.0)
    call.says("the second one", at=stopped_s + 1.8)
    call.run(until=10)
    assert users(call) == ["hmm let me see um the second one"]


def test_nobody_is_waited_for_for_ever() -> None:
    call = call_with("Take your time.")
    call.says("it is um", at=1.0)
    call.run(until=9)
    assert users(call) == ["it is um"]
    [silence_s] = silences(call)
    assert 1.0 < silence_s <= TurnsConfig().kept_floor_ms / 1000 + 0.02


def test_a_complete_question_is_answered_sooner_than_half_a_one() -> None:
    waits = []
    for text in (QUESTION, "what time does the museum in the"):
        call = call_with()
        call.says(text, at=1.0)
        waits += silences(call.run(until=9))
    assert waits[0] < 0.7
    assert waits[1] > waits[0] + 0.3


def test_a_patient_persona_leaves_more_time_to_think() -> None:
    """The same pause: part of the turn for one persona, its end for another."""
    turns = []
    for patience in (0.5, 3.0):
        temperament = TurnTemperament(patience=patience)
        call = call_with("Yes?", persona=PERSONA.model_copy(update={"turns": temperament}))
        stopped_s = call.says("I want salt and", at=1.0)
        call.says("a paper dragon", at=stopped_s + 1.9)
        call.run(until=14)
        turns.append(len(call.log.named("end_turn")))
    assert turns == [2, 1]


def test_a_slow_caller_is_cut_off_less_as_the_call_goes_on() -> None:
    """Every turn has a pause of 0.7 s after words that could be all of it."""
    call = call_with(*["Fine."] * 12)
    begins = [1.0 + 8.0 * turn for turn in range(5)]
    for begin_s in begins:
        stopped_s = call.says("hello there is the red one", at=begin_s)
        call.says("or rather the blue one", at=stopped_s + 0.7)
    call.run(until=42)
    ends_s = [at for at, _ in call.log.named("end_turn")]
    ends = [sum(begin_s < at < begin_s + 8.0 for at in ends_s) for begin_s in begins]
    assert ends[0] == 2
    assert ends[-1] == 1
    assert ends == sorted(ends, reverse=True)


def test_words_that_come_after_the_silence_end_the_turn_at_once() -> None:
    call = call_with(stt_s=1.5)
    stopped_s = call.says(QUESTION, at=1.0)
    call.run(until=12)
    [(_, ended)] = call.log.named("end_turn")
    assert ended["ear_s"] - stopped_s == pytest.approx(1.5 + 0.06, abs=0.05)
    assert ended["waited_for_words_s"] == pytest.approx(1.56 - 0.6, abs=0.5)


def test_a_doubtful_pause_is_scored_again_and_a_clear_one_is_not_asked_about_for_long() -> None:
    call = call_with()
    call.says("I was thinking and", at=1.0)
    call.run(until=8)
    assert 1 <= len(call.log.named("rescore")) <= 3
    scored = call.log.named("turn_scored")
    assert len(scored) == 1 + len(call.log.named("rescore"))


def test_a_cough_after_the_last_word_does_not_cost_the_answer() -> None:
    call = call_with("At ten.")
    stopped_s = call.says(QUESTION, at=1.0)
    call.coughs(at=stopped_s + 0.12, duration_s=0.2)
    call.run(until=9)
    assert users(call) == [QUESTION]
    assert call.words() == "At ten"


def test_every_end_says_what_it_was_decided_from() -> None:
    call = call_with()
    call.says(QUESTION, at=1.0)
    call.run(until=8)
    weighed = call.log.named("weighed")
    assert weighed
    last = weighed[-1][1]
    assert {"probability", "needed_s", "sound", "words", "habit", "silence_s"} <= set(last)
    [silence_s] = silences(call)
    assert silence_s >= last["needed_s"] - 0.021
