"""The gRPC door and its client beyond the common contract: health, time-outs, a slow reader."""

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import grpc
import grpc.aio
import pytest

from tests.tts.doors import grpc_door, over_grpc, running
from tests.tts.fake_engine import FakeEngine, builders
from tests.tts.test_contract import CONFIG, REQUEST, collect, until
from tts.access import Access
from tts.client import TtsClient
from tts.config import ChunksConfig, HealthConfig, Secrets, ServiceConfig
from tts.errors import BadRequest, EngineFailed, TextTooLong, TtsError, Unavailable
from tts.health import Health
from tts.servers.grpc import GrpcDoor
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.status import ERROR_CODE_KEY
from tts.service import SynthesisService
from tts.types import SynthesisRequest

pytestmark = pytest.mark.real


async def until_ready(client: TtsClient, expected: bool) -> None:
    async with asyncio.timeout(10):
        while await client.ready() is not expected:  # noqa: ASYNC110 - the server sets it
            await asyncio.sleep(0.01)


def test_health_follows_the_engine(tmp_path: Path) -> None:
    async def scenario() -> None:
        address = f"unix:{tmp_path / 's'}"
        engine = FakeEngine()
        config = ServiceConfig(health=HealthConfig(probe_interval_s=0.05, probe_timeout_s=5))
        client = TtsClient(address)
        assert not await client.ready()
        async with running(engine, config) as service:
            health = Health(service, config.health)
            door = GrpcDoor(service, config, Access(config.access, Secrets()), health)
            await door.start(address)
            await until_ready(client, False)
            await health.start()
            await until_ready(client, True)
            engine.fails_at = 0
            await until_ready(client, False)
            engine.fails_at = None
            await until_ready(client, True)
            await health.stop()
            await until_ready(client, False)
            await door.stop(0)
            await door.stop(0)
            assert not await client.ready()
        await client.close()

    asyncio.run(scenario())


def test_a_service_whose_engine_cannot_speak_does_not_start() -> None:
    async def scenario() -> None:
        service = SynthesisService(ServiceConfig(), builders(FakeEngine(fails_at=0)))
        try:
            with pytest.raises(EngineFailed, match="scripted"):
                await service.start()
        finally:
            await service.stop()

    asyncio.run(scenario())


def test_a_server_that_gives_no_audio_in_time_is_unavailable() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(gate=gate)
        async with over_grpc(engine, CONFIG, first_chunk_timeout_s=0.1) as door:
            with pytest.raises(Unavailable, match=r"no answer in 0\.1 s"):
                await collect(door.stream(REQUEST))
            with pytest.raises(Unavailable, match=r"no answer in 0\.1 s"):
                await door.synthesize(REQUEST)
            await until(lambda: door.service.streams == 0)

    asyncio.run(scenario())


def test_a_reader_that_stops_reading_holds_the_engine_back() -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100_000,) * 100)
        config = CONFIG.model_copy(update={"chunks": ChunksConfig(next_ms=1000)})
        async with over_grpc(engine, config) as door, aclosing(door.stream(REQUEST)) as chunks:
            await anext(chunks)
            await asyncio.sleep(0.5)
            # 20 MB in all; what has left is at most the transport's window.
            assert len(engine.steps) < 50
            samples = len((await anext(chunks)).pcm) // 2 + 40
            async for chunk in chunks:
                assert chunk.first_sample == samples
                samples += len(chunk.pcm) // 2
            assert samples == 100 * 100_000

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "error"), [("\ud800", BadRequest), ("a" * 1_000_001, TextTooLong)]
)
def test_what_no_message_can_carry_is_refused_by_the_client(
    text: str, error: type[TtsError]
) -> None:
    async def scenario() -> None:
        client = TtsClient("unix:/nobody")
        with pytest.raises(error):
            await client.synthesize(SynthesisRequest(text, "ann", "en"))
        await client.close()

    asyncio.run(scenario())


def test_a_foreign_client_gets_status_message_and_code(tmp_path: Path) -> None:
    async def scenario() -> None:
        address = f"unix:{tmp_path / 's'}"
        async with (
            running(FakeEngine(), CONFIG) as service,
            grpc_door(service, CONFIG, address),
            grpc.aio.insecure_channel(address) as channel,
        ):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            chunk = await stub.Synthesize(
                tts_pb2.SynthesizeRequest(text="hi", voice="ann", language="en")
            )
            assert len(chunk.pcm) == 2000
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Synthesize(tts_pb2.SynthesizeRequest())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "letter or digit" in caught.value.details()
        assert (ERROR_CODE_KEY, "bad_request") in tuple(caught.value.trailing_metadata())

    asyncio.run(scenario())


def test_a_door_on_tcp_tells_its_port_and_does_not_share_it() -> None:
    async def scenario() -> None:
        async with (
            running(FakeEngine(), CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0") as port,
        ):
            client = TtsClient(f"127.0.0.1:{port}")
            assert (await client.synthesize(REQUEST)).is_final
            with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
                async with grpc_door(service, CONFIG, f"127.0.0.1:{port}"):
                    pass
            await client.close()

    asyncio.run(scenario())


def test_one_client_carries_many_streams() -> None:
    async def scenario() -> None:
        config = CONFIG.model_copy(
            update={"limits": CONFIG.limits.model_copy(update={"max_streams": 50})}
        )
        async with over_grpc(FakeEngine(), config) as door:
            streams = await asyncio.gather(*(collect(door.stream(REQUEST)) for _ in range(50)))
        assert {b"".join(c.pcm for c in chunks) for chunks in streams} == {
            b"".join(c.pcm for c in streams[0])
        }

    asyncio.run(scenario())
