"""When work on a job is tried again, and when it is given up.

In: an error, and the time.  Out: how long to wait, or nothing.  Pure: no clock; one object for each
piece of work.
"""

from tts.errors import EngineFailed, Overloaded, TtsError, Unavailable

FIRST_S, LONGEST_S = 1.0, 30.0
"""The first wait, and the longest; each is twice the one before."""
GIVE_UP_S = 24 * 3600.0
"""What is only busy or away is waited for so long."""
ENGINE_ATTEMPTS = 3
"""An engine that fails is asked so often in all."""


class Patience:
    """How often one piece of work has failed, and since when."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        self._failures = 0
        self._engine_failures = 0

    def wait_s(self, error: TtsError, now_s: float) -> float | None:
        """How long to wait before the next attempt; None: there is none."""
        if self._since_s is None:
            self._since_s = now_s
        wait_s = min(FIRST_S * 2.0 ** min(self._failures, 10), LONGEST_S)
        self._failures += 1
        if isinstance(error, Overloaded | Unavailable):
            if now_s - self._since_s >= GIVE_UP_S:
                return None
            return max(wait_s, error.retry_after_s or 0.0)
        if isinstance(error, EngineFailed):
            self._engine_failures += 1
            return wait_s if self._engine_failures < ENGINE_ATTEMPTS else None
        return None
