"""Writing to readers that are slow, that stop, and that go away; in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders
from tests.tts.test_contract import until
from tests.virtual_time import run
from tts.config import ChunksConfig, LimitsConfig, ServiceConfig
from tts.errors import SlowReader
from tts.servers.delivery import deliver
from tts.service import SynthesisService
from tts.types import SynthesisRequest

IDLE_S = 30.0


def test_a_write_that_is_taken_in_time_is_written() -> None:
    written: list[str] = []

    async def write() -> None:
        await asyncio.sleep(IDLE_S - 1)
        written.append("chunk")

    async def scenario() -> None:
        await deliver(write(), IDLE_S)
        assert (written, asyncio.get_running_loop().time()) == (["chunk"], IDLE_S - 1)

    run(scenario())


def test_a_reader_that_takes_nothing_is_dropped_when_its_time_is_over() -> None:
    ended: list[float] = []

    async def write() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def scenario() -> None:
        with pytest.raises(SlowReader, match="no audio was taken for 30 s, which is the limit"):
            await deliver(write(), IDLE_S)
        # The write is over with it: nothing holds the chunk any more.
        assert ended == [IDLE_S]

    run(scenario())


def test_what_the_transport_raises_is_not_taken_for_slowness() -> None:
    async def write() -> None:
        raise TimeoutError("the transport's own")

    async def scenario() -> None:
        with pytest.raises(TimeoutError, match="the transport's own"):
            await deliver(write(), IDLE_S)

    run(scenario())


def test_cancelling_ends_the_write() -> None:
    ended: list[str] = []

    async def write() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("chunk")

    async def scenario() -> None:
        delivering = asyncio.create_task(deliver(write(), IDLE_S), name="delivering")
        await asyncio.sleep(1)
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert ended == ["chunk"]

    run(scenario())


@asynccontextmanager
async def served(engine: FakeEngine, config: ServiceConfig) -> AsyncIterator[SynthesisService]:
    service = SynthesisService(config, builders(engine))
    await service.start(trial=False)
    try:
        yield service
    finally:
        await service.stop()


def test_what_a_slow_reader_costs_is_the_sum_that_the_module_states() -> None:
    """The service's part, counted; on the real clock, as the engine has its own thread."""

    async def scenario() -> None:
        piece, ahead_s = 300, 1.0
        engine = FakeEngine(piece_samples=(piece,) * 200)
        config = ServiceConfig(
            limits=LimitsConfig(ahead_s=ahead_s), chunks=ChunksConfig(first_ms=40, next_ms=200)
        )
        taken: list[bytes] = []
        stuck = asyncio.Event()

        async def write(pcm: bytes) -> None:
            taken.append(pcm)
            if len(taken) == 5:
                stuck.set()
                await asyncio.Event().wait()

        async def door(service: SynthesisService) -> None:
            stream = service.stream(SynthesisRequest("Hello.", "ann", "en"))
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    await deliver(write(chunk.pcm), 0.3)

        async with served(engine, config) as service:
            reader = asyncio.create_task(door(service), name="door")
            await stuck.wait()
            with pytest.raises(SlowReader):
                await reader
            made = len(engine.steps) * piece
            read = sum(len(pcm) // 2 for pcm in taken)
            # Unread audio, the piece that went beyond it, and the piece that is being cut up.
            assert made - read <= ahead_s * RATE_HZ + 2 * piece
            # More was made than was read, so the bound was reached.
            assert made - read > ahead_s * RATE_HZ - piece
            await until(lambda: service.streams == 0 and engine.dropped == ["Hello."])
            assert len(engine.steps) * piece <= made + piece

    asyncio.run(scenario())
