"""The messages of a caller who writes a text while it is spoken, told apart.

In: the messages of one `SynthesizeText` call.  Out: the request it begins with, the pieces of its
text, and word of a cancel, which may come at any time, also after the text has ended.  Knows no
server: messages come from any iterator.  On the event loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.errors import BadRequest, TextStalled
from tts.servers.messages import request_from_wire
from tts.servers.proto import tts_pb2
from tts.types import SpeechChunk, SynthesisRequest

MAX_WAITING = 64
"""Pieces that wait for the service, which takes them at once except before it begins; beyond them
a caller waits in gRPC's window."""

_CANCEL_COMES_WITHIN_S = 1.0

Messages = AsyncIterator[tts_pb2.TextMessage]


async def opening(messages: Messages, *, within_s: float) -> SynthesisRequest:
    """The request that a text begins with.  Raises `BadRequest` or `TextStalled` without one."""
    try:
        async with asyncio.timeout(within_s):
            first = await anext(messages, None)
    except TimeoutError as error:
        raise TextStalled(f"no message for {within_s} s, which is the limit") from error
    if first is None or first.WhichOneof("message") != "request":
        raise BadRequest("the first message must be a `request`: voice, language and the like")
    return request_from_wire(first.request)


class IncomingText:
    """What follows the opening."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()
        """Set once the caller has cancelled."""
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue(MAX_WAITING)

    async def pieces(self) -> AsyncGenerator[str]:
        """The text.  Raises `BadRequest` for messages out of order, and without an end."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def read(self, messages: Messages) -> None:
        """Take messages until the caller cancels or says no more."""
        try:
            await self._read_text(messages)
        except Exception as error:
            await self._pieces.put(error)
            return
        # Nothing but a cancel means anything after the end.
        while not self.cancelled.is_set() and (message := await anext(messages, None)) is not None:
            self._note(message)

    async def _read_text(self, messages: Messages) -> None:
        """Up to the end of the text, or a cancel."""
        async for message in messages:
            kind = self._note(message)
            if kind == "cancel":
                return
            if kind == "end":
                await self._pieces.put(None)
                return
            if kind != "text":
                raise BadRequest("after the first message, each must be `text`, `end` or `cancel`")
            await self._pieces.put(message.text)
        # The messages of a cancelled call end a moment before its handler is cancelled.
        await asyncio.sleep(_CANCEL_COMES_WITHIN_S)
        raise BadRequest("the text was not ended: the last message must be the `end`")

    def _note(self, message: tts_pb2.TextMessage) -> str | None:
        kind: str | None = message.WhichOneof("message")
        if kind == "cancel":
            self.cancelled.set()
        return kind


@asynccontextmanager
async def listening(messages: Messages) -> AsyncIterator[IncomingText]:
    """Messages are taken as they come, for as long as the block runs."""
    incoming = IncomingText()
    reading = asyncio.create_task(incoming.read(messages), name="tts-grpc-text")
    try:
        yield incoming
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def cancelled_after(last: SpeechChunk | None) -> SpeechChunk:
    """What a caller who cancelled hears last; `last` is the audio before it, if there was any."""
    if last is None:
        return SpeechChunk(b"", 0, 0, (), True, is_cancelled=True)
    return replace(
        last,
        pcm=b"",
        first_sample=last.first_sample + len(last.pcm) // BYTES_PER_SAMPLE,
        marks=(),
        is_final=True,
        is_cancelled=True,
    )
