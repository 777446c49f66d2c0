"""What a request leaves behind: numbers, a span, and no word of its text."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.traces import Traces, plain
from tests.tts.fake_engine import RATE_HZ, FakeEngine, builders
from tests.tts.test_contract import collect, until
from tts.config import BreakerConfig, CacheConfig, LimitsConfig, ServiceConfig
from tts.context import CallContext, Caller
from tts.errors import EngineFailed, Overloaded, RateLimited, TtsError, VoiceNotFound
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

REQUEST = SynthesisRequest("Hello there, Ann.", "ann", "en")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GRPC = CallContext(door="grpc", traceparent=f"00-{TRACE}-{SPAN}-01")
UNCACHED = CacheConfig(memory_mb=0)
# What the engine is made of is known, so that audio can be kept.
KEPT = (Voice("ann", ("en",), RATE_HZ, "fake", state="1"),)


class Seen:
    """A service that has started, and what can be seen of it."""

    def __init__(self, engine: FakeEngine, config: ServiceConfig) -> None:
        self.engine = engine
        self.traces = Traces()
        self.service = SynthesisService(config, builders(engine), tracing=self.traces.tracing)

    async def __aenter__(self) -> "Seen":
        await self.service.start(trial=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.engine.gate is not None:
            self.engine.gate.release(1000)
        await self.service.stop()

    def value(self, name: str, **labels: str) -> float | None:
        """Of one sample; None when there is none with these labels."""
        for family in text_string_to_metric_families(self.service.metrics.render()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None


def test_a_request_is_counted_by_door_engine_and_code_and_measured() -> None:
    async def scenario() -> None:
        async with Seen(FakeEngine(), ServiceConfig(cache=UNCACHED)) as seen:
            await collect(seen.service.stream(REQUEST, GRPC))
            await seen.service.synthesize(REQUEST)
            way = {"door": "grpc", "engine": "fake"}
            assert seen.value("parley_tts_requests_total", code="ok", **way) == 1
            assert seen.value("parley_tts_first_packet_seconds_count", **way) == 1
            assert seen.value("parley_tts_request_seconds_count", **way) == 1
            assert seen.value("parley_tts_audio_seconds_total", **way) == 1.0
            assert seen.value("parley_tts_characters_total", **way) == len(REQUEST.text)
            assert seen.value("parley_tts_queue_wait_seconds_count") == 2
            assert seen.value("parley_tts_requests_total", door="local", engine="fake", code="ok")
            assert seen.value("parley_tts_streams") == seen.value("parley_tts_waiting") == 0
            assert seen.value("parley_tts_voices", engine="fake") == 2
            assert seen.value("parley_tts_steps_total", engine="fake") == 6

    asyncio.run(scenario())


def test_a_span_tells_who_spoke_and_how_it_ended_and_belongs_to_its_caller() -> None:
    async def scenario() -> None:
        async with Seen(FakeEngine(), ServiceConfig(cache=UNCACHED)) as seen:
            await collect(seen.service.stream(REQUEST, GRPC))
        assert seen.traces.paths == ["tts.request", "tts.request > tts.queue"]
        [span] = seen.traces.named("tts.request")
        assert span.parent is not None
        assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
        assert [event.name for event in span.events] == ["first_packet"]
        assert plain(span) == {
            "door": "grpc",
            "engine": "fake",
            "voice": "ann",
            "code": "ok",
            "chars": 17,
            "audio_s": 1.0,
        }

    asyncio.run(scenario())


def test_what_was_spoken_before_is_counted_as_the_caches() -> None:
    async def scenario() -> None:
        async with Seen(FakeEngine(voices=KEPT), ServiceConfig()) as seen:
            for _ in range(3):
                await collect(seen.service.stream(REQUEST, GRPC))
            way = {"door": "grpc", "code": "ok"}
            assert seen.value("parley_tts_requests_total", engine="fake", **way) == 1
            assert seen.value("parley_tts_requests_total", engine="cache", **way) == 2
            assert seen.value("parley_tts_cache_requests_total", result="miss") == 1
            assert seen.value("parley_tts_cache_requests_total", result="memory") == 2
            held = seen.service.cache.counts.memory_bytes
            assert seen.value("parley_tts_cache_bytes", level="memory") == held > 2 * RATE_HZ
            spoken = [plain(span)["engine"] for span in seen.traces.named("tts.request")]
            assert spoken == ["fake", "cache", "cache"]
            assert len(seen.traces.named("tts.queue")) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "context", "error", "engine"),
    [
        (replace(REQUEST, voice="eve"), GRPC, VoiceNotFound, "none"),
        (
            REQUEST,
            replace(GRPC, caller=Caller("ann", max_streams=0)),
            RateLimited,
            "none",
        ),
        (replace(REQUEST, text="fails"), GRPC, EngineFailed, "fake"),
    ],
)
def test_a_request_that_fails_is_counted_by_its_errors_code(
    request_: SynthesisRequest, context: CallContext, error: type[TtsError], engine: str
) -> None:
    async def scenario() -> None:
        broken = FakeEngine(fails_at=0 if request_.text == "fails" else None)
        async with Seen(broken, ServiceConfig(cache=UNCACHED)) as seen:
            with pytest.raises(error):
                await collect(seen.service.stream(request_, context))
            way = {"door": "grpc", "engine": engine}
            assert seen.value("parley_tts_requests_total", code=error.code, **way) == 1
            assert seen.value("parley_tts_first_packet_seconds_count", **way) is None
            [span] = seen.traces.named("tts.request")
            assert (plain(span)["error.type"], plain(span)["code"]) == (error.code, error.code)

    asyncio.run(scenario())


def test_a_request_that_found_no_stream_has_waited_and_ends_in_its_queue() -> None:
    async def scenario() -> None:
        config = ServiceConfig(
            cache=UNCACHED, limits=LimitsConfig(max_streams=1, max_queued=1, max_wait_s=0.05)
        )
        async with Seen(FakeEngine(gate=threading.Semaphore(0)), config) as seen:
            speaking = asyncio.create_task(collect(seen.service.stream(REQUEST)), name="first")
            await until(lambda: seen.service.streams == 1)
            waiting = asyncio.create_task(collect(seen.service.stream(REQUEST)), name="second")
            await until(lambda: seen.service.waiting == 1)
            assert (seen.value("parley_tts_streams"), seen.value("parley_tts_waiting")) == (1, 1)
            with pytest.raises(Overloaded):
                await waiting
            assert seen.engine.gate is not None
            seen.engine.gate.release(3)
            await speaking
            assert seen.value("parley_tts_queue_wait_seconds_count") == 1
            failed, spoken = seen.traces.named("tts.request")
            assert (failed.status.description, plain(spoken)["code"]) == ("overloaded", "ok")
            assert [seen.traces.path(span) for span in seen.traces.named("tts.queue")] == [
                "tts.request > tts.queue"
            ] * 2

    asyncio.run(scenario())


def test_whoever_leaves_after_the_final_chunk_was_served_and_before_it_was_not() -> None:
    async def scenario() -> None:
        async with Seen(FakeEngine(), ServiceConfig(cache=UNCACHED)) as seen:
            async with aclosing(seen.service.stream(REQUEST)) as chunks:
                async for chunk in chunks:
                    if chunk.is_final:
                        break
            async with aclosing(seen.service.stream(REQUEST)) as chunks:
                await anext(chunks)
            codes = [plain(span)["code"] for span in seen.traces.named("tts.request")]
            assert codes == ["ok", "cancelled"]
            assert [span.status.is_ok for span in seen.traces.named("tts.request")] == [True, True]

    asyncio.run(scenario())


def test_a_text_that_is_being_written_is_one_request_with_all_its_characters() -> None:
    async def texts() -> AsyncIterator[str]:
        yield " And"
        yield " more."

    async def scenario() -> None:
        async with Seen(FakeEngine(), ServiceConfig()) as seen:
            await collect(seen.service.stream_text(REQUEST, texts(), GRPC))
            assert seen.value("parley_tts_requests_total", door="grpc", engine="fake", code="ok")
            [span] = seen.traces.named("tts.request")
            assert plain(span)["chars"] == len(REQUEST.text) + len(" And more.")

    asyncio.run(scenario())


def test_probes_and_rests_of_an_engine_are_seen() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        config = ServiceConfig(cache=UNCACHED, breaker=BreakerConfig(failures=1))
        async with Seen(engine, config) as seen:
            await seen.service.probe()
            assert seen.value("parley_tts_probes_total", engine="fake", code="ok") == 1
            assert seen.value("parley_tts_breaker_open", engine="fake") == 0
            engine.fails_at = 0
            with pytest.raises(EngineFailed):
                await seen.service.probe()
            assert seen.value("parley_tts_probes_total", engine="fake", code="engine_failed") == 1
            with pytest.raises(EngineFailed):
                await collect(seen.service.stream(REQUEST))
            assert seen.value("parley_tts_breaker_open", engine="fake") == 1

    asyncio.run(scenario())


def test_no_label_and_no_attribute_holds_a_text_and_no_label_a_voice_or_a_caller() -> None:
    async def scenario() -> None:
        async with Seen(FakeEngine(), ServiceConfig()) as seen:
            context = replace(GRPC, caller=Caller("secret-caller"))
            await collect(seen.service.stream(REQUEST, context))
            told = seen.service.metrics.render()
            spans = " ".join(str(plain(span)) for span in seen.traces.spans)
        assert [word for word in ("Hello", "ann", "secret-caller") if word in told] == []
        assert [word for word in ("Hello", "secret-caller") if word in spans] == []

    asyncio.run(scenario())
