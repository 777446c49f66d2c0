"""What the operator can see of the synthesis service, in Prometheus' words.

In: narrow calls from the service and its doors, on the event loop's thread; what engines and gates
know is read when somebody asks.  Out: the exposition text.  No label holds a text, a voice or a
caller: the number of series is bounded by doors, engines and codes.
"""

from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CacheResult = Literal["memory", "disk", "miss"]


class Metrics:
    """All metrics of one service."""

    def refused(self, door: str, code: str) -> None:
        """A door answered with an error of ours, its own or the service's."""
        raise NotImplementedError

    def cache_asked(self, result: CacheResult) -> None:
        """Audio was looked for in the cache: where it was found, or that it was not."""
        raise NotImplementedError

    def job_ended(self, code: str) -> None:
        """A job is over: "ok", "cancelled", or the code of its error."""
        raise NotImplementedError

    def render(self) -> str:
        """The exposition text."""
        raise NotImplementedError
