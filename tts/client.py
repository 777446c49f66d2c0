"""The TTS service as its callers see it: requests in, chunks out, errors of `tts.errors`.

Speaks gRPC to an address and survives the server's death: a call that is under way fails with
`Unavailable`, and later ones reach the server once it is back.  Tries nothing again by itself: an
error's `retry_after_s` says when that may work.  All methods are called from one event loop's
thread.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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
from tts.servers.status import Metadata, from_status
from tts.servers.until import until_set
from tts.types import SpeechChunk, SynthesisRequest, Voice

T = TypeVar("T")

_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A whole text's audio comes in one message.
    ("grpc.max_receive_message_length", -1),
    # Without its own pool, a second client of the same address would share this one's backoff.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class ClientTls:
    """How the connection is encrypted."""

    ca: Path | None = None
    """PEM file with the issuers of the service's certificate; None: those that gRPC trusts."""
    certificate: Path | None = None
    """PEM file with the client's own certificate, for a service that asks for one."""
    key: Path | None = None
    """PEM file with its private key."""


class TtsClient:
    """A lazily connected client; one serves any number of streams at once."""

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        tls: ClientTls | None = None,
        inject: Callable[[MutableMapping[str, str]], None] | None = None,
        first_chunk_timeout_s: float = 10.0,
        next_chunk_timeout_s: float = 10.0,
        call_timeout_s: float = 5.0,
    ) -> None:
        """`address` is "unix:/path" or "host:port"; `key` an API key or a signed token.

        `inject` adds the trace that the caller is in to a call's headers, as `tts.tracing.inject`
        or `opentelemetry.propagate.inject` do.  The first two times bound the wait for a stream's
        audio, `call_timeout_s` that for a short answer such as the voice list.

        Raises `ValueError` for a key that no header can carry, and `OSError` for files of `tls`
        that cannot be read.
        """
        if key is not None and not (key.isascii() and key.isprintable()):
            raise ValueError("key: allowed are printable ASCII characters")
        self._address = address
        self._key = key
        self._credentials = None if tls is None else _credentials(tls)
        self._inject = inject
        self._first_chunk_timeout_s = first_chunk_timeout_s
        self._next_chunk_timeout_s = next_chunk_timeout_s
        self._call_timeout_s = call_timeout_s
        self._channel: grpc.aio.Channel | None = None

    async def stream(
        self, request: SynthesisRequest, *, timeout_s: float | None = None
    ) -> AsyncGenerator[SpeechChunk]:
        """Stream a request's audio.  Closing the iterator cancels the work at the server.

        `timeout_s`: a deadline for all of it, which the service knows and keeps.  Raises the
        service's errors; `DeadlineExceeded` when the deadline passes; `Unavailable` when the
        service cannot be reached, dies, or sends no audio in time.
        """
        call = self._stub().StreamSynthesize(request_to_wire(request), **self._terms(timeout_s))
        async with aclosing(self._chunks(call)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream_text(
        self,
        request: SynthesisRequest,
        texts: AsyncIterator[str],
        *,
        cancel: asyncio.Event | None = None,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[SpeechChunk]:
        """Stream the audio of a text while it is being written: the request's own, then `texts`,
        cut anywhere.

        Marks index all of it.  Closing the iterator cancels the work at the server and closes
        `texts`.  Setting `cancel` does too, but what the server had sent by then still comes, and
        then a last chunk with `is_cancelled`, which tells how much audio that was.  Raises like
        `stream`, and what `texts` raises; the wait for audio is bounded from the end of the text
        on, that for text by the server.
        """
        opening = tts_pb2.TextMessage(request=request_to_wire(request))
        call = self._stub().SynthesizeText(**self._terms(timeout_s))
        writing = asyncio.create_task(_write(call, opening, texts, cancel), name="tts-client-text")
        async with aclosing(self._chunks(call, writing, cancel)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def synthesize(
        self, request: SynthesisRequest, *, timeout_s: float | None = None
    ) -> SpeechChunk:
        """A request's whole audio as one chunk.  Raises like `stream`."""
        call = self._stub().Synthesize(request_to_wire(request), **self._terms(timeout_s))
        return chunk_from_wire(await self._in_time(call, self._first_chunk_timeout_s))

    async def voices(self) -> tuple[Voice, ...]:
        """The voices the service can speak in now.  Raises `Unavailable` or `Unauthenticated`."""
        call = self._stub().ListVoices(tts_pb2.ListVoicesRequest(), **self._terms())
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
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._address, options=_OPTIONS)
            else:
                self._channel = grpc.aio.secure_channel(
                    self._address, self._credentials, options=_OPTIONS
                )
        return self._channel

    def _stub(self) -> Any:
        return tts_pb2_grpc.TextToSpeechStub(self._connected())

    def _terms(self, timeout_s: float | None = None) -> dict[str, Any]:
        """What a call has besides its messages."""
        headers: dict[str, str] = {}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key}"
        if self._inject is not None:
            self._inject(headers)
        return {"timeout": timeout_s, "metadata": tuple(headers.items())}

    async def _chunks(
        self,
        call: Any,
        writing: asyncio.Task[None] | None = None,
        cancel: asyncio.Event | None = None,
    ) -> AsyncGenerator[SpeechChunk]:
        """What a call answers, while its text is being written.  In the end all is over."""
        cancelling = None
        if writing is not None and cancel is not None:
            cancelling = asyncio.create_task(
                _cancel(call, writing, cancel), name="tts-client-cancel"
            )
        ending = _Ending(call)
        timeout_s = self._first_chunk_timeout_s
        try:
            while True:
                message = await self._read(call, ending, timeout_s, writing)
                if message is grpc.aio.EOF:
                    # The stream's status decides whether this was its end.
                    await self._in_time(_ended(call), self._call_timeout_s, ending)
                    return
                yield chunk_from_wire(message)
                timeout_s = self._next_chunk_timeout_s
        finally:
            call.cancel()
            tasks = [task for task in (writing, cancelling) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, call: Any, ending: "_Ending", timeout_s: float, writing: asyncio.Task[None] | None
    ) -> Any:
        """The next message; its time begins when the text has been written."""
        reading = asyncio.ensure_future(call.read())
        try:
            if writing is not None:
                await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
            return await self._in_time(reading, timeout_s, ending)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _in_time(self, answer: Any, timeout_s: float, ending: "_Ending | None" = None) -> Any:
        """Await a call's answer; its failure as an error of ours.  Cancelling cancels the call."""
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError as error:
            raise Unavailable(f"{self._address} gave no answer in {timeout_s} s") from error
        except grpc.aio.AioRpcError as error:
            code, details, trailing = error.code(), error.details(), error.trailing_metadata()
            if ending is not None and ending.known is not None:
                code, details, trailing = ending.known
            if code is grpc.StatusCode.OK:
                return grpc.aio.EOF
            raise from_status(code, details or "", trailing) from error


class _Ending:
    """How the service ended a call.

    `grpc.aio` forgets it when a message was just being written, and calls it INTERNAL
    (github.com/grpc/grpc/issues/36066); but it tells when the status comes.
    """

    def __init__(self, call: Any) -> None:
        self.known: tuple[grpc.StatusCode, str | None, Metadata | None] | None = None
        """Status, message and trailing metadata; None: it has not ended."""
        call.add_done_callback(self._note)

    def _note(self, call: Any) -> None:
        # A task would find the status replaced already; that of a call that is done is there.
        if self.known is None:
            self.known = (
                _at_once(call.code()),
                _at_once(call.details()),
                _at_once(call.trailing_metadata()),
            )


def _at_once(answer: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that has nothing to wait for."""
    try:
        answer.send(None)
    except StopIteration as ended:
        value: T = ended.value
        return value
    answer.close()
    raise RuntimeError("a status is not there when it is said to be")


async def _write(
    call: Any,
    opening: tts_pb2.TextMessage,
    texts: AsyncIterator[str],
    cancel: asyncio.Event | None,
) -> None:
    """Send a text, up to its end or a cancel.

    Raises what `texts` raises; when the call is over, its answer tells why.
    """
    pieces = texts if cancel is None else until_set(cancel, texts)
    try:
        await call.write(opening)
        async for text in pieces:
            if text:
                await call.write(text_to_wire(text))
        if cancel is None or not cancel.is_set():
            await call.write(tts_pb2.TextMessage(end=True))
        if cancel is None:
            await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        if not call.done():
            raise
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
        if isinstance(texts, AsyncGenerator):  # also when nothing has been taken of `pieces`
            await texts.aclose()


async def _cancel(call: Any, writing: asyncio.Task[None], cancel: asyncio.Event) -> None:
    """Tell the service of a cancel, once no text is being sent; a call takes one message a time."""
    await cancel.wait()
    await asyncio.wait({writing})
    try:
        await call.write(tts_pb2.TextMessage(cancel=True))
        await call.done_writing()
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        if not call.done():
            raise


async def _ended(call: Any) -> None:
    """Raise `AioRpcError` unless the call ended well."""
    if await call.code() is not grpc.StatusCode.OK:
        raise grpc.aio.AioRpcError(
            await call.code(),
            await call.initial_metadata(),
            await call.trailing_metadata(),
            details=await call.details(),
        )


def _credentials(tls: ClientTls) -> grpc.ChannelCredentials:
    """Raises `OSError` for a file that cannot be read."""
    ca, key, certificate = (
        None if path is None else path.read_bytes() for path in (tls.ca, tls.key, tls.certificate)
    )
    return grpc.ssl_channel_credentials(ca, key, certificate)
