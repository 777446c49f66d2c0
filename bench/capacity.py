"""How many callers a cloned voice serves at once, each hearing its first packet in time.

    python -m bench capacity [--quick] [--callers 1 2 3 4] [--limit-ms 200] [--step-s 60]
                             [--device cpu] [--threads 2] [--settings JSON] [--save]

Callers arrive at random (Poisson) behind the gRPC door of `python -m tts serve`, all from this one
process.  Each has a conversation: it asks for a reply, hears it as it is played, speaks for some
seconds, and asks for the next, three to nine times.  Arrivals do not wait for the service.  A step
of the bench has a rate of arrivals for which so many callers are there on average, from its
beginning on.  Steps rise until the first packets come too late (p95), playback has to wait, or more
than one reply in a hundred is refused; `callers_at_200ms_p95` is the last step before that, as
counted: the mean number of callers that were there.
"""

import argparse
import asyncio
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import services
from bench.first_packet import TEXTS, add_service_options, make_voices, settings_of
from bench.listener import Door, Heard, hear
from bench.report import percentiles, result, table
from tts.errors import Overloaded
from tts.types import SynthesisRequest

CALLERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
QUICK_CALLERS = (1, 2)
FEWEST_REPLIES, MOST_REPLIES = 3, 9
SPEAKS_S = 3.0
"""How long a caller speaks before it is answered, on average."""
REPLY_S = 4.0
"""About what a reply lasts: for the rate of arrivals, not for what is counted."""
MOST_REFUSED = 0.01


@dataclass
class Step:
    """What all callers of one rate of arrivals heard."""

    replies: list[Heard] = field(default_factory=list)
    refused: int = 0
    caller_s: float = 0.0
    """Time that all callers were there, together."""
    seconds: float = 0.0

    @property
    def callers(self) -> float:
        """How many were there, on average."""
        return self.caller_s / self.seconds

    @property
    def underruns_per_min(self) -> float:
        """How often playback had to wait in a minute, all callers together."""
        return 60 * sum(len(one.gaps_s) for one in self.replies) / self.seconds

    def p95_ms(self) -> float:
        """Of the first packets; infinite when there was none."""
        spent = [1000 * one.first_packet_s for one in self.replies]
        return float(np.percentile(spent, 95)) if spent else math.inf

    def holds(self, limit_ms: float) -> bool:
        """Whether so many callers are served."""
        asked = len(self.replies) + self.refused
        in_time = self.p95_ms() <= limit_ms and self.underruns_per_min == 0
        return in_time and self.refused <= MOST_REFUSED * asked

    def row(self) -> str:
        """A line of the printed curve."""
        spent = percentiles("", [1000 * one.first_packet_s for one in self.replies])
        return (
            f"{self.callers:7.1f} {len(self.replies):7d} {self.refused:7d} "
            f"{spent['_p50'] or 0:7.0f} {spent['_p95'] or 0:7.0f} {self.underruns_per_min:9.1f}"
        )


HEADER = "callers replies refused p50_ms  p95_ms  underruns/min"


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench; see `bench.__main__`."""
    options = _options(argv)
    with tempfile.TemporaryDirectory(prefix="parley-capacity-") as folder:
        voices = make_voices(Path(folder), options)
        steps = asyncio.run(_curve(Path(folder), voices[0], options))
    metrics = of_curve(steps, options.limit_ms)
    table(list(metrics.items()))
    return result(
        "capacity",
        settings={
            "door": services.door_name(),
            "voice": voices[0],
            "weights": "random",
            "limit_ms": options.limit_ms,
            "step_s": options.step_s,
            "service": options.settings,
            "curve": [step.row().split() for step in steps],
            "curve_columns": HEADER.split(),
        },
        metrics=metrics,
        targets={},
        device=options.device,
        threads=options.threads,
    )


def of_curve(steps: Sequence[Step], limit_ms: float) -> dict[str, Any]:
    """The metrics of the steps, in the order in which they rise."""
    held: Step | None = None
    for step in steps:
        if not step.holds(limit_ms):
            break
        held = step
    shown = held or steps[0]
    return {
        f"callers_at_{limit_ms:.0f}ms_p95": round(held.callers, 1) if held else 0,
        "first_packet_ms_p95": _finite(shown.p95_ms()),
        "underruns_per_min": round(shown.underruns_per_min, 2),
        "refused": shown.refused,
        "first_packet_ms_p95_last_step": _finite(steps[-1].p95_ms()),
        "underruns_per_min_last_step": round(steps[-1].underruns_per_min, 2),
        "callers_last_step": round(steps[-1].callers, 1),
    }


def _finite(ms: float) -> int | None:
    return round(ms) if math.isfinite(ms) else None


async def _curve(folder: Path, voice: str, options: argparse.Namespace) -> list[Step]:
    preload = {"gpt_sovits": {"preload": [voice]}}
    steps: list[Step] = []
    async with services.service(settings_of(folder, options, preload)) as service:
        for number in range(3):  # warm-up, not counted
            await hear(service.door, _request(voice, number))
            await asyncio.sleep(1.0)
        print(HEADER)
        for callers in options.callers:
            steps.append(await step_of(service.door, voice, callers, options.step_s))
            print(steps[-1].row(), flush=True)
            if not steps[-1].holds(options.limit_ms):
                break
    return steps


async def step_of(door: Door, voice: str, callers: float, seconds: float) -> Step:
    """Callers arriving so that `callers` are there on average."""
    step = Step(seconds=seconds)
    draw = np.random.default_rng(round(10 * callers))
    began_s = time.perf_counter()
    stay_s = (FEWEST_REPLIES + MOST_REPLIES) / 2 * (SPEAKS_S + REPLY_S)
    async with asyncio.TaskGroup() as group:
        for number, (at_s, replies) in enumerate(arrivals(callers, seconds, stay_s, draw)):
            await asyncio.sleep(max(0.0, began_s + at_s - time.perf_counter()))
            caller = _Caller(step, door, voice, began_s + seconds, np.random.default_rng(number))
            group.create_task(caller.talk(replies), name=f"caller-{number}")
    return step


def arrivals(
    callers: float, seconds: float, stay_s: float, draw: np.random.Generator
) -> Iterator[tuple[float, int]]:
    """When callers come, and for how many replies.

    Those of time 0 are there already, in the middle of their conversations; the others come at
    random, as many as leave.
    """
    replies = range(FEWEST_REPLIES, MOST_REPLIES + 1)
    for _ in range(max(1, draw.poisson(callers))):
        yield 0.0, int(draw.integers(1, draw.choice(replies) + 1))
    at_s = 0.0
    while True:
        at_s += float(draw.exponential(stay_s / callers))
        if at_s >= seconds:
            return
        yield at_s, int(draw.choice(replies))


@dataclass
class _Caller:
    """One caller; once the step has ended it asks for nothing more, but hears its reply out."""

    step: Step
    door: Door
    voice: str
    ends_s: float
    draw: np.random.Generator

    async def talk(self, replies: int) -> None:
        """A conversation of so many replies; the caller speaks first."""
        came_s = time.perf_counter()
        for _ in range(replies):
            await asyncio.sleep(min(self.draw.exponential(SPEAKS_S), self._left_s()))
            if not self._left_s():
                break
            try:
                heard = await hear(self.door, _request(self.voice, int(self.draw.integers(100))))
            except Overloaded:
                self.step.refused += 1
                continue
            self.step.replies.append(heard)
            played_s = heard.first_packet_s + heard.audio_s + sum(heard.gaps_s)
            await asyncio.sleep(min(max(0.0, played_s - heard.last_packet_s), self._left_s()))
        self.step.caller_s += min(time.perf_counter(), self.ends_s) - came_s

    def _left_s(self) -> float:
        return max(0.0, self.ends_s - time.perf_counter())


def _request(voice: str, number: int) -> SynthesisRequest:
    """A short reply, or a sentence."""
    texts = (*TEXTS["en"]["short"], *TEXTS["en"]["medium"])
    return SynthesisRequest(text=texts[number % len(texts)], voice=voice, language="en")


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench capacity")
    add_service_options(parser)
    parser.add_argument("--callers", nargs="+", type=float, help="the steps")
    parser.add_argument("--limit-ms", type=float, default=200.0, help="of the first packet, p95")
    parser.add_argument("--step-s", type=float, help="how long a step takes; 60, or 10 when quick")
    parser.set_defaults(languages=["en"])
    options = parser.parse_args(argv)
    options.callers = options.callers or (QUICK_CALLERS if options.quick else CALLERS)
    options.step_s = options.step_s or (10.0 if options.quick else 60.0)
    options.reference_s = options.reference_s or [3.0]
    return options
