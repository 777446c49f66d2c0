"""Openers: when the wait for an answer is covered, and with which words."""

from agent.config import OpenersConfig
from agent.phrases import Phrases
from agent.turns.openers import Openers, WaitForecast

CONFIG = OpenersConfig(wait_ms=1200)


def openers(config: OpenersConfig = CONFIG, **own: str | list[str]) -> Openers:
    return Openers(config, Phrases("en", own).say)


def test_a_long_wait_is_covered_and_a_short_one_is_not() -> None:
    for wait_s, text in ((1.1, None), (1.3, "Let me see.")):
        these = openers()
        these.begin_turn()
        assert these.choose("question", wait_s) == text


def test_a_wait_that_nobody_can_predict_is_not_covered_ahead() -> None:
    these = openers()
    these.begin_turn()
    assert these.choose("question", None) is None
    assert these.choose("question", these.bound_s) == "Let me see."


def test_the_words_suit_what_the_caller_said() -> None:
    said = []
    for act in ("question", "open question", "request", "complaint", "statement", "small"):
        these = openers()
        these.begin_turn()
        said.append(these.choose(act, 2.0))
    assert said == [
        "Let me see.",
        "Hmm, good question.",
        "Let me check that for you.",
        "I'm sorry to hear that.",
        "Okay, one moment.",
        None,
    ]


def test_a_turn_has_one_opener_at_most() -> None:
    these = openers()
    these.begin_turn()
    assert these.choose("request", 5.0)
    assert these.choose("request", 5.0) is None


def test_two_turns_running_have_openers_only_when_the_wait_is_very_long() -> None:
    these = openers()
    these.begin_turn()
    assert these.choose("question", 2.0)
    these.begin_turn()
    assert these.choose("question", 2.9) is None
    assert these.bound_s == 3.0
    assert these.choose("question", 3.1) == "Let me think."
    these.begin_turn()
    these.begin_turn()
    assert these.choose("question", 1.3)


def test_the_same_words_never_come_twice_in_a_row() -> None:
    these = openers()
    said = []
    for _ in range(6):
        these.begin_turn()
        said.append(these.choose("question", 9.0))
    assert None not in said
    assert all(a != b for a, b in zip(said, said[1:], strict=False))
    alone = openers(opener_question="Let me see.")
    alone.begin_turn()
    assert alone.choose("question", 9.0) == "Let me see."
    alone.begin_turn()
    assert alone.choose("question", 9.0) is None
    assert alone.choose("complaint", 9.0) == "I'm sorry to hear that."


def test_who_wants_none_gets_none() -> None:
    these = openers(OpenersConfig(enabled=False))
    these.begin_turn()
    assert these.choose("question", 60.0) is None


def test_nothing_is_predicted_before_the_first_answer() -> None:
    forecast = WaitForecast()
    assert forecast.remaining_s(0.0) is None
    assert forecast.tool_s("lookup") is None


def test_the_wait_is_what_recent_answers_took() -> None:
    forecast = WaitForecast()
    for to_text_s in (9.0, 9.0, 1.0, 1.0, 1.0, 8.0, 2.0):
        forecast.answered(to_text_s=to_text_s, to_sound_s=0.5)
    assert forecast.remaining_s(0.0) == 1.5  # the median of the newest five


def test_what_a_draft_has_done_is_not_waited_for() -> None:
    forecast = WaitForecast()
    forecast.answered(to_text_s=1.0, to_sound_s=0.5)
    assert forecast.remaining_s(0.4) == 1.1
    assert forecast.remaining_s(3.0) == 0.5
    assert forecast.remaining_s(3.0, text_ago_s=0.2) == 0.3
    assert forecast.remaining_s(3.0, text_ago_s=2.0) == 0.0


def test_tools_are_known_one_by_one() -> None:
    forecast = WaitForecast()
    forecast.tool_ran("slow", 4.0)
    forecast.tool_ran("quick", 0.1)
    assert (forecast.tool_s("slow"), forecast.tool_s("quick")) == (4.0, 0.1)
