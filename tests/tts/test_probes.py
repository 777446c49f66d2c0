"""Health probes: who is made to speak to nobody, and who is left alone."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager

import pytest

from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders
from tests.tts.test_contract import until
from tts.config import HealthConfig, ServiceConfig
from tts.errors import EngineFailed, Unavailable
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

CLONED = (Voice("eve", ("ko", "en"), RATE_HZ, "cloned"),)


@asynccontextmanager
async def service(
    *engines: FakeEngine, probe_timeout_s: float = 10
) -> AsyncIterator[SynthesisService]:
    health = HealthConfig(probe_timeout_s=probe_timeout_s)
    running = SynthesisService(ServiceConfig(health=health), builders(*engines))
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


def test_an_engine_speaks_a_short_text_in_a_voice_and_language_that_are_ready() -> None:
    async def scenario() -> None:
        engine = FakeEngine(voices=CLONED)
        async with service(engine):
            assert engine.steps == [("네.", 0), ("네.", 1), ("네.", 2)]

    asyncio.run(scenario())


def test_an_engine_whose_voices_are_all_cold_is_not_probed_and_is_healthy() -> None:
    async def scenario() -> None:
        warm = FakeEngine()
        cold = FakeEngine(name="cloned", voices=CLONED, cold=True, fails_at=0)
        async with service(warm, cold) as running:
            await running.probe()
            assert cold.steps == []
            assert len(warm.steps) == 6
            assert [voice.id for voice in running.voices] == ["ann", "bob", "eve"]
            # Once a voice is there, the engine has to prove itself.
            cold.cold = False
            with pytest.raises(EngineFailed, match="scripted"):
                await running.probe()

    asyncio.run(scenario())


def test_a_cold_voice_that_loads_makes_nobody_unhealthy() -> None:
    async def scenario() -> None:
        loading: Future[None] = Future()
        cold = FakeEngine(name="cloned", voices=CLONED, cold=True, before={"hi": [loading]})
        async with service(FakeEngine(), cold, probe_timeout_s=0.05) as running:
            request = SynthesisRequest("hi", "eve", "en")
            waiting = asyncio.create_task(running.synthesize(request), name="waiting")
            await until(lambda: cold.steps == [("hi", -1)])
            await running.probe()
            loading.set_result(None)
            assert (await waiting).is_final

    asyncio.run(scenario())


def test_an_engine_without_a_voice_is_neither_listed_nor_probed() -> None:
    async def scenario() -> None:
        empty = FakeEngine(name="cloned", voices=())
        async with service(FakeEngine(), empty) as running:
            await running.probe()
            assert [voice.id for voice in running.voices] == ["ann", "bob"]
            assert empty.steps == []
            assert running.idle_s() < 60

    asyncio.run(scenario())


def test_no_voice_at_all_is_a_service_that_does_not_start() -> None:
    async def scenario() -> None:
        with pytest.raises(EngineFailed, match="no engine could be loaded"):
            async with service(FakeEngine(voices=())):
                pass

    asyncio.run(scenario())


def test_an_engine_that_hangs_is_unavailable() -> None:
    async def scenario() -> None:
        never: Future[None] = Future()
        stuck = FakeEngine(before={"Ready.": [never]})
        with pytest.raises(Unavailable, match="engine fake did not answer in time"):
            async with service(stuck, probe_timeout_s=0.05):
                pass

    asyncio.run(scenario())
