"""What becomes of a request that cannot be served in time, and what the log says of streams."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import pytest
from loguru import logger

from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders, ramp_pcm
from tests.tts.test_contract import collect, until
from tests.tts.working_engine import WorkingEngine
from tts.config import LimitsConfig, ServiceConfig
from tts.context import CallContext
from tts.errors import Overloaded
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

REQUEST = SynthesisRequest("Hello there.", "ann", "en", emotion="happy")
LEA = Voice("lea", ("en",), RATE_HZ, "light")


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """Everything that is logged: the message and its fields."""
    records: list[dict[str, Any]] = []
    sink = logger.add(
        lambda message: records.append(
            {"message": message.record["message"], **message.record["extra"]}
        )
    )
    yield records
    logger.remove(sink)


@asynccontextmanager
async def busy(
    overload: Literal["refuse", "light"], light: FakeEngine
) -> AsyncIterator[SynthesisService]:
    """A service whose first engine has just taken a request, and cannot be in time for another."""
    working = WorkingEngine(seconds=lambda kind: time.sleep(0.002))
    config = ServiceConfig(limits=LimitsConfig(first_packet_ms=1, overload=overload))
    service = SynthesisService(config, builders(working, light))
    await service.start()
    gate = working.gate = threading.Semaphore(0)
    working.entered.clear()
    light.emotions.clear()
    first = asyncio.create_task(collect(service.stream(REQUEST)), name="first")
    try:
        await until(lambda: len(working.entered) == 1)
        yield service
        gate.release(1000)
        # Whoever was let in is served as if nobody else had come.
        assert b"".join(chunk.pcm for chunk in await first) == ramp_pcm(300)
        # And one that finds the engine idle is let in, though it is as late.
        assert (await service.synthesize(REQUEST)).voice == "ann"
    finally:
        gate.release(1000)
        await service.stop()


def light_engine() -> FakeEngine:
    return FakeEngine(name="light", voices=(LEA,))


def test_a_request_that_cannot_be_in_time_is_refused_with_the_figures(
    lines: list[dict[str, Any]],
) -> None:
    async def scenario() -> None:
        light = light_engine()
        async with busy("refuse", light) as service:
            with pytest.raises(
                Overloaded, match=r"might take \d+ ms, allowed are 1 ms; the engine"
            ):
                await collect(service.stream(REQUEST))
            with pytest.raises(Overloaded):
                await service.synthesize(REQUEST)
            # Another engine's voice is not concerned.
            chunk = await service.synthesize(SynthesisRequest("Hello.", "lea", "en"))
            assert (chunk.voice, chunk.pcm) == ("lea", ramp_pcm(1000))
        refused = [line for line in lines if line["message"] == "request refused"]
        assert [(line["voice"], line["predicted_ms"] > 1) for line in refused] == [
            ("ann", True)
        ] * 2

    asyncio.run(scenario())


def test_or_it_is_spoken_in_a_light_voice_and_both_log_and_chunks_say_so(
    lines: list[dict[str, Any]],
) -> None:
    async def scenario() -> None:
        light = light_engine()
        async with busy("light", light) as service:
            chunks = await collect(service.stream(REQUEST))
            assert {chunk.voice for chunk in chunks} == {"lea"}
            assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)
            assert light.emotions == [""]
        (stepped,) = (line for line in lines if line["message"].startswith("stepped down"))
        assert (stepped["voice"], stepped["instead"]) == ("ann", "lea")
        ended = [line["voice"] for line in lines if line["message"] == "stream ended"]
        assert ended == ["lea", "ann", "ann"]

    asyncio.run(scenario())


def test_a_text_that_no_light_voice_speaks_is_refused() -> None:
    async def scenario() -> None:
        async with busy("light", light_engine()) as service:
            with pytest.raises(Overloaded):
                await collect(service.stream(replace(REQUEST, text="你好", language="zh")))

    asyncio.run(scenario())


def test_a_patient_caller_gets_the_voice_it_asked_for_or_none() -> None:
    async def scenario() -> None:
        async with busy("light", light_engine()) as service:
            with pytest.raises(Overloaded):
                await collect(service.stream(REQUEST, CallContext("jobs", patient=True)))

    asyncio.run(scenario())


def test_the_audio_of_a_patient_caller_is_in_no_hurry() -> None:
    async def scenario() -> None:
        engine = WorkingEngine()
        service = SynthesisService(ServiceConfig(), builders(engine))
        await service.start()
        try:
            for text, patient in (("Now.", False), ("Later.", True)):
                context = CallContext(patient=patient)
                await collect(service.stream(SynthesisRequest(text, "ann", "en"), context))
            later = {text: engine.paces[text].ahead_s() == math.inf for text in ("Now.", "Later.")}
        finally:
            await service.stop()
        assert later == {"Now.": False, "Later.": True}

    asyncio.run(scenario())


def test_a_text_that_is_being_written_is_refused_or_stepped_down_alike() -> None:
    async def texts() -> AsyncIterator[str]:
        yield " And more."

    async def scenario() -> None:
        async with busy("refuse", light_engine()) as service:
            with pytest.raises(Overloaded):
                await collect(service.stream_text(REQUEST, texts()))
        async with busy("light", light_engine()) as service:
            chunks = await collect(service.stream_text(REQUEST, texts()))
            assert {chunk.voice for chunk in chunks} == {"lea"}

    asyncio.run(scenario())


def test_the_log_and_the_service_tell_what_an_interrupted_stream_cost(
    lines: list[dict[str, Any]],
) -> None:
    async def scenario() -> None:
        working = WorkingEngine(piece_samples=(2000,) * 4, seconds=lambda kind: time.sleep(0.002))
        service = SynthesisService(ServiceConfig(), builders(working))
        await service.start(trial=False)
        try:
            async with aclosing(service.stream(REQUEST)) as chunks:
                await anext(chunks)
            await until(lambda: service.spent["working"].streams == 1)
            await service.synthesize(REQUEST)
            await until(lambda: service.spent["working"].streams == 2)
        finally:
            await service.stop()
        cut, whole = (line for line in lines if line["message"] == "stream ended")
        assert (cut["end"], whole["end"]) == ("cancelled", "ok")
        # The first 2 s of audio took four works; nearly none of it can have been heard.
        assert cut["engine_ms"] >= cut["wasted_ms"] > 7
        assert (whole["engine_ms"] >= 13 * 2, whole["wasted_ms"]) == (True, 0)
        spent = service.spent["working"]
        assert spent.spent_s >= spent.wasted_s >= cut["wasted_ms"] / 1000 - 0.0001
        assert spent.steps_after_cancel == 0

    asyncio.run(scenario())
