"""Which requests of an engine run next.

In: what became of each request (it arrived, waits for work, gave audio), what its work took, and
the time, which is always an argument.  Out: the requests whose turn it is.  Pure: no clock, no
thread, no torch; its owner calls it from one thread at a time.

Who comes first:

1. requests with audio, if the playback of any of them would run dry were they served after the
   next turn of a request without audio, all of them in their order;
2. requests without audio, in order of arrival;
3. requests with audio, in the order in which their playback runs dry: where all can be in time,
   this order has them all in time.

A request whose audio lasts `rest_s` longer than it takes to make more of it rests.  Work that may
run as one with the chosen work joins it where a larger batch costs little more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from tts.engine.costs import Costs, Tally
from tts.engine.types import Kind, Work

LEARNING = 0.1
"""Weight of the newest observation in what is typical of an engine's requests."""

FADING = 0.99
"""What a piece of audio keeps of its weight when the next one is made, of whichever request."""

SPREAD, SURE = 0.125, 2.0
"""Standard deviation of works as a share of their prediction, and how many of them are kept clear
where running dry is at stake."""

BUSIEST = 0.9
"""The largest share of the engine's time that its requests are taken to need."""

JOIN, JOIN_RESTING = 0.5, 0.1
"""Another work joins a batch if it adds at most this share of what it would cost alone; one whose
request rests could as well be dropped by a cancel, and has to be all but free."""


ROUNDING_S = 0.001
"""A resting request is woken so much late rather than early by a rounding error, to rest again."""


@dataclass(slots=True, eq=False)
class Job:
    """One request as the scheduler sees it.  Times are seconds of its owner's clock."""

    arrived_s: float
    played: bool = True
    """Whether its audio is heard while it is made; nothing runs dry where it is not."""
    predicted_s: float | None = None
    """How long after its arrival its first audio was predicted; None: nobody asked."""
    waits: bool = False
    """Whether it has nothing to do until a future is done."""
    waited_s: float = 0.0
    """How long it waited for futures."""
    full: bool = False
    """Whether it has more unread audio than it may have."""
    work: Work | None = None
    """What it waits for; None: for a step that its engine takes by itself."""
    eager: bool = False
    """Whether it is served however far ahead of its playback it is."""
    works: bool = False
    """Whether its engine gives works.  One that does not never rests: nobody knows how long its
    next step will take."""
    dry_s: float | None = None
    """When its playback runs dry; None before its first audio."""
    audio_s: float = 0.0
    """Length of its audio so far."""
    total: Tally = field(default_factory=Tally)
    """What was done for it."""
    before: Tally = field(default_factory=Tally)
    """What of that was done when it last gave audio."""
    apart_s: float = 0.0
    """What it takes to its next audio: seconds of work that is done alone, and tokens."""
    tokens: float = 0.0
    latest_s: float = 0.0
    """When the work for its next audio must begin at the latest, if it has any audio."""

    @property
    def may_rest(self) -> bool:
        """Whether it need not be served while it is far ahead of its playback."""
        return self.played and self.works and not self.eager


@dataclass(frozen=True, slots=True)
class Usual:
    """What something usually takes."""

    work: Tally = field(default_factory=Tally)
    prefills_s: float = 0.0
    sounds_s: float = 0.0
    seen: bool = False

    @classmethod
    def of(cls, work: Tally, costs: Costs) -> Self:
        """What so much work takes at these costs."""
        return cls(work, costs.prefills_s(work), costs.sounds_s(work), True)

    @property
    def apart_s(self) -> float:
        """Seconds of work that is done alone: all but the tokens."""
        return self.work.plain_s + self.prefills_s + self.sounds_s

    def learnt(self, work: Tally, costs: Costs) -> "Usual":
        """It after one more took so much work; the first counts in full."""
        share = LEARNING if self.seen else 1.0
        return Usual.of(self.work.times(1 - share).plus(work, share), costs)


class Scheduler:
    """The requests of one engine and whose turn it is."""

    def __init__(self, *, rest_s: float, most_together: int) -> None:
        """`most_together`: works in one batch at most."""
        self.costs = Costs()
        self.jobs: list[Job] = []
        """In order of arrival."""
        self.turn_ends_s = 0.0
        """When the turn under way is predicted to end; in the past when there is none."""
        self._wait_s = 0.0
        self._rest_s = rest_s
        self._most = most_together
        self._first = Usual()
        self._next = Usual()
        # Work and audio of all requests, the newer the more, and what a second of audio takes.
        self._work, self._audio_s = Tally(), 0.0
        self._second = Usual()
        # Sums of the lengths of sounds and of their squares, the newer the more.
        self._sounds_s, self._sounds_s2 = 0.0, 0.0
        # Whether a request that has audio is due a step, after one without audio gave way.
        self._due = False

    def add(self, job: Job) -> None:
        """A request has arrived; it waits for a step of its engine."""
        self.jobs.append(job)
        self._reckon(job)

    def remove(self, job: Job) -> None:
        """A request has ended or was dropped."""
        self.jobs.remove(job)
        self._work = self._work.plus(job.total).plus(job.before, -1)

    def choose(self, now_s: float) -> list[Job]:
        """The requests whose turn it is, to run as one; none while all of them wait or rest."""
        silent: list[Job] = []
        awake: list[Job] = []
        resting: list[Job] = []
        rest_s = now_s + self._rest_s
        for job in self.jobs:
            if job.waits or job.full:
                continue
            if job.dry_s is None:
                silent.append(job)
            elif job.latest_s > rest_s and job.may_rest:
                resting.append(job)
            else:
                awake.append(job)
        self._wait_s = self._others_s(len(silent), len(awake) + len(resting))
        if not silent and not awake:
            return []
        awake.sort(key=_dry_s)
        if silent and not (awake and (self._due or self._pressing(awake, silent[0], now_s))):
            chosen = self._batch([*silent, *awake], resting)
        else:
            chosen = self._batch([*awake, *silent], resting)
        self._due = False
        self.turn_ends_s = now_s + self._turn_s(chosen)
        return chosen

    def wake_s(self) -> float | None:
        """When the next resting request wakes; None when none rests."""
        latest = [
            job.latest_s
            for job in self.jobs
            if job.dry_s is not None and job.may_rest and not (job.waits or job.full)
        ]
        return min(latest) - self._rest_s + ROUNDING_S if latest else None

    def ahead_s(self, job: Job, now_s: float) -> float | None:
        """For how long a request's audio lasts yet, less what others' turns may take meanwhile;
        None before its first audio, and infinite where nobody listens meanwhile."""
        if not job.played:
            return math.inf
        return None if job.dry_s is None else job.dry_s - now_s - self._wait_s

    def ran(self, jobs: Sequence[Job], seconds: float) -> None:
        """The works of these requests ran as one; each waits for a step of its engine now."""
        works = [job.work for job in jobs if job.work is not None]
        kind = works[0].kind
        self.costs.observe(kind, sum(one.size for one in works) / len(works), len(works), seconds)
        if kind is Kind.SOUND:
            self._sounds_s = FADING * self._sounds_s + seconds
            self._sounds_s2 = FADING * self._sounds_s2 + seconds * seconds
        for job, work in zip(jobs, works, strict=True):
            job.total.add(kind, work.size)
            job.work = None

    def stepped(self, job: Job, seconds: float) -> None:
        """A request's engine took a step of its own."""
        job.total.plain_s += seconds

    def gave_work(self, job: Job, work: Work) -> None:
        """A request waits for work."""
        job.work = work
        job.works = True
        self._reckon(job)

    def gave_way(self, job: Job) -> None:
        """A request left its turn to others."""
        self._due = job.dry_s is None

    def gave_audio(self, job: Job, audio_s: float, now_s: float) -> None:
        """A request gave a piece of audio.  Playing starts anew with one that comes too late; one
        without a sample changes nothing."""
        if audio_s == 0:
            return
        done = job.total.plus(job.before, -1)
        if job.dry_s is None:
            self._first = self._first.learnt(done, self.costs)
            job.dry_s = now_s
        else:
            self._next = self._next.learnt(done, self.costs)
        self._work = self._work.times(FADING).plus(done)
        self._audio_s = FADING * self._audio_s + audio_s
        if self._audio_s > 0:
            self._second = Usual.of(self._work.times(1 / self._audio_s), self.costs)
        job.before = job.total.times(1)
        job.dry_s = max(job.dry_s, now_s) + audio_s
        job.audio_s += audio_s
        self._reckon(job)

    @property
    def knows(self) -> bool:
        """Whether any request with works has come to its first audio."""
        work = self._first.work
        return work.prefills + work.tokens + work.sounds > 0

    def first_audio_s(self) -> float:
        """How long a new request takes to its first audio while nothing else runs."""
        return self._first.apart_s + self._first.work.tokens * self.costs.token_s(1)

    def to_audio_s(self, job: Job) -> float:
        """How long a request takes to its next audio while nothing else runs."""
        return job.apart_s + job.tokens * self.costs.token_s(1)

    def second_s(self, requests: int) -> tuple[float, float]:
        """Seconds that a second of audio of each of so many requests takes: of work that is done
        alone, and of tokens that are drawn together."""
        second = self._second
        return requests * second.apart_s, second.work.tokens * self._tokens_s(requests)

    def _reckon(self, job: Job) -> None:
        """Reckon anew what a request takes to its next audio."""
        usual = self._first if job.dry_s is None else self._next
        work, costs = job.work, self.costs
        if work is not None and work.kind is Kind.SOUND:
            job.apart_s, job.tokens = costs.predict(Kind.SOUND, work.size), 0.0
        else:
            job.apart_s = usual.sounds_s
            job.tokens = max(usual.work.tokens - (job.total.tokens - job.before.tokens), 1.0)
            if work is None:
                job.apart_s += usual.work.plain_s + usual.prefills_s
            elif work.kind is Kind.PREFILL:
                job.apart_s += costs.predict(Kind.PREFILL, work.size)
        if job.dry_s is not None:
            job.latest_s = job.dry_s - self.to_audio_s(job)

    def _pressing(self, awake: Sequence[Job], first: Job, now_s: float) -> bool:
        """Whether some playback would run dry if `first` had its turn before those with audio.

        Those come to their next audio one after the other, but for their tokens, which they draw
        together.
        """
        apart_s = self._turn_s([first])
        tokens, tokens_s, variance = 0.0, self._tokens_s(len(awake)), apart_s * apart_s
        for job in awake:
            if job.played and job.dry_s is not None:
                apart_s += job.apart_s
                variance += job.apart_s * job.apart_s
                tokens = max(tokens, job.tokens)
                clear_s = SURE * SPREAD * math.sqrt(variance)
                if now_s + apart_s + tokens * tokens_s + clear_s > job.dry_s:
                    return True
        return False

    def _others_s(self, silent: int, heard: int) -> float:
        """What a request with audio should not count on: its work may take longer than usual, a
        turn that has begun is not broken off, and the busier the engine, the longer the queue of
        those who are due as well (that of a single server with random arrivals)."""
        if self._sounds_s == 0:
            return 0.0
        # Whoever comes at any time meets long turns more often than short ones.
        others, met_s = heard - 1, self._sounds_s2 / self._sounds_s
        late_s = (self.costs.late(Kind.SOUND) - 1) * met_s
        prefills_s = self._first.prefills_s if silent else 0.0
        if others <= 0:
            return late_s + prefills_s
        load = min(self.second_s(others)[0], BUSIEST)
        return late_s + max(met_s, prefills_s) + load / (1 - load) * self._next.sounds_s

    def _tokens_s(self, requests: int) -> float:
        """How long it takes to draw one token for each of so many requests."""
        batches = -(-requests // self._most)
        return batches * self.costs.token_s(min(requests, self._most))

    def _turn_s(self, jobs: Sequence[Job]) -> float:
        works = [job.work for job in jobs if job.work is not None]
        if not works:
            usual = self._first if jobs[0].dry_s is None else self._next
            return usual.work.plain_s
        size = sum(work.size for work in works) / len(works)
        return self.costs.predict(works[0].kind, size, len(works))

    def _batch(self, awake: Sequence[Job], resting: list[Job]) -> list[Job]:
        """The first of these requests and those whose works may run with its work."""
        chosen, head = [awake[0]], awake[0].work
        if head is None:
            return chosen
        for jobs, share in ((awake[1:], JOIN), (resting, JOIN_RESTING)):
            mates = [job for job in jobs if _may_join(job.work, head)]
            room = min(len(mates), self._most - len(chosen))
            if room and jobs is resting:
                mates.sort(key=_dry_s)
            chosen += mates[: self._joining(head, len(chosen), room, share)]
        return chosen

    def _joining(self, head: Work, batch: int, mates: int, share: float) -> int:
        """How many of so many mates make a batch of `batch` better, not just larger."""
        if not mates:
            return 0
        alone_s = self.costs.predict(head.kind, head.size)
        batch_s = self.costs.predict(head.kind, head.size, batch)
        for joining in range(mates, 0, -1):
            more_s = self.costs.predict(head.kind, head.size, batch + joining) - batch_s
            if more_s <= joining * share * alone_s:
                return joining
        return 0


def _may_join(work: Work | None, head: Work) -> bool:
    return work is not None and work.together is head.together and work.kind is head.kind


def _dry_s(job: Job) -> float:
    return job.dry_s or 0.0
