"""The bench `capacity`: who comes when, and which step still holds."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
import pytest

from bench import capacity
from bench.capacity import FEWEST_REPLIES, MOST_REPLIES, Step, arrivals, of_curve
from bench.listener import Heard
from tests.virtual_time import run
from tts.errors import Overloaded
from tts.types import SpeechChunk, SynthesisRequest


def step(callers: float, *, first_s: float, gaps: int = 0, refused: int = 0) -> Step:
    """A minute in which twenty replies were heard."""
    replies = [Heard(first_packet_s=first_s, audio_s=2.0) for _ in range(20)]
    replies[0].gaps_s = [0.1] * gaps
    return Step(replies=replies, refused=refused, caller_s=60 * callers, seconds=60)


def test_the_last_step_before_one_that_fails_is_what_is_held() -> None:
    curve = [step(1.1, first_s=0.1), step(2.2, first_s=0.15), step(3.3, first_s=0.25)]
    found = of_curve(curve, 200)
    assert found["callers_at_200ms_p95"] == pytest.approx(2.2)
    assert found["first_packet_ms_p95"] == 150
    assert found["first_packet_ms_p95_last_step"] == 250


@pytest.mark.parametrize(
    "failing",
    [step(1, first_s=0.3), step(1, first_s=0.1, gaps=1), step(1, first_s=0.1, refused=1)],
    ids=["late", "silent", "refused"],
)
def test_no_caller_is_held_when_the_first_step_fails(failing: Step) -> None:
    assert of_curve([failing], 200)["callers_at_200ms_p95"] == 0


def test_underruns_are_counted_by_the_minute() -> None:
    assert step(1, first_s=0.1, gaps=3).underruns_per_min == pytest.approx(3.0)


def test_nobody_heard_anything_is_no_success() -> None:
    nothing = Step(replies=[], refused=0, caller_s=10.0, seconds=10.0)
    assert not nothing.holds(200)


def test_callers_come_at_random_and_are_as_many_as_asked_for() -> None:
    draw = np.random.default_rng(0)
    seconds, stay_s, callers = 4000.0, 40.0, 8.0
    come = list(arrivals(callers, seconds, stay_s, draw))
    times_s = [at_s for at_s, _ in come]
    assert times_s == sorted(times_s)
    assert times_s[-1] < seconds
    assert len(come) * stay_s / seconds == pytest.approx(callers, rel=0.1)
    assert all(1 <= replies <= MOST_REPLIES for _, replies in come)
    assert all(replies >= FEWEST_REPLIES for at_s, replies in come if at_s > 0)


class Instant:
    """A door that gives a second of audio after a while."""

    def __init__(self, first_s: float, *, refuses: bool = False) -> None:
        self._first_s = first_s
        self._refuses = refuses
        self.asked_s: list[float] = []

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        self.asked_s.append(asyncio.get_running_loop().time())
        if self._refuses:
            raise Overloaded("no time")
        await asyncio.sleep(self._first_s)
        yield SpeechChunk(bytes(2000), 1000, 0, (), True)


@pytest.fixture
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity.time, "perf_counter", lambda: asyncio.get_running_loop().time())


@pytest.mark.usefixtures("virtual_clock")
def test_replies_under_way_when_a_step_ends_are_heard_out_and_no_more_are_asked_for() -> None:
    door = Instant(first_s=30.0)
    found = run(capacity.step_of(door, "v", 4.0, 20.0))
    assert len(found.replies) == len(door.asked_s) > 0
    assert max(door.asked_s) - min(door.asked_s) <= 20.0
    assert found.p95_ms() == pytest.approx(30_000)
    assert found.caller_s <= 20.0 * len(door.asked_s)


@pytest.mark.usefixtures("virtual_clock")
def test_a_refused_caller_goes_on_and_asks_for_its_next_reply() -> None:
    door = Instant(first_s=0.1, refuses=True)
    found = run(capacity.step_of(door, "v", 4.0, 60.0))
    assert found.replies == []
    assert found.refused == len(door.asked_s) > 4
