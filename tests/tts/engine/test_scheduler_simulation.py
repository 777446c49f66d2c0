"""Thousands of callers on a virtual clock: in time, without a stutter, or refused.

On the fast floor some hundred callers a machine; the whole ladder of loads is marked golden.
"""

import itertools
import math
from dataclasses import replace

import pytest

from tests.tts.engine.simulator import (
    CPU,
    FASTER_CPU,
    GPU,
    Caller,
    Result,
    Simulation,
    poisson,
)
from tts.engine.types import Kind

MACHINES = {"cpu": (CPU, 600), "faster-cpu": (FASTER_CPU, 600), "gpu": (GPU, 200)}
"""Each with the bound on its first packet, in ms."""

SOME = [("cpu", 0.3, 40), ("faster-cpu", 1.0, 50), ("gpu", 15.0, 60)]
"""Machine, callers a second, callers."""

LADDER = {
    "cpu": (0.05, 0.1, 0.2, 0.4, 0.8, 1.6),
    "faster-cpu": (0.1, 0.25, 0.5, 1.0, 2.0, 4.0),
    "gpu": (10.0, 20.0, 30.0, 40.0, 60.0, 80.0),
}


def served(name: str, per_s: float, count: int, **changes: float) -> Result:
    machine, bound_ms = MACHINES[name]
    return Simulation(replace(machine, **changes), first_packet_ms=bound_ms).run(
        poisson(per_s, count, seed=round(100 * per_s))
    )


def check(result: Result, bound_ms: float, *, underrun: float = 0.0) -> None:
    """What holds at any load; `underrun` is the share of callers that may stutter."""
    assert result.first_ms(0.95) <= bound_ms
    assert result.underrun <= underrun
    assert sum(one.steps_after_cancel for one in result.callers) == 0
    # Everybody who was let in was served to the end, or to the cancel.
    assert all(one.refused or one.ended_s is not None for one in result.callers)
    assert [one.number for one in result.callers if one.first_s is None and not one.refused] == []
    # First come, first served.
    assert result.first_in_turn == sorted(result.first_in_turn)


@pytest.mark.parametrize(("name", "per_s", "count"), SOME)
def test_first_packets_are_in_time_and_nobody_stutters(name: str, per_s: float, count: int) -> None:
    check(served(name, per_s, count, noise=0), MACHINES[name][1])


@pytest.mark.golden
@pytest.mark.parametrize("name", MACHINES)
def test_beyond_what_a_machine_can_do_more_and_more_callers_are_refused(name: str) -> None:
    results = [served(name, per_s, 500) for per_s in LADDER[name]]
    for result in results:
        # Of works that take 10 % more or less some come late, by less than a packet of 20 ms.
        check(result, MACHINES[name][1], underrun=0.002)
        late = [one.dry_for_s for one in result.served if one.underruns]
        assert sum(late) <= 0.020 * len(late)
    refused = [result.refused for result in results]
    assert refused == sorted(refused)
    # Smoothly: twice the callers refuse less than two fifths more of them.
    assert all(b - a < 0.4 for a, b in itertools.pairwise(refused))
    assert (refused[0] < 0.2, refused[-1] > 0.5) == (True, True)


@pytest.mark.golden
def test_where_works_stall_few_stutter_and_briefly() -> None:
    result = served("faster-cpu", 0.5, 500, noise=0.2, stall=0.002)
    assert result.first_ms(0.95) <= 600
    assert result.underrun <= 0.02
    assert sum(one.dry_for_s for one in result.callers) <= 0.001 * sum(
        one.audio_s for one in result.served
    )


def test_one_caller_after_the_other_is_never_refused() -> None:
    callers = [Caller(number, 20.0 * number, 3.0) for number in range(10)]
    result = Simulation(CPU, first_packet_ms=1).run(callers)
    assert [one.refused for one in result.callers] == [False] * 10
    assert result.underrun == 0


def test_tokens_of_many_callers_are_drawn_together() -> None:
    result = served("gpu", 60.0, 120)
    check(result, 200)
    tokens = [(batch, turns) for (kind, batch), turns in result.turns.items() if kind is Kind.TOKEN]
    assert sum(batch * turns for batch, turns in tokens) > 4 * sum(turns for _, turns in tokens)


def test_whole_audio_is_made_beside_streams_and_costs_them_nothing() -> None:
    streams = poisson(0.5, 30, seed=3)
    whole = [Caller(1000 + i, 10.0 * i, 8.0, played=False) for i in range(5)]
    result = Simulation(FASTER_CPU, first_packet_ms=600).run(streams + whole)
    assert result.underrun == 0
    ended = [one for one in result.callers if one.number >= 1000 and not one.refused]
    assert len(ended) >= 3
    # Sooner than it would have been played, though streams come first.
    assert all((one.ended_s or math.inf) - one.arrives_s < 2 * one.audio_s for one in ended)


def test_refusals_are_what_keeps_streams_from_stuttering() -> None:
    callers = poisson(1.0, 30, seed=7)
    bounded = Simulation(CPU, first_packet_ms=600).run(callers)
    unbounded = Simulation(CPU, first_packet_ms=600, everybody=True).run(callers)
    assert (bounded.underrun, bounded.refused > 0.3) == (0, True)
    assert unbounded.underrun > 0.3
