"""What a worker may spend on answers that nobody may ever hear: shared by its calls.

In: drafts that begin, end well or are thrown away, calls, refusals of the speech service.  Out:
whether a draft may begin now, and if not, why.  It recovers by itself: everything it holds
against drafts grows old.  Pure but for the length of the recogniser's queue, which it asks for;
time is an argument, in seconds of any one clock.  Event loop's thread.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

from agent.config import SpeculationConfig

Refusal = Literal["", "wasted", "calls", "stt queue", "overloaded"]
"""Why no draft may begin; "" when one may."""

WINDOW_S = 60.0
"""The wasted share is that of the drafts that ended within this time."""
LEAST_DRAFTS = 6
"""Of fewer drafts no share is taken: one that is thrown away says little."""
CALM_S = 10.0
"""For this long after a refusal the speech service has no time to waste."""


class Budget:
    """The budget of one worker."""

    def __init__(
        self, config: SpeculationConfig, *, stt_waiting: Callable[[], int] = lambda: 0
    ) -> None:
        """`stt_waiting` tells how many transcriptions wait for the recogniser."""
        self._config = config
        self._stt_waiting = stt_waiting
        self._calls = 0
        # At most one draft a call ends in 100 ms; what left the window goes at every look.
        self._ended: deque[tuple[float, bool]] = deque()
        self._overloaded_s: float | None = None

    def call_began(self) -> None:
        """One more call is held."""
        self._calls += 1

    def call_ended(self) -> None:
        """One that began is over."""
        self._calls -= 1

    def draft_ended(self, now_s: float, *, wasted: bool) -> None:
        """A draft became an answer, or was thrown away."""
        self._forget(now_s)
        self._ended.append((now_s, wasted))

    def overloaded(self, now_s: float) -> None:
        """The speech service refused a request for want of room."""
        self._overloaded_s = now_s

    def wasted_share(self, now_s: float) -> float:
        """Share of the drafts of the last minute that were thrown away; 0 of too few."""
        self._forget(now_s)
        if len(self._ended) < LEAST_DRAFTS:
            return 0.0
        return sum(wasted for _, wasted in self._ended) / len(self._ended)

    def refusal(self, now_s: float) -> Refusal:
        """Say why no draft may begin at `now_s`; "" when one may."""
        if self._calls > self._config.max_calls:
            return "calls"
        if self._stt_waiting():
            return "stt queue"
        if self._overloaded_s is not None and now_s - self._overloaded_s < CALM_S:
            return "overloaded"
        if self.wasted_share(now_s) > self._config.max_wasted_share:
            return "wasted"
        return ""

    def _forget(self, now_s: float) -> None:
        while self._ended and now_s - self._ended[0][0] > WINDOW_S:
            self._ended.popleft()
