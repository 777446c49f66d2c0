"""The turn takers that are compared, each at its operating point, and the processes that play them.

In: names, scripts, a stack.  Out: outcomes in the order of the scripts, the same ones whatever the
number of processes.  A worker is told only names and scripts, so nothing of a call crosses
processes but its outcome.
"""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeVar

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.endpointing import TurnTaker
from bench.turns_world.baselines import (
    PIPECAT_TEXT_EXTRA_S,
    PipecatTaker,
    SmartTurnTaker,
    VadTaker,
)
from bench.turns_world.curve import listen
from bench.turns_world.latencies import Latencies
from bench.turns_world.scores import Outcome
from bench.turns_world.scripts import Script
from bench.turns_world.world import Shell, Taker, play

T = TypeVar("T")
SCRIPTS_A_TASK = 20


@dataclass(frozen=True, slots=True)
class Contender:
    """A turn taker and what surrounds it."""

    title: str
    make: Callable[[Script], Taker]
    shell: Shell = Shell()


def parley(script: Script, *, cut_off_cost_s: float | None = None) -> Taker:
    """Parley's own, with the default settings but for its operating knob."""
    turns = TurnsConfig()
    if cut_off_cost_s is not None:
        turns = turns.model_copy(update={"cut_off_cost_s": cut_off_cost_s})
    return TurnTaker(turns, TurnTemperament(), script.language)


CONTENDERS = {
    "parley": Contender("Parley", parley),
    # The best of their settings at 600 ms in eot-bench's English report.
    "vad": Contender("plain VAD", lambda _: VadTaker(0.6)),
    "smart-turn": Contender(
        "smart-turn", lambda _: SmartTurnTaker(1.0, threshold=0.21, action_delay_s=0.5)
    ),
    "pipecat": Contender(
        "pipecat",
        lambda _: PipecatTaker(),
        Shell(first_text_extra_s=PIPECAT_TEXT_EXTRA_S, counts_begun_words=True),
    ),
}
KNOB_S = (0.15, 0.25, 0.4, 0.6, 0.85, 1.2, 1.7, 2.4, 3.4, 5.0, 8.0, 14.0)
"""Values of `cut_off_cost_s` for the curve."""
Setting = tuple[float, ...]
SWEEPS: Mapping[str, Sequence[Setting]] = {
    "parley": [(cost_s,) for cost_s in KNOB_S],
    "vad": [(timeout_s,) for timeout_s in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)],
    # Those that do best in eot-bench's English report, and some between them.
    "smart-turn": [
        (0.05, 0.2, 1.0),
        (0.05, 0.3, 1.0),
        (0.1, 0.4, 1.0),
        (0.21, 0.5, 1.0),
        (0.1, 0.5, 1.5),
        (0.01, 0.7, 2.0),
        (0.09, 0.7, 3.0),
        (0.01, 1.0, 3.0),
    ],
}
"""Settings of which a curve is drawn: the knob; a timeout; threshold, action delay and timeout."""


class Players:
    """Processes that play calls; one process plays in this one.  A context manager."""

    def __init__(self, processes: int) -> None:
        # Spawned: numerical libraries have threads here, which a fork would copy halfway.
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, mp_context=spawn) if processes > 1 else None

    def __enter__(self) -> "Players":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown()

    def play(
        self, name: str, scripts: Sequence[Script], latencies: Latencies, seed: int
    ) -> list[Outcome]:
        """Play the scripts for a contender."""
        return self._each(_play, name, scripts, latencies, seed)

    def listen(
        self, name: str, scripts: Sequence[Script], latencies: Latencies, seed: int
    ) -> list[list[Outcome]]:
        """Show the callers' turns to a contender, for each of its settings in `SWEEPS`."""
        by_script = self._each(_listen, name, scripts, latencies, seed)
        return [list(outcomes) for outcomes in zip(*by_script, strict=True)]

    def _each(
        self,
        work: Callable[[str, Sequence[Script], Latencies, int], list[T]],
        name: str,
        scripts: Sequence[Script],
        latencies: Latencies,
        seed: int,
    ) -> list[T]:
        """What the work comes to for each script, in their order."""
        parts = [scripts[at : at + SCRIPTS_A_TASK] for at in range(0, len(scripts), SCRIPTS_A_TASK)]
        one = partial(_part, work, name, latencies, seed)
        return list(chain.from_iterable((self._pool.map if self._pool else map)(one, parts)))


def _part(
    work: Callable[[str, Sequence[Script], Latencies, int], list[T]],
    name: str,
    latencies: Latencies,
    seed: int,
    scripts: Sequence[Script],
) -> list[T]:
    return work(name, scripts, latencies, seed)


def _play(name: str, scripts: Sequence[Script], latencies: Latencies, seed: int) -> list[Outcome]:
    contender = CONTENDERS[name]
    return [
        play(script, contender.make, latencies, seed, shell=contender.shell) for script in scripts
    ]


def _listen(
    name: str, scripts: Sequence[Script], latencies: Latencies, seed: int
) -> list[tuple[Outcome, ...]]:
    makers = [partial(_with_setting, name, setting) for setting in SWEEPS[name]]
    return [tuple(listen(script, make, latencies, seed) for make in makers) for script in scripts]


def _with_setting(name: str, setting: Setting, script: Script) -> Taker:
    match name, setting:
        case "parley", (cost_s,):
            return parley(script, cut_off_cost_s=cost_s)
        case "vad", (timeout_s,):
            return VadTaker(timeout_s)
        case "smart-turn", (threshold, delay_s, timeout_s):
            return SmartTurnTaker(timeout_s, threshold=threshold, action_delay_s=delay_s)
    raise ValueError(f"{name!r} has no such setting: {setting}")
