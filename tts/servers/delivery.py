"""Handing audio to a reader, and giving up one that takes none.

In: the write of one message to a transport.  Out: nothing, or `SlowReader`.  Every door writes
audio through it.  On the event loop's thread.

A write ends when the transport has room again.  While it does not, nobody takes chunks from the
service, whose engine then rests on the stream; so what a reader that takes nothing costs is

    (limits.ahead_s + 2 pieces) * rate * 4 bytes    of audio that waits or is being cut,
  + chunks.next_ms * rate * 2 bytes                 of the chunk that is being written, encoded,
  + the transport's buffers                         (aiohttp: 64 KiB; gRPC: a window of 64 KiB;
                                                    each with the kernel's for sending),

for `limits.reader_idle_s` at most.  A piece is what an engine gives at once: a clause of a light
voice, a few hundred milliseconds of a cloned one.
"""

import asyncio
from collections.abc import Awaitable

from tts.errors import SlowReader


async def deliver(write: Awaitable[object], within_s: float) -> None:
    """Await one write.  Raises `SlowReader` when it takes longer than `within_s`, and what the
    write raises; either way, and when cancelled, the write is over."""
    try:
        async with asyncio.timeout(within_s) as time:
            await write
    except TimeoutError as error:
        if not time.expired():
            raise
        raise SlowReader(f"no audio was taken for {within_s:g} s, which is the limit") from error
