"""When a child process that died is started again: a pure policy on a clock that is passed in.

In: the times at which a child started and died.  Out: the delay before its next start.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """How delays grow."""

    first_s: float = 0.1
    """Delay after a first death: callers are waiting."""
    factor: float = 3.0
    max_s: float = 20.0
    well_s: float = 30.0
    """A child that lived this long is taken for well; its next death is a first one again."""


class RestartPolicy:
    """The memory of one child's deaths."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._started_s = 0.0
        self._deaths = 0

    def started(self, now_s: float) -> None:
        """The child was started."""
        self._started_s = now_s

    def died(self, now_s: float) -> float:
        """The child is gone; return the seconds to wait before starting it again."""
        backoff = self._backoff
        if now_s - self._started_s >= backoff.well_s:
            self._deaths = 0
        delay_s = min(backoff.max_s, backoff.first_s * backoff.factor**self._deaths)
        self._deaths += 1
        return delay_s
