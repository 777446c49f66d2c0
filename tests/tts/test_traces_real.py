"""One trace over a real wire: a caller's span, and the service's inside of it."""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from tests.tts.doors import grpc_door
from tests.tts.fake_engine import FakeEngine, builders
from tests.tts.otlp import collecting
from tests.tts.test_contract import REQUEST, collect
from tts.app import Addresses, App
from tts.client import TtsClient
from tts.config import Secrets, ServiceConfig, TracingConfig
from tts.service import SynthesisService
from tts.tracing import inject, set_up, within

pytestmark = pytest.mark.real


def test_the_spans_of_agent_and_service_are_one_trace_at_the_collector() -> None:
    async def scenario() -> None:
        config = ServiceConfig()
        async with collecting() as collector:
            settings = TracingConfig(endpoint=collector.url)
            agent, tts = set_up(settings, "parley-agent"), set_up(settings, "parley-tts")
            service = SynthesisService(config, builders(FakeEngine()), tracing=tts)
            await service.start(trial=False)
            with tempfile.TemporaryDirectory() as folder:
                address = f"unix:{Path(folder) / 's'}"
                async with grpc_door(service, config, address):
                    client = TtsClient(address, inject=inject)
                    try:
                        call = agent.begin("call")
                        asks = call.begin("tts")
                        with within(asks):
                            await collect(client.stream(REQUEST))
                            await client.synthesize(REQUEST)
                        asks.end()
                        await collect(client.stream(REQUEST))
                        call.end()
                    finally:
                        await client.close()
                        await service.stop()
            await asyncio.gather(agent.stop(), tts.stop())
        [call_], [asks_] = collector.named("call"), collector.named("tts")
        first, second, alone = collector.named("tts.request")
        assert {span.trace_id for span in (asks_, first, second)} == {call_.trace_id}
        assert [span.parent_id for span in (call_, asks_, first, second, alone)] == [
            "",
            call_.span_id,
            asks_.span_id,
            asks_.span_id,
            "",
        ]
        assert alone.trace_id != call_.trace_id
        assert {span.service for span in (call_, asks_)} == {"parley-agent"}
        assert {span.service for span in (first, second, alone)} == {"parley-tts"}
        waited = collector.named("tts.queue")
        assert [span.parent_id for span in waited] == [
            span.span_id for span in (first, second, alone)
        ]
        assert first.events == ["first_packet"]
        assert first.attributes["parley.door"] == "grpc"
        # One clock on one machine: what is asked lies within what asks.
        assert call_.start_ns <= asks_.start_ns <= first.start_ns < first.end_ns <= asks_.end_ns
        told = " ".join(str(span.attributes) for span in collector.spans)
        assert REQUEST.text not in told

    asyncio.run(scenario())


def test_each_door_of_a_whole_service_takes_over_its_callers_trace_and_counts() -> None:
    def traceparent(number: int) -> str:
        return f"00-{number:032x}-{number:016x}-01"

    async def scenario() -> None:
        async with collecting() as collector:
            config = ServiceConfig(
                engines=("hibari",), tracing=TracingConfig(endpoint=collector.url, share=0)
            )
            app = App(config, Secrets(), Addresses(http="127.0.0.1:0"))
            try:
                await app.start()
                url = f"http://127.0.0.1:{app.http_port}"
                async with aiohttp.ClientSession(url) as session:
                    told = await speak_through_doors(session, traceparent)
            finally:
                await app.stop()
        spans = {span.trace_id: span for span in collector.named("tts.request")}
        # What carries no trace is not recorded, for the share is 0.
        assert {int(id, 16): span.parent_id for id, span in spans.items()} == {
            number: f"{number:016x}" for number in (1, 2, 3, 4)
        }
        doors = [spans[f"{number:032x}"].attributes["parley.door"] for number in (1, 2, 3, 4)]
        assert doors == ["openai", "openai", "websocket", "websocket"]
        assert [spans[f"{n:032x}"].error for n in (1, 2, 3, 4)] == ["", "voice_not_found", "", ""]
        for line in (
            'parley_tts_requests_total{code="ok",door="openai",engine="hibari"} 1.0',
            'parley_tts_refused_total{code="voice_not_found",door="openai"} 1.0',
            'parley_tts_refused_total{code="bad_request",door="api_v2"} 1.0',
            'parley_tts_requests_total{code="ok",door="websocket",engine="cache"} 2.0',
            'parley_tts_refused_total{code="bad_request",door="websocket"} 1.0',
        ):
            assert line in told, line

    asyncio.run(scenario())


async def speak_through_doors(
    session: aiohttp.ClientSession, traceparent: Callable[[int], str]
) -> list[str]:
    """The same text through each door, and something that is refused; what is counted then."""
    body = {"model": "parley", "input": "Hello.", "voice": "heart", "response_format": "pcm"}
    path = "/v1/audio/speech"
    async with session.post(path, json=body, headers={"Traceparent": traceparent(1)}) as answer:
        assert answer.status == 200
        await answer.read()
    body["voice"] = "nobody"
    async with session.post(path, json=body, headers={"traceparent": traceparent(2)}) as answer:
        assert answer.status == 404
    async with session.get("/tts", params={"text": "Hello."}) as answer:
        assert answer.status == 400
    request = {"type": "synthesize", "text": "Hello.", "voice": "heart", "language": "en"}
    async with session.ws_connect("/ws/tts", headers={"traceparent": traceparent(3)}) as socket:
        for id, field in (("a", {}), ("b", {"traceparent": traceparent(4)})):
            await socket.send_json({**request, "id": id, **field})
            await until_type(socket, "done")
        await socket.send_str("no JSON")
        await until_type(socket, "error")
    async with session.get("/metrics") as answer:
        return (await answer.text()).splitlines()


async def until_type(socket: aiohttp.ClientWebSocketResponse, type_: str) -> None:
    """Read until a message of this type; an error that is not asked for fails."""
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            found = json.loads(message.data)["type"]
            if found == type_:
                return
            assert found != "error", message.data
    raise AssertionError("the connection was closed")
