"""The gRPC door: `tts.proto`, the standard health service and reflection over one
`SynthesisService`.

In: an address ("unix:/path" or "host:port").  Out: a server that translates messages and errors
and nothing more; what surrounds each call stands in `tts.servers.calls`.  On the event loop's
thread, but for the look at certificates when a connection begins, which is gRPC's.
"""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection
from loguru import logger

from tts.access import Access, check_address
from tts.config import ServiceConfig, TlsConfig
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.calls import CallInterceptor, terms
from tts.servers.delivery import deliver
from tts.servers.incoming import cancelled_after, listening, opening
from tts.servers.messages import chunk_to_wire, request_from_wire, voice_to_wire
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.tls import Certificates, TlsFiles
from tts.servers.until import until_set
from tts.service import SynthesisService
from tts.types import SpeechChunk

SERVICE_NAME = "parley.tts.v1.TextToSpeech"

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""A larger one ends its call with RESOURCE_EXHAUSTED; see `MAX_WIRE_CHARS` for texts."""

_OPTIONS = (
    # A second server on the same port must fail, not share its callers.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A client may ping a quiet connection every 10 s.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # One that answers no ping is gone, and what was written to it with it.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


class TextToSpeechServicer(tts_pb2_grpc.TextToSpeechServicer):
    """Translates calls; a cancelled call closes its stream, which drops the engine's work."""

    def __init__(self, service: SynthesisService, reader_idle_s: float) -> None:
        self._service = service
        self._reader_idle_s = reader_idle_s

    async def Synthesize(
        self, request: tts_pb2.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> tts_pb2.SpeechChunk:
        """The whole audio in one message."""
        return chunk_to_wire(await self._service.synthesize(request_from_wire(request), terms()))

    async def StreamSynthesize(
        self, request: tts_pb2.SynthesizeRequest, context: grpc.aio.ServicerContext
    ) -> None:
        """The audio chunk by chunk; each write waits until the reader has room."""
        stream = self._service.stream(request_from_wire(request), terms())
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                await self._send(context, chunk)

    async def SynthesizeText(
        self, messages: AsyncIterator[tts_pb2.TextMessage], context: grpc.aio.ServicerContext
    ) -> None:
        """The audio of a text that comes in pieces, up to its end or a cancel."""
        request = await opening(messages, within_s=self._service.text_idle_s)
        last: SpeechChunk | None = None
        async with listening(messages) as incoming:
            stream = self._service.stream_text(request, incoming.pieces(), terms())
            async with aclosing(until_set(incoming.cancelled, stream)) as chunks:
                async for chunk in chunks:
                    await self._send(context, chunk)
                    last = chunk
            if last is None or not last.is_final:
                await self._send(context, cancelled_after(last))

    async def ListVoices(
        self, request: tts_pb2.ListVoicesRequest, context: grpc.aio.ServicerContext
    ) -> tts_pb2.ListVoicesResponse:
        """The voices that can speak now."""
        voices = [voice_to_wire(voice) for voice in self._service.voices]
        return tts_pb2.ListVoicesResponse(voices=voices)

    async def _send(self, context: grpc.aio.ServicerContext, chunk: SpeechChunk) -> None:
        await deliver(context.write(chunk_to_wire(chunk)), self._reader_idle_s)


class GrpcDoor:
    """A server for one service."""

    def __init__(
        self,
        service: SynthesisService,
        config: ServiceConfig,
        access: Access,
        health: Health,
        metrics: Metrics | None = None,
    ) -> None:
        """`health` is told to those who ask for it."""
        self._config = config
        self._access = access
        self._health = health
        self._told = health_aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(SERVICE_NAME, access, metrics)], options=_OPTIONS
        )
        servicer = TextToSpeechServicer(service, config.limits.reader_idle_s)
        tts_pb2_grpc.add_TextToSpeechServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._told, self._server)
        if config.grpc.reflection:
            names = (SERVICE_NAME, HEALTH_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        health.tell(self._tell)

    async def start(self, address: str) -> int:
        """Listen, and tell health from now on.  Returns the port, 1 for a Unix socket.

        Raises `OSError` when the address cannot be had, `ConfigError` when it must not be, or for
        unusable TLS files.
        """
        check_address(address, self._access)
        await self._tell(self._health.is_serving)
        # A Unix socket has no password: only the owner of the process may connect.
        mask = os.umask(0o077)
        try:
            if address.startswith("unix:") or self._config.tls == TlsConfig():
                port = self._server.add_insecure_port(address)
            else:
                files = TlsFiles(self._config.tls)
                port = self._server.add_secure_port(address, _credentials(files))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from error
        finally:
            os.umask(mask)
        await self._server.start()
        logger.bind(address=address, port=port).info("listening")
        return int(port)

    async def stop(self, grace_s: float) -> None:
        """Take no new call, let running ones end, cut them off after `grace_s`.  Idempotent."""
        await self._told.enter_graceful_shutdown()
        await self._server.stop(grace_s)

    async def _tell(self, is_serving: bool) -> None:
        status = health_pb2.HealthCheckResponse
        value = status.SERVING if is_serving else status.NOT_SERVING
        for name in ("", SERVICE_NAME):
            await self._told.set(name, value)


def _credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that follow the files; gRPC asks for changes whenever a connection begins."""

    def changed() -> grpc.ServerCertificateConfiguration | None:
        fresh = files.changed()
        return None if fresh is None else _for_grpc(fresh)

    return grpc.dynamic_ssl_server_credentials(
        _for_grpc(files.current),
        changed,
        require_client_authentication=files.current.client_ca is not None,
    )


def _for_grpc(found: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(found.key, found.certificate)], root_certificates=found.client_ca
    )
