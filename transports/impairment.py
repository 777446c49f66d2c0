"""A bad network, made to order: loses and delays RTP packets on their way out.

In: packets to be sent.  Out: the same packets, some of them later, some never.  For tests and
benches; called from the event loop's thread.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Impairment:
    """Each packet is lost with probability `loss`, else delayed by up to `jitter_ms`.

    Delays are uniform and independent, so that packets overtake each other as soon as
    `jitter_ms` exceeds the 20 ms between them.  The same seed gives the same fate to the n-th
    packet.
    """

    loss: float
    jitter_ms: float
    seed: int

    def fates(self) -> Iterator[float | None]:
        """Give each packet's delay in seconds in turn, None for a lost one; never ends."""
        chance = random.Random(self.seed)
        while True:
            lost = chance.random() < self.loss
            delay_s = chance.uniform(0.0, self.jitter_ms) / 1000
            yield None if lost else delay_s


class ImpairedPath:
    """One direction of one call under an `Impairment`."""

    def __init__(self, impairment: Impairment) -> None:
        self.sent = 0
        self.lost = 0
        self._fates = impairment.fates()
        self._tasks: set[asyncio.Task[None]] = set()

    async def relay(self, packet: bytes, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send, delay or lose a packet; returns at once."""
        delay_s = next(self._fates)
        if delay_s is None:
            self.lost += 1
            return
        self.sent += 1
        task = asyncio.create_task(_send_later(packet, send, delay_s), name="impaired-packet")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is still on its way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _send_later(
    packet: bytes, send: Callable[[bytes], Awaitable[None]], delay_s: float
) -> None:
    await asyncio.sleep(delay_s)
    try:
        await send(packet)
    except ConnectionError:
        return  # The call ended while the packet was on its way.
