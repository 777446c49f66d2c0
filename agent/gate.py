"""The gate between a reply and the world: closed while the reply is only a draft.

In: what the reply would do, as it is ready to do it: push a frame, tell the client something.
Out: the same, at once while the gate is open; once it opens, and in order, while it is closed.
Knows nothing of turns or speech.  Runs on the event loop's thread.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Act = Callable[[], Awaitable[None]]


class Gate:
    """Opens once and stays open."""

    def __init__(self, *, is_open: bool = True) -> None:
        # Bounded by who fills it: the voice waits when `transports.base.PlaybackClock` has no
        # room (3 s of audio), and the model when it is too far ahead of the voice.
        self._waiting: deque[Act] = deque()
        self._opened = asyncio.Event()
        if is_open:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        """Whether acts are carried out at once."""
        return self._opened.is_set()

    async def do(self, act: Act) -> None:
        """Carry out `act` now, or when the gate has opened and what waited before it is done."""
        if self.is_open:
            await act()
        else:
            self._waiting.append(act)

    async def open(self) -> None:
        """Carry out what waits, in order, and let everything else through.  Idempotent.

        Cancelling leaves the gate closed, and what was not carried out is not lost.
        """
        while self._waiting:
            await self._waiting[0]()
            self._waiting.popleft()
        self._opened.set()

    async def passed(self) -> None:
        """Return once the gate is open.  Cancelling loses nothing."""
        await self._opened.wait()
