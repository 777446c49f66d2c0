"""What is said while a tool runs."""

import pytest

from agent.turns.narration import Narration


def told(narration: Narration, until_s: float, speech_s: float = 1.0) -> list[tuple[float, str]]:
    """What is said from 0 on, every word of it `speech_s` long."""
    said: list[tuple[float, str]] = []
    quiet_from_s = 0.0
    for tick in range(round(until_s * 10)):
        now_s = tick / 10
        occasion = narration.step(now_s, quiet=now_s >= quiet_from_s)
        if occasion:
            said.append((now_s, occasion))
            quiet_from_s = now_s + speech_s
    return said


def test_the_waits_between_words_grow_and_words_take_turns() -> None:
    said = told(Narration("tool_filler", began_s=0.0, since_s=0.0), 40)
    assert [occasion for _, occasion in said] == [
        "tool_filler",
        "tool_still",
        "tool_patience",
        "tool_still",
        "tool_patience",
    ]
    times = [at for at, _ in said]
    assert times[0] == 1.2
    gaps = [round(b - a, 1) for a, b in zip(times, times[1:], strict=False)]
    # A second of speech, and the wait from its last tick on.
    assert gaps == pytest.approx([5.0, 7.0, 9.0, 11.0], abs=0.15)


def test_silence_before_the_tool_counts() -> None:
    assert told(Narration("tool_filler", began_s=0.0, since_s=-0.8), 2) == [(0.4, "tool_filler")]


def test_a_tool_gets_a_moment_however_long_the_silence_was() -> None:
    assert told(Narration("tool_filler", began_s=0.0, since_s=-9.0), 2) == [(0.3, "tool_filler")]


def test_a_tool_that_is_known_to_be_slow_is_announced_at_once() -> None:
    slow = Narration("tool_filler", began_s=0.0, since_s=0.0, expected_s=4.0)
    assert told(slow, 2) == [(0.0, "tool_filler")]
    quick = Narration("tool_filler", began_s=0.0, since_s=0.0, expected_s=0.5)
    assert told(quick, 2) == [(1.2, "tool_filler")]


def test_who_was_told_before_hears_next_that_it_goes_on() -> None:
    narration = Narration("tool_filler", began_s=0.0, since_s=0.0, told=1)
    assert told(narration, 6) == [(4.0, "tool_still")]


def test_nothing_is_said_while_somebody_speaks_and_silence_counts_anew_then() -> None:
    narration = Narration("tool_filler", began_s=0.0, since_s=0.0)
    for tick in range(30):
        assert narration.step(tick / 10, quiet=False) is None
    assert narration.step(3.5, quiet=True) is None
    assert narration.step(4.2, quiet=True) == "tool_filler"
