"""When an engine that fails is left alone, and when it may try again.

In: how its requests ended, and the time.  Out: how long it rests yet.  Closed, requests pass; after
`failures` failures in a row it is open, and none does; when the rest is over one request may try,
and its first audio closes it again.  Pure: no clock, no engine; its owner calls it from one thread.
"""

from collections.abc import Callable
from typing import Self

from tts.config import BreakerConfig
from tts.errors import CannotSpeak, EngineFailed
from tts.types import SpeechChunk

LONGEST_REST_S = 60.0
"""Rests do not grow beyond this, or beyond `rest_s` where that is longer."""

TRIAL_S = 1.0
"""How soon to ask again while another request tries."""


class Breaker:
    """The breaker of one engine.

    Whoever gives the engine a request calls `begin`, hands what it said to the other methods, and
    calls exactly one of `worked`, `failed` and `undecided` in the end.
    """

    def __init__(self, config: BreakerConfig) -> None:
        self._config = config
        self._failures = 0
        """Requests in a row that failed."""
        self._rest_s = config.rest_s
        """How long the next rest is."""
        self._open_until_s: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the engine rests, or is being tried after a rest."""
        return self._open_until_s is not None

    def check(self, now_s: float) -> float:
        """Seconds until the engine may be asked; 0: now."""
        if self._open_until_s is None:
            return 0.0
        if self._trying:
            return TRIAL_S
        return max(self._open_until_s - now_s, 0.0)

    def begin(self) -> bool:
        """A request is given to the engine, for which `check` said 0.  Whether it is the trial."""
        self._trying = self.is_open
        return self._trying

    def sounded(self, trial: bool) -> None:
        """The request gave its first audio: after a rest, others may follow.  Until one has ended
        well, a single failure is enough for the next rest, and that is longer."""
        if trial and self._trying:
            self._failures = self._config.failures - 1
            self._open_until_s, self._trying = None, False

    def worked(self) -> None:
        """The request ended well: the engine is as good as new."""
        self._failures, self._rest_s = 0, self._config.rest_s
        self._open_until_s, self._trying = None, False

    def failed(self, trial: bool, now_s: float) -> None:
        """The request ended with a failure of the engine."""
        if self.is_open and not (trial and self._trying):
            return  # It began before the rest.
        self._failures += 1
        if self.is_open or self._failures >= self._config.failures:
            self._open_until_s, self._trying = now_s + self._rest_s, False
            self._rest_s = max(min(2 * self._rest_s, LONGEST_REST_S), self._config.rest_s)

    def undecided(self, trial: bool) -> None:
        """The request was given up, or could not be spoken: of the engine that says nothing."""
        if trial and self.is_open:
            self._trying = False


class Attempt:
    """A context in which an engine is given a request; how it is left is told to the breaker."""

    def __init__(self, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._breaker = breaker
        self._clock = clock
        self._trial = False
        self._sounded = False
        self._ended_well = False

    def gave(self, chunk: SpeechChunk) -> None:
        """Audio came.  Whoever has the final chunk need not come for what follows it."""
        if not self._sounded:
            self._sounded = True
            self._breaker.sounded(self._trial)
        self._ended_well = chunk.is_final

    def __enter__(self) -> Self:
        self._trial = self._breaker.begin()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or self._ended_well:
            self._breaker.worked()
        elif isinstance(error, EngineFailed) and not isinstance(error, CannotSpeak):
            self._breaker.failed(self._trial, self._clock())
        else:
            self._breaker.undecided(self._trial)
