"""What surrounds a call of the gRPC door: deadlines, readers that stop, bytes that are no message,
traces, counts and the log."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from loguru import logger

from tests.tts.doors import KEY, grpc_door, over_grpc, running
from tests.tts.fake_engine import FakeEngine
from tests.tts.reading_engine import ReadingEngine
from tests.tts.test_contract import CONFIG, REQUEST, collect, until
from tests.tts.test_text_contract import Writer, written
from tts.client import TtsClient
from tts.config import LimitsConfig, Secrets, ServiceConfig
from tts.context import CallContext
from tts.errors import BadRequest, DeadlineExceeded, TtsError, Unavailable
from tts.metrics import Metrics
from tts.servers.grpc import MAX_MESSAGE_BYTES, SERVICE_NAME
from tts.servers.messages import request_to_wire
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.status import ERROR_CODE_KEY
from tts.service import SynthesisService
from tts.types import SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

WIRE_REQUEST = request_to_wire(REQUEST)


@asynccontextmanager
async def channel_to(
    engine: FakeEngine, config: ServiceConfig = CONFIG, *, metrics: Metrics | None = None
) -> AsyncIterator[tuple[grpc.aio.Channel, SynthesisService]]:
    """A client that is not ours, on TCP, and the service behind the door."""
    async with (
        running(engine, config) as service,
        grpc_door(service, config, "127.0.0.1:0", metrics=metrics) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield channel, service


async def ended(call: Any) -> tuple[grpc.StatusCode, str, str | None]:
    """How a call that fails does: status, message and our code."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    codes = [value for key, value in error.trailing_metadata() if key == ERROR_CODE_KEY]
    return error.code(), error.details(), codes[0] if codes else None


# Deadlines.


def test_a_deadline_in_the_middle_ends_the_stream_and_the_work() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(1)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with over_grpc(engine, CONFIG) as door:
            received = []
            with pytest.raises(DeadlineExceeded):
                async for chunk in door.stream(REQUEST, timeout_s=0.3):
                    received.append(chunk)
            await until(lambda: door.service.streams == 0)
            # The step that was waiting at the deadline may still end; no later one.
            gate.release(50)
            await until(lambda: engine.dropped == [REQUEST.text])
        assert sum(len(chunk.pcm) // 2 for chunk in received) == 100
        assert len(engine.steps) <= 2

    asyncio.run(scenario())


def test_a_deadline_holds_for_a_whole_text_and_for_a_whole_answer() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with over_grpc(ReadingEngine(gate=gate), CONFIG) as door:
            writer = Writer("Good morning, A")
            with pytest.raises(DeadlineExceeded):
                await collect(door.stream_text(REQUEST, writer.texts(), timeout_s=0.2))
            assert writer.closed
            with pytest.raises(DeadlineExceeded):
                await door.synthesize(REQUEST, timeout_s=0.2)
            await until(lambda: door.service.streams == 0)

    asyncio.run(scenario())


def test_a_deadline_that_has_passed_asks_nothing_of_the_engine() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with channel_to(engine) as (channel, service):
            call = tts_pb2_grpc.TextToSpeechStub(channel).Synthesize(WIRE_REQUEST, timeout=1e-9)
            assert (await ended(call))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
            await until(lambda: service.streams == 0)
        assert engine.steps == []

    asyncio.run(scenario())


class Hearing:
    """Notes the terms that a service is asked on."""

    def __init__(self, service: SynthesisService) -> None:
        self.terms: list[CallContext] = []
        self._stream = service.stream
        service.stream = self.stream  # type: ignore[method-assign]

    def stream(
        self, request: SynthesisRequest, context: CallContext
    ) -> AsyncGenerator[SpeechChunk]:
        self.terms.append(context)
        return self._stream(request, context)


def test_terms_are_those_of_the_call() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def scenario() -> None:
        async with (
            running(FakeEngine(), CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0", secrets=Secrets(token=KEY)) as port,
        ):
            hearing = Hearing(service)
            traced = TtsClient(
                f"127.0.0.1:{port}",
                key=KEY,
                inject=lambda carrier: carrier.update(traceparent=trace),
            )
            await collect(traced.stream(REQUEST, timeout_s=60.0))
            await collect(traced.stream(REQUEST))
            await traced.close()
        first, second = hearing.terms
        assert (first.door, first.caller.name, first.traceparent) == (
            "grpc",
            "env:PARLEY_TOKEN",
            trace,
        )
        assert first.timeout_s is not None
        assert 50 < first.timeout_s <= 60
        assert second.timeout_s is None

    asyncio.run(scenario())


# Readers that stop.


def test_a_reader_that_takes_nothing_is_dropped_and_others_go_on() -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100_000,) * 200)
        limits = LimitsConfig(**{**CONFIG.limits.model_dump(), "reader_idle_s": 0.3})
        config = CONFIG.model_copy(
            update={"limits": limits, "chunks": CONFIG.chunks.model_copy(update={"next_ms": 1000})}
        )
        metrics = Metrics()
        async with channel_to(engine, config, metrics=metrics) as (channel, service):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            call = stub.StreamSynthesize(WIRE_REQUEST)
            assert len((await call.read()).pcm) > 0
            await until(lambda: service.streams == 0)
            await until(lambda: engine.dropped == [REQUEST.text])
            assert len(engine.steps) < 200
            engine.piece_samples = (100,)
            other = [chunk async for chunk in stub.StreamSynthesize(WIRE_REQUEST)]
            assert other[-1].is_final
            # Whoever reads on after all is told why there is no more.
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                while await call.read() is not grpc.aio.EOF:
                    pass
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (ERROR_CODE_KEY, "slow_reader") in tuple(caught.value.trailing_metadata())
        assert 'parley_tts_refused_total{code="slow_reader",door="grpc"} 1.0' in metrics.render()

    asyncio.run(scenario())


# What is no message.


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("Synthesize", "unary_unary"),
        ("StreamSynthesize", "unary_stream"),
        ("ListVoices", "unary_unary"),
        ("SynthesizeText", "stream_stream"),
    ],
)
def test_bytes_that_are_no_message_end_their_call_alone(method: str, kind: str) -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with channel_to(FakeEngine(gate=gate)) as (channel, service):
            running_call = tts_pb2_grpc.TextToSpeechStub(channel).StreamSynthesize(WIRE_REQUEST)
            await until(lambda: service.streams == 1)
            ask = getattr(channel, kind)(f"/{SERVICE_NAME}/{method}")
            call = ask(iter([b"\xff"]) if kind == "stream_stream" else b"\xff")
            answer = call.read() if kind.endswith("_stream") else call
            status, message, code = await ended(answer)
            assert (status, code) == (grpc.StatusCode.INVALID_ARGUMENT, "bad_request")
            assert message == "the message cannot be parsed: see tts.proto"
            gate.release(100)
            assert [chunk.is_final async for chunk in running_call][-1]

    asyncio.run(scenario())


def test_bytes_that_are_no_message_end_a_text_that_has_begun() -> None:
    async def scenario() -> None:
        async with channel_to(ReadingEngine()) as (channel, service):
            call = channel.stream_stream(f"/{SERVICE_NAME}/SynthesizeText")()
            await call.write(tts_pb2.TextMessage(request=WIRE_REQUEST).SerializeToString())
            await until(lambda: service.streams == 1)
            await call.write(b"\xff")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                while await call.read() is not grpc.aio.EOF:
                    pass
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            await until(lambda: service.streams == 0)

    asyncio.run(scenario())


def test_a_message_beyond_the_bound_ends_its_call_alone() -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with channel_to(engine) as (channel, _):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            large = tts_pb2.SynthesizeRequest(text="a" * MAX_MESSAGE_BYTES, voice="ann")
            status, _, _ = await ended(stub.Synthesize(large))
            assert status is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert engine.steps == []
            assert (await stub.Synthesize(WIRE_REQUEST)).is_final

    asyncio.run(scenario())


def test_connections_that_speak_no_http2_or_break_off_harm_nobody() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with (
            running(FakeEngine(gate=gate), CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0") as port,
        ):
            client = TtsClient(f"127.0.0.1:{port}")
            stream = asyncio.create_task(collect(client.stream(REQUEST)), name="stream")
            await until(lambda: service.streams == 1)
            preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            for said in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64, preface, preface + b"\xff" * 99):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(said)
                await writer.drain()
                writer.transport.abort()
            gate.release(100)
            assert (await stream)[-1].is_final
            await client.close()

    asyncio.run(scenario())


def test_many_calls_that_are_reset_leave_no_stream_behind() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        config = CONFIG.model_copy(update={"limits": LimitsConfig(max_streams=50)})
        engine = FakeEngine(gate=gate)
        async with channel_to(engine, config) as (channel, service):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            calls = [stub.StreamSynthesize(WIRE_REQUEST) for _ in range(50)]
            reading = [asyncio.ensure_future(call.read()) for call in calls]
            await until(lambda: service.streams == 50)
            for call in calls:
                call.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            await until(lambda: service.streams == 0)
            gate.release(1000)
            assert (await stub.Synthesize(WIRE_REQUEST)).is_final

    asyncio.run(scenario())


# Failures, counts and the log.


def test_a_bug_of_ours_is_an_internal_error_and_tells_nothing() -> None:
    async def scenario() -> None:
        async with channel_to(FakeEngine()) as (channel, service):

            def broken(request: SynthesisRequest, context: CallContext) -> Any:
                raise KeyError("Hello there, Ann.")

            service.stream = broken  # type: ignore[method-assign]
            call = tts_pb2_grpc.TextToSpeechStub(channel).StreamSynthesize(WIRE_REQUEST)
            assert await ended(call.read()) == (
                grpc.StatusCode.UNKNOWN,
                "the service failed",
                "internal",
            )

    asyncio.run(scenario())


def test_refusals_are_counted_by_their_codes() -> None:
    async def scenario() -> None:
        metrics = Metrics()
        async with channel_to(FakeEngine(), metrics=metrics) as (channel, _):
            stub = tts_pb2_grpc.TextToSpeechStub(channel)
            for _ in range(3):
                await ended(stub.Synthesize(tts_pb2.SynthesizeRequest(text="hi", voice="eve")))
            await stub.Synthesize(WIRE_REQUEST)
        lines = [line for line in metrics.render().splitlines() if "refused_total{" in line]
        assert lines == ['parley_tts_refused_total{code="voice_not_found",door="grpc"} 3.0']

    asyncio.run(scenario())


def test_each_call_leaves_one_line_without_its_text() -> None:
    lines: list[Any] = []

    async def scenario() -> None:
        engine = FakeEngine()
        async with (
            running(engine, CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0", secrets=Secrets(token=KEY)) as port,
        ):
            client = TtsClient(f"127.0.0.1:{port}", key=KEY)
            await collect(client.stream(REQUEST))
            # Of what is spoken next, one piece: the rest waits for longer than its caller.
            engine.gate = threading.Semaphore(1)
            with pytest.raises(BadRequest):
                await client.synthesize(SynthesisRequest("Hello", "bob", "zh"))
            async with aclosing(client.stream_text(REQUEST, written("Hello there."))) as chunks:
                await anext(chunks)
            await until(lambda: len(lines) == 3)
            engine.gate.release(100)
            assert await client.ready()
            stranger = TtsClient(f"127.0.0.1:{port}")
            with pytest.raises(TtsError):
                await stranger.voices()
            for one in (client, stranger):
                await one.close()

    sink = logger.add(
        lambda line: lines.append(line.record),
        filter=lambda record: record["message"] == "call ended",
    )
    try:
        asyncio.run(scenario())
    finally:
        logger.remove(sink)
    fields = [line["extra"] for line in lines]
    assert [(one["method"], one["code"], one["caller"]) for one in fields] == [
        ("StreamSynthesize", "ok", "env:PARLEY_TOKEN"),
        ("Synthesize", "bad_request", "env:PARLEY_TOKEN"),
        ("SynthesizeText", "cancelled", "env:PARLEY_TOKEN"),
        ("ListVoices", "unauthenticated", ""),
    ]
    assert all(set(one) == {"method", "code", "ms", "caller", "peer"} for one in fields)
    assert all(one["peer"].startswith("ipv4:127.0.0.1:") and one["ms"] >= 0 for one in fields)
    assert "Hello" not in json.dumps(fields)


def test_a_service_that_is_not_there_is_unavailable() -> None:
    async def scenario() -> None:
        client = TtsClient("127.0.0.1:1")
        with pytest.raises(Unavailable):
            await client.voices()
        await client.close()

    asyncio.run(scenario())
