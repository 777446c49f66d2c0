"""Whether a new request can be served in time.

In: an engine's requests, their costs, and the time.  Out: when 95 of 100 such requests would have
their first audio, and a yes or no.  What it answers is wrong by some ratio, and that ratio is
learnt: each request that was let in and came to its first audio tells one.  Pure: no clock, no
thread, no torch; its owner calls it from one thread at a time.
"""

from collections import deque
from dataclasses import dataclass

from tts.engine.scheduler import Job, Scheduler

LOAD = 0.9
"""Share of the engine's time that running requests may need; what is beyond it keeps new ones'
first packets and noise from becoming silence in a stream that plays."""

LATE = 1.25
"""Ratio of late to predicted first packets before any was measured."""

RATIOS, ENOUGH, PERCENTILE = 200, 20, 0.95
"""How many ratios are remembered, from how many on they are believed, and which one counts."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """It will be served in time, as far as can be told."""

    predicted_s: float
    """Until its first audio, on average."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It would wait too long, or others would."""

    predicted_ms: float
    """Until its first audio, in 95 of 100 cases."""
    allowed_ms: float
    load: float
    """Share of the engine's time that all requests would need with this one; 1 is all of it."""

    def __str__(self) -> str:
        return (
            f"the first audio might take {self.predicted_ms:.0f} ms, allowed are "
            f"{self.allowed_ms:.0f} ms; the engine would be busy {self.load:.0%} of the time, "
            f"allowed are {LOAD:.0%}"
        )


class Admission:
    """The answers for one engine."""

    def __init__(self, scheduler: Scheduler, *, first_packet_ms: float) -> None:
        """`first_packet_ms`: the bound on the predicted first packet."""
        self._scheduler = scheduler
        self._bound_ms = first_packet_ms
        self._ratios: deque[float] = deque(maxlen=RATIOS)

    def admit(self, now_s: float) -> Admitted | Refused:
        """Answer for a request that would arrive now.

        One that finds the engine idle is always admitted, and so is every one while nothing is
        known of what the engine's requests take.
        """
        scheduler = self._scheduler
        predicted_s = self.first_audio_s(now_s)
        if not scheduler.jobs or not scheduler.knows:
            return Admitted(predicted_s)
        load = sum(scheduler.second_s(1 + sum(job.played for job in scheduler.jobs)))
        late_ms = predicted_s * self.late() * 1000
        if late_ms > self._bound_ms or load > LOAD:
            return Refused(late_ms, self._bound_ms, load)
        return Admitted(predicted_s)

    def first_audio_s(self, now_s: float) -> float:
        """How long a request that arrives now would wait for its first audio, on average."""
        scheduler = self._scheduler
        able = [job for job in scheduler.jobs if not job.waits]
        base_s = max(scheduler.turn_ends_s - now_s, 0.0) + scheduler.first_audio_s()
        base_s += sum(scheduler.to_audio_s(job) for job in able if job.dry_s is None)
        heard = sorted(
            (job.dry_s - now_s, scheduler.to_audio_s(job))
            for job in able
            if job.dry_s is not None and job.played and not job.full
        )
        # All those have their turn first who come before one that would run dry otherwise.
        first_s = need_s = 0.0
        for dry_s, one_s in heard:
            need_s += one_s
            if base_s + need_s > dry_s:
                first_s = need_s
        return base_s + first_s

    def late(self) -> float:
        """The ratio of actual to predicted that 95 of 100 requests stay below."""
        if len(self._ratios) < ENOUGH:
            return LATE
        return sorted(self._ratios)[int(PERCENTILE * len(self._ratios))]

    def came(self, job: Job, now_s: float) -> None:
        """A request that was admitted gave its first audio."""
        if job.predicted_s:
            self._ratios.append((now_s - job.arrived_s - job.waited_s) / job.predicted_s)
