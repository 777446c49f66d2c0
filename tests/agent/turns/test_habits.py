"""How a caller's pauses are learned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.turns.habits import MEDIAN_BOUNDS_S, MEDIAN_S, PauseHabits

pauses = st.lists(st.floats(0.0, 20.0), max_size=40)


def habits_of(*holds_s: float) -> PauseHabits:
    habits = PauseHabits()
    for hold_s in holds_s:
        habits.held(hold_s)
    return habits


def test_a_caller_of_whom_nothing_is_known_is_like_others() -> None:
    assert PauseHabits().median_s == pytest.approx(MEDIAN_S)
    assert PauseHabits().lasts(MEDIAN_S) == pytest.approx(0.5)


def test_slow_callers_are_given_longer_with_every_pause() -> None:
    medians = [habits_of(*[1.0] * count).median_s for count in range(8)]
    assert medians == sorted(medians)
    assert len(set(medians)) == 8


def test_hasty_callers_are_given_less() -> None:
    assert habits_of(0.15, 0.15, 0.2).median_s < MEDIAN_S


def test_what_was_long_ago_fades() -> None:
    slow_first = habits_of(*[1.0] * 10, *[0.2] * 10)
    slow_last = habits_of(*[0.2] * 10, *[1.0] * 10)
    assert slow_first.median_s < slow_last.median_s


@given(pauses)
def test_nobody_is_believed_to_be_endlessly_slow_or_hasty(holds_s: list[float]) -> None:
    low_s, high_s = MEDIAN_BOUNDS_S
    assert low_s <= habits_of(*holds_s).median_s <= high_s


@given(pauses, st.floats(0, 60), st.floats(0, 60))
def test_the_longer_the_silence_the_fewer_holds_last(
    holds_s: list[float], one_s: float, other_s: float
) -> None:
    habits = habits_of(*holds_s)
    short_s, long_s = sorted((one_s, other_s))
    assert 0.0 < habits.lasts(long_s) <= habits.lasts(short_s) <= 1.0


@given(pauses, st.floats(0.2, 5.0), st.floats(0, 10))
def test_a_longer_hold_makes_later_ones_likelier_to_last(
    holds_s: list[float], hold_s: float, silence_s: float
) -> None:
    shorter, longer = habits_of(*holds_s, hold_s), habits_of(*holds_s, hold_s * 1.5)
    assert longer.lasts(silence_s) >= shorter.lasts(silence_s)


@given(pauses)
def test_most_holds_end_where_it_is_said(holds_s: list[float]) -> None:
    habits = habits_of(*holds_s)
    peak = habits.ending(habits.likeliest_s)
    around = (0.01, 0.5, 0.9, 1.1, 2.0, 5.0)
    assert all(habits.ending(habits.likeliest_s * share) < peak for share in around)


def test_ending_is_the_pace_at_which_fewer_last() -> None:
    habits = PauseHabits()
    pace = (habits.lasts(0.5) - habits.lasts(0.501)) / 0.001
    assert habits.ending(0.5005) == pytest.approx(pace, rel=1e-3)
    assert habits.ending(0.0) == 0.0
