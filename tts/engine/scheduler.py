"""Which requests of an engine run next.

In: what became of each request (it arrived, waits for work, gave audio), what its work took, and
the time, which is always an argument.  Out: the requests whose turn it is.  Pure: no clock, no
thread, no torch; its owner calls it from one thread at a time.

Who comes first:

1. requests whose playback would run dry if another turn came before theirs, by slack: the time
   until their audio runs dry, less what getting to their next audio will cost;
2. requests without audio, in order of arrival;
3. the others, by slack.

A request with more than `rest_s` of slack rests.  Work that may run as one with the chosen work
joins it where a larger batch costs little more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tts.engine.costs import Costs, Tally
from tts.engine.types import Kind, Work

LEARNING = 0.1
"""Weight of the newest observation in what is typical of an engine's requests."""

SAFETY = 1.25
"""Work is taken to last so many times its prediction where running dry is at stake."""

JOIN, JOIN_RESTING = 0.5, 0.1
"""Another work joins a batch if it adds at most this share of what it would cost alone; one whose
request rests could as well be dropped by a cancel, and has to be all but free."""


@dataclass(slots=True, eq=False)
class Job:
    """One request as the scheduler sees it.  Times are seconds of its owner's clock."""

    arrived_s: float
    played: bool = True
    """Whether its audio is heard while it is made; nothing runs dry where it is not."""
    work: Work | None = None
    """What it waits for; None: for a step that its engine takes by itself."""
    works: bool = False
    """Whether its engine gives works.  One that does not never rests: nobody knows how long its
    next step will take."""
    waits: bool = False
    """Whether it has nothing to do until a future is done."""
    full: bool = False
    """Whether it has more unread audio than it may have."""
    dry_s: float | None = None
    """When its playback runs dry; None before its first audio."""
    audio_s: float = 0.0
    """Length of its audio so far."""
    done: Tally = field(default_factory=Tally)
    """What was done since it last gave audio."""
    total: Tally = field(default_factory=Tally)
    """What was done for it in all."""
    predicted_s: float | None = None
    """When its first audio was predicted, counted from its arrival; None: nobody asked."""
    waited_s: float = 0.0
    """How long it waited for futures."""


class Typical:
    """How much work an engine's requests take, learnt from those it served."""

    def __init__(self) -> None:
        self.first = Tally()
        """Up to the first audio."""
        self.next = Tally()
        """From one piece of audio to the next."""
        self.second = Tally()
        """For a second of audio, all in all."""
        self._seen: set[str] = set()
        self._total, self._total_s = Tally(), 0.0

    @property
    def known(self) -> bool:
        """Whether any request that had work for the scheduler has given audio."""
        return self.first.prefills + self.first.tokens + self.first.sounds > 0

    def learn_first(self, work: Tally) -> None:
        """A request came to its first audio with so much work."""
        self.first = self._learnt("first", self.first, work)

    def learn_next(self, work: Tally) -> None:
        """A request came to its next audio with so much work."""
        self.next = self._learnt("next", self.next, work)

    def learn_whole(self, work: Tally, audio_s: float) -> None:
        """A request took so much work and gave so much audio."""
        self._total = self._total.times(1 - LEARNING).plus(work)
        self._total_s = (1 - LEARNING) * self._total_s + audio_s
        if self._total_s > 0:
            self.second = self._total.times(1 / self._total_s)

    def _learnt(self, name: str, before: Tally, work: Tally) -> Tally:
        # The first counts in full.
        share = LEARNING if name in self._seen else 1.0
        self._seen.add(name)
        return before.times(1 - share).plus(work, share)


class Scheduler:
    """The requests of one engine and whose turn it is."""

    def __init__(self, *, rest_s: float, most_together: int) -> None:
        """`most_together`: works in one batch at most."""
        self.costs = Costs()
        self.typical = Typical()
        self.jobs: list[Job] = []
        """In order of arrival."""
        self.turn_ends_s = 0.0
        """When the turn under way is predicted to end; in the past when there is none."""
        self._rest_s = rest_s
        self._most = most_together
        # Whether a request that has audio is due a step, after one without audio gave way.
        self._due = False

    def add(self, job: Job) -> None:
        """A request has arrived."""
        self.jobs.append(job)

    def remove(self, job: Job) -> None:
        """A request has ended or was dropped."""
        self.jobs.remove(job)
        self.typical.learn_whole(job.total, job.audio_s)

    def choose(self, now_s: float) -> list[Job]:
        """The requests whose turn it is, to run as one; none while all of them wait or rest."""
        able = [job for job in self.jobs if not (job.waits or job.full)]
        silent = [job for job in able if job.dry_s is None]
        heard = sorted(
            (self._slack_s(job, now_s), i) for i, job in enumerate(able) if job.dry_s is not None
        )
        rested = [able[i] for slack, i in heard if slack > self._rest_s and _may_rest(able[i])]
        awake = [able[i] for slack, i in heard if slack <= self._rest_s or not _may_rest(able[i])]
        if not silent and not awake:
            return []
        first = [*silent, *awake]
        if silent and awake and (self._due or not self._can_wait(awake, silent[0], now_s)):
            first = [*awake, *silent]
        chosen = self._batch(first, rested)
        self._due = False
        self.turn_ends_s = now_s + self._turn_s(chosen)
        return chosen

    def wake_s(self, now_s: float) -> float | None:
        """When the next resting request wakes; None when none rests."""
        slacks = [
            self._slack_s(job, now_s)
            for job in self.jobs
            if job.dry_s is not None and _may_rest(job) and not (job.waits or job.full)
        ]
        return now_s + max(min(slacks) - self._rest_s, 0.0) if slacks else None

    def ran(self, jobs: Sequence[Job], seconds: float) -> None:
        """The works of these requests ran as one."""
        works = [job.work for job in jobs if job.work is not None]
        kind = works[0].kind
        self.costs.observe(kind, sum(one.size for one in works) / len(works), len(works), seconds)
        for job, work in zip(jobs, works, strict=True):
            job.done.add(kind, work.size)
            job.total.add(kind, work.size)
            job.work = None

    def stepped(self, job: Job, seconds: float) -> None:
        """A request's engine took a step of its own."""
        job.done.plain_s += seconds
        job.total.plain_s += seconds

    def gave_way(self, job: Job) -> None:
        """A request left its turn to others."""
        self._due = job.dry_s is None

    def gave_audio(self, job: Job, audio_s: float, now_s: float) -> None:
        """A request gave a piece of audio.  Playing starts anew with one that comes too late."""
        if job.dry_s is None:
            self.typical.learn_first(job.done)
            job.dry_s = now_s
        else:
            self.typical.learn_next(job.done)
        job.done = Tally()
        job.dry_s = max(job.dry_s, now_s) + audio_s
        job.audio_s += audio_s

    def to_audio(self, job: Job) -> Tally:
        """The work that a request still takes to its next audio, as far as can be told."""
        typical = self.typical.first if job.dry_s is None else self.typical.next
        left = typical.minus(job.done)
        work = job.work
        if work is None:
            return left
        if work.kind is Kind.SOUND:
            return Tally(sounds=1, frames=work.size)
        if work.kind is Kind.PREFILL:
            left.prefills, left.places = 1, work.size
        left.tokens = max(left.tokens, 1)
        return left

    def to_audio_s(self, job: Job) -> float:
        """How long that work takes while nothing else runs."""
        work = self.to_audio(job)
        return self.costs.apart_s(work) + work.tokens * self.costs.token_s(1)

    def together_s(self, jobs: Iterable[Job], before_s: float = 0.0) -> list[float]:
        """When each of these requests comes to audio, one after the other but for their tokens,
        which they draw together."""
        ends: list[float] = []
        apart_s, tokens = before_s, 0.0
        for count, job in enumerate(jobs, 1):
            work = self.to_audio(job)
            apart_s += self.costs.apart_s(work)
            tokens = max(tokens, work.tokens)
            ends.append(apart_s + tokens * self.tokens_s(count))
        return ends

    def tokens_s(self, requests: int) -> float:
        """How long it takes to draw one token for each of so many requests."""
        batches = -(-requests // self._most)
        return batches * self.costs.token_s(min(requests, self._most))

    def _slack_s(self, job: Job, now_s: float) -> float:
        assert job.dry_s is not None
        return job.dry_s - now_s - self.to_audio_s(job)

    def _can_wait(self, awake: Sequence[Job], first: Job, now_s: float) -> bool:
        """Whether no playback runs dry if `first` has its turn before those that have audio."""
        turn_s = self._turn_s([first])
        played = [job for job in awake if job.played]
        ends = self.together_s(played)
        return all(
            now_s + SAFETY * (turn_s + end) <= (job.dry_s or 0.0)
            for job, end in zip(played, ends, strict=True)
        )

    def _turn_s(self, jobs: Sequence[Job]) -> float:
        works = [job.work for job in jobs if job.work is not None]
        if not works:
            return self.costs.apart_s(self.to_audio(jobs[0]))
        size = sum(work.size for work in works) / len(works)
        return self.costs.predict(works[0].kind, size, len(works))

    def _batch(self, awake: Sequence[Job], resting: Sequence[Job]) -> list[Job]:
        """The first of these requests and those whose works may run with its work."""
        chosen, head = [awake[0]], awake[0].work
        if head is None:
            return chosen
        alone_s = self.costs.predict(head.kind, head.size)
        for jobs, share in ((awake[1:], JOIN), (resting, JOIN_RESTING)):
            mates = [job for job in jobs if _may_join(job.work, head)]
            room = self._most - len(chosen)
            chosen += mates[
                : self._joining(head, alone_s, len(chosen), min(len(mates), room), share)
            ]
        return chosen

    def _joining(self, head: Work, alone_s: float, batch: int, mates: int, share: float) -> int:
        """How many of so many mates make a batch of `batch` better, not just larger."""
        now_s = self.costs.predict(head.kind, head.size, batch)
        for joining in range(mates, 0, -1):
            more_s = self.costs.predict(head.kind, head.size, batch + joining) - now_s
            if more_s <= joining * share * alone_s:
                return joining
        return 0


def _may_rest(job: Job) -> bool:
    return job.played and job.works


def _may_join(work: Work | None, head: Work) -> bool:
    return work is not None and work.together is head.together and work.kind is head.kind
