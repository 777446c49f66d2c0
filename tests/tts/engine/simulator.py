"""Callers by the thousand on a clock that costs nothing: the real scheduler, admission and chunk
schedule, with models that only take time.

In: a machine, how often somebody calls, and a seed.  Out: what each caller met.
"""

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tts.engine.admission import Admission, Admitted
from tts.engine.chunk_schedule import ChunkSchedule, Effort
from tts.engine.scheduler import Job, Scheduler
from tts.engine.types import Kind, Work

FRAME_S, TOKEN_FRAMES, REACH_FRAMES = 0.02, 2, 6


@dataclass(frozen=True)
class Machine:
    """How long works take when `batch` of them, of so large a size in all, run as one."""

    prefill_s: float
    step_s: Callable[[int], float]
    frame_s: float
    """Of sound."""
    most_frames: int = 50
    noise: float = 0.1
    """Spread of the logarithm of every time."""
    stall: float = 0.0
    """Share of the works that take three times as long."""

    def seconds(self, kind: Kind, size: int, batch: int) -> float:
        if kind is Kind.PREFILL:
            return self.prefill_s * batch
        return self.step_s(batch) if kind is Kind.TOKEN else 0.001 + self.frame_s * size


CPU = Machine(0.130, lambda batch: 0.012 * max(1.0, 0.5 + batch / 8), 0.007, most_frames=25)
"""Two cores: 0.65 s of work for a second of audio, so it can speak to one caller at a time."""

FASTER_CPU = Machine(0.065, lambda batch: 0.006 * max(1.0, 0.5 + batch / 8), 0.0035, most_frames=25)

GPU = Machine(0.004, lambda batch: 0.001 * max(1.0, batch / 32), 0.0001)


@dataclass
class Caller:
    """A request, and what became of it."""

    number: int
    arrives_s: float
    audio_s: float
    leaves_after_s: float = math.inf
    """How long after its first audio it is cancelled; infinite: never."""
    played: bool = True
    job: Job | None = None
    steps: Iterator[Work | float] | None = None
    refused: bool = False
    first_s: float | None = None
    """From arrival to its first audio."""
    ended_s: float | None = None
    cancelled: bool = False
    underruns: int = 0
    dry_for_s: float = 0.0
    """How long it was silent in the middle of its audio."""
    steps_after_cancel: int = 0


@dataclass
class Result:
    callers: list[Caller]
    first_in_turn: list[int] = field(default_factory=list)
    """Numbers of the callers in the order of their first audio."""
    turns: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    """How many turns were of a kind and batch size."""
    busy_s: float = 0.0

    @property
    def served(self) -> list[Caller]:
        return [one for one in self.callers if one.first_s is not None]

    @property
    def refused(self) -> float:
        """Share of the callers."""
        return sum(one.refused for one in self.callers) / len(self.callers)

    @property
    def underrun(self) -> float:
        """Share of the served callers."""
        return sum(one.underruns > 0 for one in self.served) / len(self.served)

    def first_ms(self, share: float) -> float:
        """What so large a share of the served callers stayed below."""
        firsts = sorted(one.first_s or 0.0 for one in self.served)
        return 1000 * firsts[min(int(share * len(firsts)), len(firsts) - 1)]


class Simulation:
    """One engine and those who call it."""

    def __init__(
        self,
        machine: Machine,
        *,
        first_packet_ms: float,
        rest_s: float = 1.0,
        most_together: int = 64,
        everybody: bool = False,
        seed: int = 0,
    ) -> None:
        """`everybody`: whether to let in whom admission would refuse."""
        self._machine = machine
        self._everybody = everybody
        self._random = random.Random(seed)
        self._scheduler = Scheduler(rest_s=rest_s, most_together=most_together)
        self._admission = Admission(self._scheduler, first_packet_ms=first_packet_ms)
        self._schedule = ChunkSchedule(most_frames=machine.most_frames)
        self._together = object()
        self._callers: dict[Job, Caller] = {}
        self._now_s = 0.0

    def run(self, callers: Sequence[Caller]) -> Result:
        """Serve these callers, in order of their arrival, to their ends."""
        self._result = Result([replace(one) for one in callers])
        # As a service does before it calls itself ready, the engine speaks to nobody once.
        events = [*self._result.callers, Caller(-1, -10.0, 0.5)]
        self._now_s = -10.0
        self._events = [(one.arrives_s, one.number, one) for one in events]
        heapq.heapify(self._events)
        while True:
            self._happen(self._now_s)
            chosen = self._scheduler.choose(self._now_s)
            if chosen:
                self._turn(chosen)
                continue
            wake_s = self._scheduler.wake_s()
            times = [] if wake_s is None else [wake_s]
            times += [self._events[0][0]] if self._events else []
            if not times:
                assert not self._scheduler.jobs
                return self._result
            self._now_s = max(self._now_s, min(times))

    def _happen(self, until_s: float) -> None:
        """Arrivals and cancels up to a time."""
        while self._events and self._events[0][0] <= until_s:
            when_s, _, caller = heapq.heappop(self._events)
            if caller.job is None:
                self._arrive(caller, when_s)
            elif caller.ended_s is None:
                caller.cancelled, caller.ended_s = True, when_s
                self._scheduler.remove(caller.job)
                del self._callers[caller.job]

    def _arrive(self, caller: Caller, now_s: float) -> None:
        answer = self._admission.admit(now_s)
        if not (isinstance(answer, Admitted) or self._everybody):
            caller.refused = True
            return
        predicted_s = answer.predicted_s if isinstance(answer, Admitted) else None
        job = caller.job = Job(now_s, played=caller.played, predicted_s=predicted_s)
        caller.steps = self._steps(caller, job)
        self._callers[job] = caller
        self._scheduler.add(job)
        self._resume(caller)

    def _turn(self, chosen: list[Job]) -> None:
        callers = [self._callers[job] for job in chosen]
        works = [job.work for job in chosen if job.work is not None]
        assert len(works) == len(chosen) and len({work.kind for work in works}) == 1
        kind, size = works[0].kind, sum(work.size for work in works)
        seconds = self._machine.seconds(kind, size, len(works))
        seconds *= math.exp(self._random.gauss(0, self._machine.noise))
        seconds *= 3 if self._random.random() < self._machine.stall else 1
        for caller in callers:
            caller.steps_after_cancel += caller.cancelled
        self._result.turns[kind, len(works)] += 1
        self._result.busy_s += seconds
        self._now_s += seconds
        self._happen(self._now_s)
        self._scheduler.ran(chosen, seconds)
        for caller in callers:
            if not caller.cancelled:
                self._resume(caller)

    def _resume(self, caller: Caller) -> None:
        assert caller.steps is not None and caller.job is not None
        job = caller.job
        for item in caller.steps:
            if isinstance(item, Work):
                self._scheduler.gave_work(job, item)
                return
            self._hear(caller, job, item)
        caller.ended_s = self._now_s
        self._scheduler.remove(job)
        del self._callers[job]

    def _hear(self, caller: Caller, job: Job, audio_s: float) -> None:
        if job.dry_s is None:
            self._admission.came(job, self._now_s)
            caller.first_s = self._now_s - caller.arrives_s
            self._result.first_in_turn.append(caller.number)
            if caller.leaves_after_s < math.inf:
                leaves = (self._now_s + caller.leaves_after_s, caller.number, caller)
                heapq.heappush(self._events, leaves)
        elif job.dry_s < self._now_s and caller.played:
            caller.underruns += 1
            caller.dry_for_s += self._now_s - job.dry_s
        self._scheduler.gave_audio(job, audio_s, self._now_s)

    def _steps(self, caller: Caller, job: Job) -> Iterator[Work | float]:
        """What `tts.engine.utterance` does, without models."""
        tokens = sounded = 0
        left = math.ceil(caller.audio_s / FRAME_S / TOKEN_FRAMES)
        while left:
            clause = min(left, 75)
            for kind in (Kind.PREFILL, *[Kind.TOKEN] * clause):
                tokens += kind is Kind.TOKEN
                ready = TOKEN_FRAMES * tokens - REACH_FRAMES - sounded
                while frames := self._due_frames(job, ready, kind):
                    yield self._work(Kind.SOUND, frames)
                    yield frames * FRAME_S
                    sounded += frames
                    ready -= frames
                yield self._work(kind, 300 if kind is Kind.PREFILL else 1)
            left -= clause
        while sounded < TOKEN_FRAMES * tokens:
            frames = self._length(job, TOKEN_FRAMES * tokens - sounded)
            yield self._work(Kind.SOUND, frames)
            yield frames * FRAME_S
            sounded += frames

    def _due_frames(self, job: Job, ready: int, before: Kind) -> int:
        """How many frames to sound before work of this kind; 0: none yet."""
        due = self._schedule.due(
            ready,
            ahead_s=self._scheduler.ahead_s(job, self._now_s),
            effort=self._effort(),
            until_next_s=self._cost_s(before, 300 if before is Kind.PREFILL else 1),
        )
        return self._length(job, ready) if due else 0

    def _length(self, job: Job, ready: int) -> int:
        ahead_s = self._scheduler.ahead_s(job, self._now_s)
        return self._schedule.length(ready, ahead_s=ahead_s, effort=self._effort())

    def _effort(self) -> Effort:
        drawn_s = self._cost_s(Kind.TOKEN, 1) / TOKEN_FRAMES
        return Effort(frames_s=partial(self._cost_s, Kind.SOUND), drawn_s=drawn_s)

    def _cost_s(self, kind: Kind, size: int) -> float:
        return self._scheduler.costs.predict(kind, size)

    def _work(self, kind: Kind, size: int) -> Work:
        # Sound is made for one caller at a time.
        together = self._together if kind is Kind.TOKEN else object()
        return Work(kind, size, _run, together)


def _run(works: Sequence[Work]) -> None:
    raise AssertionError("simulated work is not run")


def poisson(
    per_s: float,
    count: int,
    *,
    seed: int = 0,
    median_s: float = 3.0,
    barge_in: float = 0.3,
) -> list[Caller]:
    """Callers that know nothing of each other, with replies of varied lengths; a share of them is
    interrupted somewhere in the reply."""
    draw = random.Random(seed)
    now_s, callers = 0.0, []
    for number in range(count):
        now_s += draw.expovariate(per_s)
        audio_s = min(max(draw.lognormvariate(math.log(median_s), 0.6), 0.6), 15.0)
        leaves = draw.random() * audio_s if draw.random() < barge_in else math.inf
        callers.append(Caller(number, now_s, audio_s, leaves))
    return callers
