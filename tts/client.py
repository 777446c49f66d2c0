"""The TTS service as its callers see it: requests in, chunks out, errors of `tts.errors`.

Speaks gRPC to an address and survives the server's death: a call that is under way fails with
`Unavailable`, and later ones reach the server once it is back.  All methods are called from one
event loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tts.errors import TtsError, Unavailable
from tts.servers.messages import (
    chunk_from_wire,
    request_to_wire,
    text_to_wire,
    voice_from_wire,
)
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.status import from_status
from tts.types import SpeechChunk, SynthesisRequest, Voice

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A whole text's audio comes in one message.
    ("grpc.max_receive_message_length", -1),
    # Without its own pool, a second client of the same address would share this one's backoff.
    ("grpc.use_local_subchannel_pool", 1),
)


class TtsClient:
    """A lazily connected client; one serves any number of streams at once."""

    def __init__(
        self,
        address: str,
        *,
        first_chunk_timeout_s: float = 10.0,
        next_chunk_timeout_s: float = 10.0,
        call_timeout_s: float = 5.0,
    ) -> None:
        """`address` is "unix:/path" or "host:port".

        The first two bound the wait for a stream's audio, `call_timeout_s` that for a short
        answer such as the voice list.
        """
        self._address = address
        self._first_chunk_timeout_s = first_chunk_timeout_s
        self._next_chunk_timeout_s = next_chunk_timeout_s
        self._call_timeout_s = call_timeout_s
        self._channel: grpc.aio.Channel | None = None

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        """Stream a request's audio.  Closing the iterator cancels the work at the server.

        Raises the service's errors; `Unavailable` when it cannot be reached, dies, or sends no
        audio in time.
        """
        call = self._stub().StreamSynthesize(request_to_wire(request))
        async with aclosing(self._chunks(call)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk]:
        """Stream the audio of a text while it is being written: the request's own, then `texts`,
        cut anywhere.

        Marks index all of it.  Closing the iterator cancels the work at the server and closes
        `texts`.  Raises like `stream`, and what `texts` raises; the wait for audio is bounded from
        the end of the text on, that for text by the server.
        """
        opening = tts_pb2.TextMessage(request=request_to_wire(request))
        call = self._stub().SynthesizeText()
        writing = asyncio.create_task(_write(call, opening, texts), name="tts-client-text")
        async with aclosing(self._chunks(call, writing)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk:
        """A request's whole audio as one chunk.  Raises like `stream`."""
        call = self._stub().Synthesize(request_to_wire(request))
        return chunk_from_wire(await self._in_time(call, self._first_chunk_timeout_s))

    async def voices(self) -> tuple[Voice, ...]:
        """The voices the service can speak in now.  Raises `Unavailable`."""
        call = self._stub().ListVoices(tts_pb2.ListVoicesRequest())
        message = await self._in_time(call, self._call_timeout_s)
        return tuple(voice_from_wire(voice) for voice in message.voices)

    async def ready(self) -> bool:
        """Whether the service is there and healthy.  Never raises for a service that is not."""
        stub = health_pb2_grpc.HealthStub(self._connected())
        try:
            answer = await self._in_time(
                stub.Check(health_pb2.HealthCheckRequest()), self._call_timeout_s
            )
        except TtsError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        """End all calls and the connection.  Idempotent."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    def _connected(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._address, options=_OPTIONS)
        return self._channel

    def _stub(self) -> Any:
        return tts_pb2_grpc.TextToSpeechStub(self._connected())

    async def _chunks(
        self, call: Any, writing: asyncio.Task[None] | None = None
    ) -> AsyncGenerator[SpeechChunk]:
        """What a call answers, while its text is being written.  In the end both are over."""
        timeout_s = self._first_chunk_timeout_s
        try:
            while True:
                message = await self._read(call, timeout_s, writing)
                if message is grpc.aio.EOF:
                    # The stream's status decides whether this was its end.
                    await self._in_time(_ended(call), self._call_timeout_s)
                    return
                yield chunk_from_wire(message)
                timeout_s = self._next_chunk_timeout_s
        finally:
            call.cancel()
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    async def _read(self, call: Any, timeout_s: float, writing: asyncio.Task[None] | None) -> Any:
        """The next message; its time begins when the text has been written."""
        reading = asyncio.ensure_future(call.read())
        try:
            if writing is not None:
                await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
            return await self._in_time(reading, timeout_s)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _in_time(self, answer: Any, timeout_s: float) -> Any:
        """Await a call's answer; its failure as an error of ours.  Cancelling cancels the call."""
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise Unavailable(f"{self._address} gave no answer in {timeout_s} s") from error
        except grpc.aio.AioRpcError as error:
            raise from_status(
                error.code(), error.details() or "", error.trailing_metadata()
            ) from error


async def _write(call: Any, opening: tts_pb2.TextMessage, texts: AsyncIterator[str]) -> None:
    """Send a text.  Raises what `texts` raises; when the call is over, its answer tells why."""
    try:
        await call.write(opening)
        async for text in texts:
            if text:
                await call.write(text_to_wire(text))
        await call.write(tts_pb2.TextMessage(end=True))
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        if not call.done():
            raise
    finally:
        if isinstance(texts, AsyncGenerator):
            await texts.aclose()


async def _ended(call: Any) -> None:
    """Raise `AioRpcError` unless the call ended well."""
    if await call.code() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            await call.code(),
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )
