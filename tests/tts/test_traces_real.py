"""One trace over a real wire: a caller's span, and the service's inside of it."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from tests.tts.doors import grpc_door
from tests.tts.fake_engine import FakeEngine, builders
from tests.tts.otlp import collecting
from tests.tts.test_contract import REQUEST, collect
from tts.client import TtsClient
from tts.config import ServiceConfig, TracingConfig
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
