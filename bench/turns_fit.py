"""What the evidence on pauses counts for: fits `agent.turns.fusion.WEIGHTS` and the law of holds.

    python -m bench turns_fit [--quick] [--scripts 260] [--seed 3] [--profile gpu]

Scripted callers of the half "calibrate" are heard by a taker that ends no turn before 4.8 s, so
that every hold is seen to its end.  Each pause is looked at after several lengths of silence, as
far as it lasted; logistic regression tells what its sound, its words, and the caller's holds before
it said about its being the end, with the silence itself as a fixed part (`-ln` of the share of
holds that last so long).  The median and shape of holds are those with which it fits best.  The
half "held_out" is only measured: log loss and area under the curve.

Weights are printed as they fit; those in the code are rounded, and two are no fit (see there).
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from agent.config import SpeculationConfig, TurnsConfig
from agent.persona import TurnTemperament
from agent.turns import habits
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    Action,
    DropTurn,
    EndTurn,
    Event,
    Judge,
    SpeechStarted,
    TranscriptReady,
    TurnScored,
)
from agent.turns.fusion import LONG_WORDS, SOUND_LOG_ODDS, WORDS_LOG_ODDS, log_odds
from agent.turns.reading import Reading
from agent.turns.sound import SoundOfPause
from bench.report import result, table
from bench.turns_world.callers import scripts
from bench.turns_world.curve import listen
from bench.turns_world.latencies import PROFILES, Latencies
from bench.turns_world.scripts import Half, Script

LOOKS_S = (0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3)
LONGEST_MS = 4800
MEDIANS_S = (0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
SHAPES = (1.8, 2.2, 2.6, 3.0)
EVIDENCE = ("bias", "sound", "voice", "words", "length", "slot_open", "holds")
RIDGE = 0.001
Array = NDArray[np.float64]


@dataclass(slots=True)
class Pause:
    """A pause and what was learned while it lasted."""

    began_s: float
    sound: SoundOfPause = field(default_factory=SoundOfPause)
    reading: Reading | None = None
    known: list[tuple[float, list[float]]] = field(default_factory=list)
    """Silence from which on the evidence was so."""
    lasted_s: float | None = None
    """None for the end of a turn."""
    weight: float = 0.0
    log_sum: float = 0.0
    """Of the holds before it: see `PauseHabits`."""


class Listener:
    """A taker that lets every hold end, and notes what is known in each pause."""

    def __init__(self, script: Script) -> None:
        patient = TurnsConfig(
            min_silence_ms=LONGEST_MS,
            max_silence_ms=LONGEST_MS,
            kept_floor_ms=LONGEST_MS,
            speculation=SpeculationConfig(enabled=False),
        )
        self._taker = TurnTaker(patient, TurnTemperament(), script.language)
        self._habits = habits.PauseHabits()
        self._log_lengths: list[float] = []
        self._pause: Pause | None = None
        self.pauses: list[Pause] = []

    def step(self, event: Event, now_s: float) -> list[Action]:
        """See `TurnTaker.step`."""
        actions = self._taker.step(event, now_s)
        if isinstance(event, SpeechStarted) and self._pause:
            self._end_hold(self._pause, event.at_s)
        for action in actions:
            if isinstance(action, Judge):
                self._pause = self._begin(getattr(event, "at_s", now_s))
            elif isinstance(action, EndTurn | DropTurn):
                if isinstance(action, EndTurn) and self._pause:
                    self.pauses.append(self._pause)
                self._pause = None
        if self._pause:
            self._note(self._pause, event, now_s)
        return actions

    def _begin(self, at_s: float) -> Pause:
        pause = Pause(at_s)
        for log_length in self._log_lengths:
            pause.weight = habits.FADE * pause.weight + 1.0
            pause.log_sum = habits.FADE * pause.log_sum + log_length
        return pause

    def _end_hold(self, pause: Pause, at_s: float) -> None:
        pause.lasted_s = max(0.05, at_s - pause.began_s)
        self.pauses.append(pause)
        self._habits.held(pause.lasted_s, pause.sound.log_odds)
        self._log_lengths.append(float(np.log(pause.lasted_s)))
        self._pause = None

    def _note(self, pause: Pause, event: Event, now_s: float) -> None:
        if isinstance(event, TurnScored) and event.probability is not None:
            pause.sound.take(event.probability, event.silence_s)
        elif isinstance(event, TranscriptReady):
            pause.reading = event.reading
        else:
            return
        if pause.reading:
            evidence = evidence_of(pause.sound, pause.reading, self._habits)
            pause.known.append((now_s - pause.began_s, evidence))


def evidence_of(sound: SoundOfPause, reading: Reading, known: habits.PauseHabits) -> list[float]:
    """What is known of a pause, in the order of `EVIDENCE`."""
    heard = sound.probability
    return [
        1.0,
        0.0 if heard is None else log_odds(heard, SOUND_LOG_ODDS),
        0.0 if heard is None else -known.sounds_over,
        log_odds(reading.complete, WORDS_LOG_ODDS),
        min(reading.words, LONG_WORDS) / LONG_WORDS,
        float(reading.slot_open),
        float(reading.holds),
    ]


@dataclass(frozen=True, slots=True)
class Looks:
    """Pauses, each looked at after several lengths of silence."""

    evidence: Array
    """[looks, EVIDENCE]"""
    over: Array
    silence_s: Array
    weight: Array
    log_sum: Array

    def of_silence(self, median_s: float, shape: float) -> Array:
        """Log-odds from the silence so far, given the callers' holds before."""
        log_sum = habits.PRIOR_HOLDS * np.log(median_s) + self.log_sum
        medians_s = np.exp(log_sum / (habits.PRIOR_HOLDS + self.weight))
        medians_s = np.clip(medians_s, *habits.MEDIAN_BOUNDS_S)
        return np.asarray(np.log1p((self.silence_s / medians_s) ** shape), np.float64)


def hear(written: Sequence[Script], latencies: Latencies, seed: int) -> Iterator[Pause]:
    """All pauses of scripts."""
    for script in written:
        listeners: list[Listener] = []

        def make(script: Script, listeners: list[Listener] = listeners) -> Listener:
            listeners.append(Listener(script))
            return listeners[-1]

        listen(script, make, latencies, seed)
        yield from listeners[-1].pauses


def look(pauses: Sequence[Pause]) -> Looks:
    """Look at each pause as long as it lasts."""
    rows = [
        (evidence, pause.lasted_s is None, silence_s, pause.weight, pause.log_sum)
        for pause in pauses
        for silence_s in LOOKS_S
        if pause.lasted_s is None or pause.lasted_s >= silence_s
        for evidence in [e for since_s, e in pause.known if since_s <= silence_s][-1:]
    ]
    columns = [np.array(column, np.float64) for column in zip(*rows, strict=True)]
    return Looks(*columns)


def fit(looks: Looks, of_silence: Array) -> tuple[Array, float]:
    """Weights by Newton's method, and their mean log loss."""
    size = looks.evidence.shape[1]
    ridge = RIDGE * len(looks.over) * np.diag([0.0, *[1.0] * (size - 1)])
    weights = np.zeros(size)
    for _ in range(30):
        p = _over(looks, weights, of_silence)
        slope = looks.evidence.T @ (p - looks.over) + ridge @ weights
        curvature = (looks.evidence * (p * (1 - p))[:, None]).T @ looks.evidence + ridge
        step = np.linalg.solve(curvature + 1e-6 * np.eye(size), slope)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return weights, loss(looks, weights, of_silence)


def loss(looks: Looks, weights: Array, of_silence: Array) -> float:
    """Mean log loss."""
    p = np.clip(_over(looks, weights, of_silence), 1e-9, 1 - 1e-9)
    return float(-np.mean(looks.over * np.log(p) + (1 - looks.over) * np.log(1 - p)))


def ranked_right(looks: Looks, weights: Array, of_silence: Array) -> float:
    """Area under the curve: how often an end is thought likelier than a hold."""
    order = np.argsort(np.argsort(_over(looks, weights, of_silence)))
    ends = int(looks.over.sum())
    pairs = ends * (len(order) - ends)
    return float((order[looks.over > 0].sum() - ends * (ends - 1) / 2) / pairs)


def _over(looks: Looks, weights: Array, of_silence: Array) -> Array:
    total = looks.evidence @ weights + of_silence
    return np.asarray(1 / (1 + np.exp(-np.clip(total, -30, 30))), np.float64)


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench and return its JSON object."""
    parser = argparse.ArgumentParser(prog="bench turns_fit")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scripts", type=int, default=260)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="gpu")
    options = parser.parse_args(argv)
    count = 40 if options.quick else options.scripts
    halves: dict[Half, Looks] = {}
    metrics: dict[str, float] = {}
    for half in get_args(Half):
        written = scripts(options.seed, half=half, count=count)
        heard = list(hear(written, PROFILES[options.profile], options.seed))
        halves[half] = look(heard)
        metrics[f"pauses_{half}"] = len(heard)
    metrics |= _fitted(halves["calibrate"], halves["held_out"])
    table(list(metrics.items()))
    settings = {"scripts": count, "seed": options.seed, "profile": options.profile}
    return result("turns_fit", settings=settings, metrics=metrics, targets={})


def _fitted(ours: Looks, theirs: Looks) -> dict[str, float]:
    laws = itertools.product(MEDIANS_S, SHAPES)
    median_s, shape = min(laws, key=lambda law: fit(ours, ours.of_silence(*law))[1])
    weights, lost = fit(ours, ours.of_silence(median_s, shape))
    silence = theirs.of_silence(median_s, shape)
    return {
        "median_s": median_s,
        "shape": shape,
        **{f"weight_{name}": round(float(w), 3) for name, w in zip(EVIDENCE, weights, strict=True)},
        "log_loss_calibrate": round(lost, 4),
        "log_loss_held_out": round(loss(theirs, weights, silence), 4),
        "area_held_out": round(ranked_right(theirs, weights, silence), 4),
    }
