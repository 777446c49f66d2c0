"""What a service promises to each caller: limits, deadlines, and who is left alone."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.tts.fake_engine import RATE_HZ, FakeEngine, ramp_pcm
from tests.tts.test_contract import collect, until
from tests.tts.working_engine import WorkingEngine
from tts.config import BreakerConfig, CacheConfig, HealthConfig, LimitsConfig, ServiceConfig
from tts.context import CallContext, Caller
from tts.engine.types import Engine
from tts.errors import (
    BadRequest,
    CannotSpeak,
    DeadlineExceeded,
    EngineFailed,
    Overloaded,
    RateLimited,
    TtsError,
    Unavailable,
)
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

REQUEST = SynthesisRequest("Hello there.", "ann", "en", emotion="happy")
LEA = Voice("lea", ("en",), RATE_HZ, "light")
LIMITS = LimitsConfig(max_streams=4, max_queued=4)


class Clock:
    """By which callers are counted and engines rest."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def serving(
    *engines: Engine, limits: LimitsConfig = LIMITS, clock: Clock | None = None, **tables: Any
) -> AsyncIterator[SynthesisService]:
    config = ServiceConfig(limits=limits, cache=CacheConfig(memory_mb=0), **tables)
    made = {engine.name: (lambda engine=engine: engine) for engine in engines}
    service = SynthesisService(config, made, clock=clock or Clock())
    await service.start(trial=False)
    try:
        yield service
    finally:
        for engine in engines:
            if (gate := getattr(engine, "gate", None)) is not None:
                gate.release(1000)
        await service.stop()


def by(name: str, **limits: Any) -> CallContext:
    return CallContext(caller=Caller(name, **limits))


async def refusal(service: SynthesisService, context: CallContext) -> TtsError:
    with pytest.raises(TtsError) as caught:
        await collect(service.stream(REQUEST, context))
    return caught.value


async def texts(*parts: str) -> AsyncIterator[str]:
    for part in parts:
        yield part


# Limits of a key.


def test_a_key_has_no_more_streams_than_it_may_through_whichever_way_it_asks() -> None:
    async def scenario() -> None:
        engine = FakeEngine(gate=threading.Semaphore(0))
        ann, bob = by("ann", max_streams=1), by("bob", max_streams=1)
        async with serving(engine) as service:
            first = asyncio.create_task(collect(service.stream(REQUEST, ann)), name="first")
            await until(lambda: service.streams == 1)
            with pytest.raises(RateLimited, match="1 streams of this key"):
                await service.synthesize(REQUEST, ann)
            with pytest.raises(RateLimited):
                await collect(service.stream_text(REQUEST, texts(" More."), ann))
            assert (await refusal(service, ann)).retry_after_s == 1
            other = asyncio.create_task(service.synthesize(REQUEST, bob), name="other")
            await until(lambda: service.streams == 2)
            assert engine.gate is not None
            engine.gate.release(6)
            assert (await other).pcm == ramp_pcm(1000)
            assert len(await first) > 1
            engine.gate.release(3)
            assert (await service.synthesize(REQUEST, ann)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_key_that_asked_too_often_is_told_when_to_come_again() -> None:
    async def scenario() -> None:
        clock, engine = Clock(), FakeEngine()
        ann = by("ann", requests_per_minute=2)
        async with serving(engine, clock=clock) as service:
            for _ in range(2):
                await service.synthesize(REQUEST, ann)
            spoken = len(engine.steps)
            error = await refusal(service, ann)
            assert (type(error), error.retry_after_s) == (RateLimited, pytest.approx(30))
            assert len(engine.steps) == spoken
            clock.now_s += 30
            await service.synthesize(REQUEST, ann)

    asyncio.run(scenario())


def test_a_bad_request_is_not_counted() -> None:
    async def scenario() -> None:
        ann = by("ann", requests_per_minute=1)
        async with serving(FakeEngine()) as service:
            for _ in range(3):
                with pytest.raises(BadRequest):
                    await service.synthesize(replace(REQUEST, text="?!"), ann)
            await service.synthesize(REQUEST, ann)

    asyncio.run(scenario())


def test_one_keys_flood_takes_no_stream_and_no_place_in_the_queue_from_another() -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100,), gate=threading.Semaphore(0))
        ann, bob = by("ann", max_streams=2), by("bob", max_streams=2)
        limits = LimitsConfig(max_streams=3, max_queued=1)
        async with serving(engine, limits=limits) as service:
            flood = [
                asyncio.create_task(service.synthesize(REQUEST, ann), name=f"ann{i}")
                for i in range(100)
            ]
            await until(lambda: sum(task.done() for task in flood) == 98)
            mine = [
                asyncio.create_task(service.synthesize(REQUEST, bob), name=f"bob{i}")
                for i in range(2)
            ]
            await until(lambda: service.streams == 3 and service.waiting == 1)
            assert engine.gate is not None
            engine.gate.release(100)
            assert [(await task).pcm for task in mine] == [ramp_pcm(100)] * 2
            ended = await asyncio.gather(*flood, return_exceptions=True)
        assert sum(isinstance(end, RateLimited) for end in ended) == 98

    asyncio.run(scenario())


def test_cancelling_while_queued_loses_nothing() -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100,), gate=threading.Semaphore(0))
        ann = by("ann", max_streams=2)
        limits = LimitsConfig(max_streams=1, max_queued=1, max_wait_s=10)
        async with serving(engine, limits=limits) as service:
            first = asyncio.create_task(service.synthesize(REQUEST), name="first")
            await until(lambda: service.streams == 1)
            for _ in range(3):
                queued = asyncio.create_task(service.synthesize(REQUEST, ann), name="queued")
                await until(lambda: service.waiting == 1)
                queued.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await queued
            assert (service.waiting, service.streams) == (0, 1)
            waits = asyncio.create_task(service.synthesize(REQUEST, ann), name="waits")
            await until(lambda: service.waiting == 1)
            assert engine.gate is not None
            engine.gate.release(2)
            assert [(await task).pcm for task in (first, waits)] == [ramp_pcm(100)] * 2
            assert engine.steps == [(REQUEST.text, 0)] * 2

    asyncio.run(scenario())


# Everybody's limits.


def test_a_refusal_tells_when_a_stream_will_be_free_by_how_long_streams_take() -> None:
    async def scenario() -> None:
        clock = Clock()
        engine = FakeEngine(piece_samples=(100,), gate=threading.Semaphore(0))
        assert engine.gate is not None
        limits = LimitsConfig(max_streams=2, max_queued=0)
        async with serving(engine, limits=limits, clock=clock) as service:

            async def two_streams() -> list[asyncio.Task[Any]]:
                running = [
                    asyncio.create_task(service.synthesize(REQUEST), name=f"r{i}") for i in (0, 1)
                ]
                await until(lambda: service.streams == 2)
                return running

            async def end(running: list[asyncio.Task[Any]]) -> None:
                assert engine.gate is not None
                engine.gate.release(2)
                await asyncio.gather(*running)

            running = await two_streams()
            unknown = await refusal(service, CallContext())
            assert (type(unknown), unknown.retry_after_s) == (Overloaded, 1)
            clock.now_s += 20
            await end(running)
            running = await two_streams()
            assert (await refusal(service, CallContext())).retry_after_s == pytest.approx(10)
            await end(running)

    asyncio.run(scenario())


def test_a_refusal_for_lateness_tells_how_late() -> None:
    async def scenario() -> None:
        working = WorkingEngine(seconds=lambda kind: time.sleep(0.01))
        async with serving(working, limits=LimitsConfig(first_packet_ms=1)) as service:
            await service.synthesize(REQUEST)
            gate = working.gate = threading.Semaphore(0)
            working.entered.clear()
            first = asyncio.create_task(collect(service.stream(REQUEST)), name="first")
            await until(lambda: len(working.entered) == 1)
            error = await refusal(service, CallContext())
            assert type(error) is Overloaded
            # Two requests of four works each, less what is allowed, with room for what varies.
            assert 0.04 < (error.retry_after_s or 0) < 10
            gate.release(1000)
            await first

    asyncio.run(scenario())


# Deadlines.


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_what_is_no_time_is_a_bad_request(timeout_s: float) -> None:
    async def scenario() -> None:
        async with serving(FakeEngine()) as service:
            error = await refusal(service, CallContext(timeout_s=timeout_s))
            assert type(error) is BadRequest
            assert "timeout_s" in str(error)

    asyncio.run(scenario())


@pytest.mark.parametrize("timeout_s", [60.0, float("inf"), None])
def test_a_deadline_that_is_kept_changes_nothing(timeout_s: float | None) -> None:
    async def scenario() -> None:
        async with serving(FakeEngine()) as service:
            context = CallContext(timeout_s=timeout_s)
            chunks = await collect(service.stream(REQUEST, context))
            assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)
            assert (await service.synthesize(REQUEST, context)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_deadline_in_the_middle_ends_the_stream_and_the_work_at_the_next_step() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(1)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with serving(engine) as service:
            received: list[int] = []
            with pytest.raises(DeadlineExceeded, match=r"0\.5 s have passed"):
                async for chunk in service.stream(REQUEST, CallContext(timeout_s=0.5)):
                    received.append(len(chunk.pcm) // 2)
            assert sum(received) == 100
            assert service.streams == 0
            # The step that waited at the gate may end; no later one.
            gate.release(50)
            await until(lambda: engine.dropped == [REQUEST.text])
            assert len(engine.steps) == 2

    asyncio.run(scenario())


def test_a_reader_that_is_past_its_deadline_gets_no_more_though_audio_is_there() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with serving(engine) as service:
            stream = service.stream(REQUEST, CallContext(timeout_s=0.05))
            async with aclosing(stream) as chunks:
                await anext(chunks)
                await asyncio.sleep(0.1)
                with pytest.raises(DeadlineExceeded):
                    await anext(chunks)

    asyncio.run(scenario())


def test_a_deadline_ends_a_text_that_is_being_written_too_and_closes_it() -> None:
    closed: list[bool] = []

    async def written() -> AsyncIterator[str]:
        try:
            yield " More."
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def scenario() -> None:
        never = threading.Semaphore(0)
        async with serving(FakeEngine(gate=never)) as service:
            stream = service.stream_text(REQUEST, written(), CallContext(timeout_s=0.1))
            with pytest.raises(DeadlineExceeded):
                await collect(stream)
            assert (closed, service.streams) == ([True], 0)

    asyncio.run(scenario())


def test_a_deadline_ends_the_wait_for_a_stream() -> None:
    async def scenario() -> None:
        engine = FakeEngine(gate=threading.Semaphore(0))
        limits = LimitsConfig(max_streams=1, max_wait_s=30)
        async with serving(engine, limits=limits) as service:
            first = asyncio.create_task(service.synthesize(REQUEST), name="first")
            await until(lambda: service.streams == 1)
            assert type(await refusal(service, CallContext(timeout_s=0.05))) is DeadlineExceeded
            assert service.waiting == 0
            assert engine.gate is not None
            engine.gate.release(3)
            await first

    asyncio.run(scenario())


@asynccontextmanager
async def slow(*others: Engine, **limits: Any) -> AsyncIterator[Any]:
    """An engine that is known to take 0.2 s to its first audio, and its service."""
    working = WorkingEngine(seconds=lambda kind: time.sleep(0.05))
    async with serving(working, *others, limits=LimitsConfig(**limits)) as service:
        await service.synthesize(REQUEST)
        working.entered.clear()
        yield working, service


def test_a_deadline_that_cannot_be_kept_is_refused_before_any_work() -> None:
    async def scenario() -> None:
        async with slow() as (working, service):
            error = await refusal(service, CallContext(timeout_s=0.1))
            assert type(error) is DeadlineExceeded
            assert "the first audio would take about 2" in str(error)
            assert working.entered == []

    asyncio.run(scenario())


def test_or_it_is_kept_in_a_light_voice() -> None:
    async def scenario() -> None:
        light = FakeEngine(name="light", voices=(LEA,))
        async with slow(light, overload="light") as (working, service):
            chunks = await collect(service.stream(REQUEST, CallContext(timeout_s=0.1)))
            assert {chunk.voice for chunk in chunks} == {"lea"}
            assert working.entered == []

    asyncio.run(scenario())


# Engines that fail.

BREAKER = BreakerConfig(failures=3, rest_s=5)


async def fail(service: SynthesisService, times: int) -> None:
    for _ in range(times):
        assert type(await refusal(service, CallContext())) is EngineFailed


def resting(service: SynthesisService) -> list[bool]:
    return [engine.is_resting for engine in service.engines_now]


def test_an_engine_that_fails_is_given_a_rest_and_tried_again() -> None:
    async def scenario() -> None:
        clock, engine = Clock(), FakeEngine(fails_at=0)
        async with serving(engine, clock=clock, breaker=BREAKER) as service:
            await fail(service, 3)
            assert resting(service) == [True]
            tried = len(engine.entered)
            clock.now_s += 1
            error = await refusal(service, CallContext())
            assert (type(error), error.retry_after_s) == (Unavailable, 4)
            assert "engine fake failed too often" in str(error)
            with pytest.raises(Unavailable):
                await collect(service.stream_text(REQUEST, texts(" More.")))
            assert len(engine.entered) == tried

            # The trial fails: twice as long.
            clock.now_s += 4
            await fail(service, 1)
            assert (await refusal(service, CallContext())).retry_after_s == 10

            # One may try, the others wait for what becomes of it.
            clock.now_s += 10
            engine.fails_at, engine.gate = None, threading.Semaphore(0)
            trial = asyncio.create_task(service.synthesize(REQUEST), name="trial")
            await until(lambda: len(engine.entered) == tried + 2)
            assert type(await refusal(service, CallContext())) is Unavailable
            engine.gate.release(1000)
            assert (await trial).pcm == ramp_pcm(1000)
            assert resting(service) == [False]
            assert (await service.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_the_first_audio_of_a_trial_lets_the_others_in() -> None:
    async def scenario() -> None:
        clock, engine = Clock(), FakeEngine(fails_at=0)
        async with serving(engine, clock=clock, breaker=BREAKER) as service:
            await fail(service, 3)
            clock.now_s += 5
            engine.fails_at, engine.gate = None, threading.Semaphore(1)
            async with aclosing(service.stream(REQUEST)) as trial:
                await anext(trial)
                assert resting(service) == [False]
                other = asyncio.create_task(service.synthesize(REQUEST), name="other")
                await until(lambda: service.streams == 2)
                engine.gate.release(1000)
                assert (await other).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_trial_that_is_cancelled_lets_the_next_request_try() -> None:
    async def scenario() -> None:
        clock, engine = Clock(), FakeEngine(fails_at=0)
        async with serving(engine, clock=clock, breaker=BREAKER) as service:
            await fail(service, 3)
            clock.now_s += 5
            engine.fails_at, engine.gate = None, threading.Semaphore(0)
            trial = asyncio.create_task(service.synthesize(REQUEST), name="trial")
            await until(lambda: service.streams == 1)
            trial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await trial
            engine.gate.release(1000)
            assert (await service.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_while_an_engine_rests_a_light_voice_speaks_where_that_is_the_policy() -> None:
    async def scenario() -> None:
        light = FakeEngine(name="light", voices=(LEA,))
        limits = LimitsConfig(overload="light")
        async with serving(
            FakeEngine(fails_at=0), light, limits=limits, breaker=BREAKER
        ) as service:
            await fail(service, 3)
            assert resting(service) == [True, False]
            assert (await service.synthesize(REQUEST)).voice == "lea"
            # Whom nobody waits for can wait.
            patient = await refusal(service, CallContext(patient=True))
            assert type(patient) is Unavailable
            # A light engine that rests as well is no help.
            light.fails_at = 0
            for _ in range(3):
                assert type(await refusal(service, CallContext())) is EngineFailed
            assert type(await refusal(service, CallContext())) is Unavailable

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [CannotSpeak("no sound for this text"), Overloaded("no room for this voice")]
)
def test_a_text_or_voice_that_cannot_be_spoken_gives_no_engine_a_rest(error: TtsError) -> None:
    async def scenario() -> None:
        engine = FakeEngine(fails_at=0, error=error)
        async with serving(engine, breaker=BREAKER) as service:
            for _ in range(10):
                found = await refusal(service, CallContext())
                assert (type(found), found.code) == (type(error), error.code)
            engine.fails_at = None
            assert (await service.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_probes_count_against_nobody() -> None:
    async def scenario() -> None:
        engine = FakeEngine(fails_at=0)
        ann = by("", requests_per_minute=1, max_streams=1)
        health = HealthConfig(probe_timeout_s=5)
        async with serving(engine, breaker=BREAKER, health=health) as service:
            for _ in range(10):
                with pytest.raises(EngineFailed):
                    await service.probe()
            assert resting(service) == [False]
            engine.fails_at, engine.gate = None, threading.Semaphore(0)
            probing = asyncio.create_task(service.probe(), name="probing")
            await until(lambda: engine.entered[-1] == ("Ready.", 0))
            assert (service.streams, service.waiting) == (0, 0)
            engine.gate.release(1000)
            await probing
            assert (await service.synthesize(REQUEST, ann)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_probe_that_works_does_not_end_an_engines_rest() -> None:
    """Otherwise the row of failures would begin anew though no caller was served."""

    async def scenario() -> None:
        engine = FakeEngine(fails_at=0)
        async with serving(engine, breaker=BREAKER) as service:
            await fail(service, 3)
            engine.fails_at = None
            await service.probe()
            assert resting(service) == [True]

    asyncio.run(scenario())
