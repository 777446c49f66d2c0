"""The gRPC door: `tts.proto` and the standard health service over one `SynthesisService`.

In: an address ("unix:/path" or "host:port").  Out: a server that translates messages and errors
and nothing more.  On the event loop's thread.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from loguru import logger

from tts.config import HealthConfig
from tts.errors import BadRequest, TextStalled, TtsError
from tts.servers.messages import chunk_to_wire, request_from_wire, voice_to_wire
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.status import to_status
from tts.service import SynthesisService
from tts.types import SynthesisRequest

SERVICE_NAME = "parley.tts.v1.TextToSpeech"

_OPTIONS = (
    # A second server on the same port must fail, not share its callers.
    ("grpc.so_reuseport", 0),
    # A client may ping a quiet connection every 10 s.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_CANCEL_COMES_WITHIN_S = 1.0


class TextToSpeechServicer(tts_pb2_grpc.TextToSpeechServicer):
    """Translates calls; a cancelled call closes its stream, which drops the engine's work."""

    def __init__(self, service: SynthesisService) -> None:
        self._service = service

    async def Synthesize(
        self, request: tts_pb2.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> tts_pb2.SpeechChunk:
        """The whole audio in one message."""
        async with _translated(context):
            return chunk_to_wire(await self._service.synthesize(request_from_wire(request)))

    async def StreamSynthesize(
        self, request: tts_pb2.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """The audio chunk by chunk; each write waits until the reader has room."""
        async with (
            _translated(context),
            aclosing(self._service.stream(request_from_wire(request))) as chunks,
        ):
            async for chunk in chunks:
                await context.write(chunk_to_wire(chunk))

    async def SynthesizeText(
        self, messages: AsyncIterator[tts_pb2.TextMessage], context: grpc.aio.ServicerContext
    ) -> None:
        """The audio of a text that comes in pieces; each write waits until the reader has room."""
        async with _translated(context):
            request = await opening(messages, within_s=self._service.text_idle_s)
            stream = self._service.stream_text(request, texts_from_wire(messages))
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    await context.write(chunk_to_wire(chunk))

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: grpc.aio.ServicerContext
    ) -> tts_pb2.ListVoicesResponse:
        """The voices that can speak now."""
        voices = [voice_to_wire(voice) for voice in self._service.voices]
        return tts_pb2.ListVoicesResponse(voices=voices)


class GrpcDoor:
    """A server for one service, and the task that keeps its health true."""

    def __init__(self, service: SynthesisService, config: HealthConfig) -> None:
        self._service = service
        self._config = config
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=_OPTIONS)
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(TextToSpeechServicer(service), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._monitor: asyncio.Task[None] | None = None

    async def start(self, address: str) -> int:
        """Listen; health is NOT_SERVING until `ready`.  Returns the port, 1 for a Unix socket.

        Raises `OSError` when the address cannot be had.
        """
        await self._set_health(False)
        # A Unix socket has no password: only the owner of the process may connect.
        mask = os.umask(0o077)
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from error
        finally:
            os.umask(mask)
        await self._server.start()
        logger.bind(address=address, port=port).info("listening")
        return int(port)

    async def ready(self) -> None:
        """Call the service healthy, and watch it from now on."""
        await self._set_health(True)
        self._monitor = asyncio.create_task(self._watch(), name="tts-health")

    async def stop(self, grace_s: float) -> None:
        """Take no new call, let running ones end, cut them off after `grace_s`.  Idempotent."""
        if self._monitor is not None:
            self._monitor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._monitor
            self._monitor = None
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def _watch(self) -> None:
        interval_s = self._config.probe_interval_s
        while True:
            await asyncio.sleep(max(interval_s - self._service.idle_s(), interval_s / 10))
            try:
                await self._service.probe(idle_s=interval_s)
            except TtsError as error:
                logger.bind(code=error.code, error=str(error)).error("health probe failed")
                await self._set_health(False)
            else:
                await self._set_health(True)

    async def _set_health(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        value = status.SERVING if serving else status.NOT_SERVING
        for name in ("", SERVICE_NAME):
            await self._health.set(name, value)


async def opening(
    messages: AsyncIterator[tts_pb2.TextMessage], *, within_s: float
) -> SynthesisRequest:
    """The request that a text begins with.  Raises `BadRequest` or `TextStalled` without one."""
    try:
        async with asyncio.timeout(within_s):
            first = await anext(messages, None)
    except TimeoutError as error:
        raise TextStalled(f"no message for {within_s} s, which is the limit") from error
    if first is None or first.WhichOneof("message") != "request":
        raise BadRequest("the first message must be a `request`: voice, language and the like")
    return request_from_wire(first.request)


async def texts_from_wire(messages: AsyncIterator[tts_pb2.TextMessage]) -> AsyncGenerator[str]:
    """The pieces of text that follow.  Raises `BadRequest` for what is none, and without an end."""
    async for message in messages:
        if message.WhichOneof("message") == "end":
            return
        if message.WhichOneof("message") != "text":
            raise BadRequest("after the first message, each must be a `text` or the `end`")
        yield message.text
    # The messages of a cancelled call end a moment before its handler is cancelled.
    await asyncio.sleep(_CANCEL_COMES_WITHIN_S)
    raise BadRequest("the text was not ended: the last message must be the `end`")


@contextlib.asynccontextmanager
async def _translated(context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
    """End the call with the status of an error of ours."""
    try:
        yield
    except TtsError as error:
        status, message, trailing = to_status(error)
        await context.abort(status, message, trailing)
