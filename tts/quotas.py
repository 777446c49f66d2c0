"""How much each caller may ask for: requests a minute, and streams at once.

In: callers with their limits, and the time.  Out: a place for a request, or `RateLimited`.  Pure
but for the clock it is given; belongs to the event loop's thread.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tts.context import Caller
from tts.errors import RateLimited

MINUTE_S = 60.0

STREAM_RETRY_S = 1.0
"""When to try again for a stream: the caller knows best when one of its own ends."""

_ROUNDING_S = 1e-6


@dataclass(slots=True)
class _Use:
    """What a caller has used."""

    paid_s: float
    """Each request costs the part of a minute that is its share, and this is when all of them will
    have been paid for by waiting: a token bucket with one number in it."""
    seen_s: float
    """When it was last looked at."""
    streams: int = 0


class Quotas:
    """The callers that have used some of what they may.

    One that has not asked for a minute has all of it again, and is forgotten: memory is bounded by
    the callers of the last minute.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # In the order in which they were seen.
        self._uses: OrderedDict[str, _Use] = OrderedDict()

    def __len__(self) -> int:
        """Callers that are remembered."""
        return len(self._uses)

    @contextmanager
    def stream(self, caller: Caller) -> Iterator[None]:
        """Hold one stream of a caller's.

        Raises `RateLimited`, which uses up nothing.  Whoever is let in has used one of its requests
        of a minute, whatever becomes of it.
        """
        if caller.requests_per_minute is None and caller.max_streams is None:
            yield
            return
        use = self._enter(caller)
        try:
            yield
        finally:
            use.streams -= 1
            self._see(caller.name, use, self._clock())

    def count(self, caller: Caller) -> None:
        """Count a request that is spoken later, for nobody who waits.  Raises `RateLimited`."""
        if caller.requests_per_minute is not None:
            self._enter(replace(caller, max_streams=None)).streams -= 1

    def _enter(self, caller: Caller) -> _Use:
        now_s = self._clock()
        self._forget(now_s)
        use = self._uses.get(caller.name) or _Use(paid_s=now_s, seen_s=now_s)
        if caller.max_streams is not None and use.streams >= caller.max_streams:
            raise RateLimited(
                f"{use.streams} streams of this key are running, and it may have "
                f"{caller.max_streams} at once",
                retry_after_s=STREAM_RETRY_S,
            )
        if caller.requests_per_minute is not None:
            paid_s = max(use.paid_s, now_s) + MINUTE_S / caller.requests_per_minute
            early_s = paid_s - now_s - MINUTE_S
            if early_s > _ROUNDING_S:
                raise RateLimited(
                    f"this key may ask {caller.requests_per_minute} times a minute; the next "
                    f"request is possible in {early_s:.1f} s",
                    retry_after_s=early_s,
                )
            use.paid_s = paid_s
        use.streams += 1
        self._see(caller.name, use, now_s)
        return use

    def _see(self, name: str, use: _Use, now_s: float) -> None:
        use.seen_s = now_s
        self._uses[name] = use
        self._uses.move_to_end(name)

    def _forget(self, now_s: float) -> None:
        """Look at two that were not seen for longest: more go than come."""
        for _ in range(2):
            name = next(iter(self._uses), None)
            if name is None or now_s - self._uses[name].seen_s < MINUTE_S:
                return
            if self._uses[name].streams:
                self._see(name, self._uses[name], now_s)
            else:
                del self._uses[name]
