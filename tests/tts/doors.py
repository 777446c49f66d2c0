"""Every way into the service, behind one face, for the contract suite."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.tts.certificates import Authority
from tests.tts.fake_engine import FakeEngine, builders
from tts.access import Access
from tts.client import TtsClient
from tts.config import Secrets, ServiceConfig
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.grpc import GrpcDoor
from tts.service import SynthesisService
from tts.types import SpeechChunk, SynthesisRequest, Voice

OPEN = Secrets()
KEY = "a key for everything"


class Door(Protocol):
    service: SynthesisService
    """What is behind the door, for tests that must see when a call has ended there."""

    def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]: ...
    def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk]: ...
    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk: ...
    async def voices(self) -> tuple[Voice, ...]: ...


class CancellableDoor(Door, Protocol):
    """One that is told to cancel, besides being left."""

    def stream_text(
        self,
        request: SynthesisRequest,
        texts: AsyncIterator[str],
        *,
        cancel: asyncio.Event | None = None,
    ) -> AsyncGenerator[SpeechChunk]: ...


class InProcess:
    """The service itself."""

    def __init__(self, service: SynthesisService) -> None:
        self.service = service
        self.stream = service.stream
        self.stream_text = service.stream_text
        self.synthesize = service.synthesize

    async def voices(self) -> tuple[Voice, ...]:
        return self.service.voices


class Remote:
    """A client of the service."""

    def __init__(self, service: SynthesisService, client: TtsClient) -> None:
        self.service = service
        self.stream = client.stream
        self.stream_text = client.stream_text
        self.synthesize = client.synthesize
        self.voices = client.voices


@asynccontextmanager
async def running(engine: FakeEngine, config: ServiceConfig) -> AsyncIterator[SynthesisService]:
    """A service that has started; the steps of its probe are forgotten."""
    service = SynthesisService(config, builders(engine))
    gate, engine.gate = engine.gate, None
    fails_at, engine.fails_at = engine.fails_at, None
    try:
        await service.start()
        engine.gate, engine.fails_at = gate, fails_at
        engine.forget()
        yield service
    finally:
        if gate is not None:
            gate.release(1000)
        await service.stop()


@asynccontextmanager
async def in_process(engine: FakeEngine, config: ServiceConfig) -> AsyncIterator[Door]:
    async with running(engine, config) as service:
        yield InProcess(service)


@asynccontextmanager
async def grpc_door(
    service: SynthesisService,
    config: ServiceConfig,
    address: str,
    *,
    secrets: Secrets = OPEN,
    metrics: Metrics | None = None,
) -> AsyncIterator[int]:
    """A service's gRPC door, healthy; yields its port."""
    health = Health(service, config.health)
    door = GrpcDoor(service, config, Access(config.access, secrets), health, metrics)
    try:
        port = await door.start(address)
        await health.start()
        yield port
    finally:
        await health.stop()
        await door.stop(0)


@asynccontextmanager
async def over_grpc(
    engine: FakeEngine, config: ServiceConfig, *, first_chunk_timeout_s: float = 10.0
) -> AsyncIterator[Door]:
    with tempfile.TemporaryDirectory() as folder:
        address = f"unix:{Path(folder) / 's'}"
        async with running(engine, config) as service, grpc_door(service, config, address):
            client = TtsClient(address, first_chunk_timeout_s=first_chunk_timeout_s)
            try:
                yield Remote(service, client)
            finally:
                await client.close()


@asynccontextmanager
async def over_grpc_tls(
    engine: FakeEngine, config: ServiceConfig, *, mutual: bool = False
) -> AsyncIterator[Door]:
    """On TCP, encrypted, with a key; `mutual`: the client shows a certificate too."""
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        config = config.model_copy(update={"tls": authority.server(asks=mutual)})
        async with (
            running(engine, config) as service,
            grpc_door(service, config, "127.0.0.1:0", secrets=Secrets(token=KEY)) as port,
        ):
            tls = authority.client(shows=mutual)
            client = TtsClient(f"127.0.0.1:{port}", key=KEY, tls=tls)
            try:
                yield Remote(service, client)
            finally:
                await client.close()


def over_grpc_mutual_tls(
    engine: FakeEngine, config: ServiceConfig
) -> AbstractAsyncContextManager[Door]:
    return over_grpc_tls(engine, config, mutual=True)
