"""The time that a caller gives a request, and what becomes of work beyond it.

In: seconds from when the service was asked.  Out: `DeadlineExceeded`.  On the event loop's thread,
by the loop's clock.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from tts.errors import BadRequest, DeadlineExceeded
from tts.types import SpeechChunk


class Deadline:
    """When a caller has no more use for an answer; its time runs from when this is made."""

    def __init__(self, timeout_s: float | None) -> None:
        """None or infinity: never.  Raises `BadRequest` for what is no time."""
        if timeout_s is not None and not timeout_s > 0:
            raise BadRequest(f"timeout_s = {timeout_s!r}: allowed is what is more than 0")
        self._timeout_s = timeout_s
        self._at_s: float | None = None
        if timeout_s is not None and not math.isinf(timeout_s):
            self._at_s = asyncio.get_running_loop().time() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left; below 0 afterwards."""
        if self._at_s is None:
            return math.inf
        return self._at_s - asyncio.get_running_loop().time()

    def check(self, needed_s: float = 0.0) -> None:
        """Raise `DeadlineExceeded` when less than `needed_s` is left."""
        if self.left_s <= 0:
            raise self._passed()
        if self.left_s < needed_s:
            raise DeadlineExceeded(
                f"the first audio would take about {needed_s * 1000:.0f} ms, and of the request's "
                f"{self._timeout_s:g} s {self.left_s * 1000:.0f} ms are left"
            )

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Cancel what is awaited in here at the deadline.  Raises `DeadlineExceeded`.

        Nothing in here may yield to a caller, whose own waiting would be cancelled.
        """
        self.check()
        try:
            async with asyncio.timeout_at(self._at_s) as time:
                yield
        except TimeoutError as error:
            if not time.expired():
                raise
            raise self._passed() from error

    async def cut(self, chunks: AsyncGenerator[SpeechChunk]) -> AsyncGenerator[SpeechChunk]:
        """The chunks up to the deadline; what is beyond it is dropped, and `chunks` closed.

        Raises `DeadlineExceeded`, to a reader that is late as soon as it asks for more.
        """
        async with aclosing(chunks):
            while True:
                async with self.kept():
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk

    def _passed(self) -> DeadlineExceeded:
        return DeadlineExceeded(f"{self._timeout_s:g} s have passed, the request's deadline")
