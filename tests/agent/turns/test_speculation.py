"""Which answers are begun early, kept in doubt, adopted or thrown away."""

import pytest

from agent.config import SpeculationConfig
from agent.turns.events import Discard, Speculate
from agent.turns.speculation import DRAFTS_PER_TURN, NEW_SPEECH_S, Speculation

CONFIG = SpeculationConfig(from_probability=0.35)


def test_an_answer_is_begun_once_the_turn_is_likely_over() -> None:
    it = Speculation(CONFIG, "en")
    assert it.begin("is it open", 0.34, 1.0) == []
    assert it.begin("is it open", 0.35, 1.0) == [Speculate(1, "is it open")]
    assert it.begin("is it open", 0.9, 1.0) == []
    assert it.adopt() == 1


def test_a_draft_is_kept_when_the_words_mean_the_same_after_all() -> None:
    it = Speculation(CONFIG, "en")
    it.begin("is it open", 0.5, 1.0)
    assert it.speaks_on(1.4) == []
    assert it.heard("Um, is it open?", 1.4) == []
    assert it.adopt() == 1


def test_a_draft_goes_when_more_was_said() -> None:
    it = Speculation(CONFIG, "en")
    it.begin("is it open", 0.5, 1.0)
    assert it.heard("is it open on Sunday", 1.8) == [Discard(1, "said more")]
    assert it.begin("is it open on Sunday", 0.5, 1.8) == [Speculate(2, "is it open on Sunday")]
    assert it.adopt() == 2


def test_a_draft_goes_while_a_caller_speaks_on_for_long() -> None:
    it = Speculation(CONFIG, "en")
    it.begin("is it open", 0.5, 1.0)
    assert it.speaks_on(1.0 + NEW_SPEECH_S - 0.1) == []
    assert it.speaks_on(1.0 + NEW_SPEECH_S) == [Discard(1, "speaks on")]
    assert it.adopt() is None


def test_coughs_do_not_add_up_to_new_speech_if_the_words_stay() -> None:
    it = Speculation(CONFIG, "en")
    it.begin("is it open", 0.5, 1.0)
    it.heard("is it open", 2.5)
    assert it.speaks_on(4.0) == []


def test_a_turn_that_was_none_needs_no_answer() -> None:
    it = Speculation(CONFIG, "en")
    assert it.abandon("no words") == []
    it.begin("hello", 0.5, 1.0)
    assert it.abandon("no words") == [Discard(1, "no words")]


def test_a_caller_who_keeps_going_on_gets_no_more_drafts_in_this_turn() -> None:
    it = Speculation(CONFIG, "en")
    words = ["one", "two", "three", "four", "five", "six"]
    begun = 0
    for count in range(1, len(words) + 1):
        text = " ".join(words[:count])
        it.heard(text, count)
        begun += len(it.begin(text, 0.9, count))
    assert begun == DRAFTS_PER_TURN
    it.adopt()
    assert it.begin("something else", 0.9, 1.0) == [Speculate(begun + 1, "something else")]


@pytest.mark.parametrize("enabled", [True, False])
def test_without_room_or_leave_none_is_begun(enabled: bool) -> None:
    it = Speculation(CONFIG.model_copy(update={"enabled": enabled}), "en")
    it.allowed = not enabled
    assert it.begin("hello", 1.0, 1.0) == []
