"""Spans, and how a trace crosses a wire."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest
from loguru import logger
from opentelemetry.trace import StatusCode

from tests.fakes.traces import Traces
from tests.tts.otlp import collecting
from tts.config import TracingConfig
from tts.tracing import NO_SPAN, OFF, QUEUE_SPANS, extract, inject, set_up, within

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("carrier", "found"),
    [
        ({"traceparent": TRACEPARENT}, TRACEPARENT),
        ({}, ""),
        ({"traceparent": ""}, ""),
        ({"traceparent": b"\x00"}, ""),
        ({"traceparent": TRACEPARENT.upper()}, ""),
        ({"traceparent": TRACEPARENT + "-more"}, ""),
        ({"traceparent": f"ff-{TRACE}-{SPAN}-01"}, ""),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, ""),
        ({"traceparent": f"00-{TRACE}-{'0' * 16}-01"}, ""),
    ],
)
def test_only_a_well_formed_trace_is_taken_over(carrier: dict[str, object], found: str) -> None:
    assert extract(carrier) == found


def test_what_is_asked_within_a_span_belongs_to_it() -> None:
    tracing = Traces().tracing
    carrier: dict[str, str] = {}
    inject(carrier)
    assert carrier == {}
    with within(tracing.begin("outer")) as _, within(tracing.begin("inner", TRACEPARENT)):
        inject(carrier)
    assert extract(carrier).split("-")[1] == TRACE
    inject(after := {})
    assert after == {}


def test_spans_lie_inside_of_each_other_and_tell_their_times() -> None:
    now_ns = 10**18
    traces = Traces(lambda: now_ns)
    request = traces.tracing.begin("request", TRACEPARENT, door="grpc", chars=3)
    waited = request.begin("queue", ago_s=0.5)
    now_ns += 10**9
    waited.end()
    request.event("first_packet", cached=True)
    request.set(code="engine_failed")
    request.end(error="engine_failed")
    request.end()
    queue, whole = traces.spans
    assert whole.parent is not None and queue.parent is not None and whole.context is not None
    assert f"{whole.parent.trace_id:032x}-{whole.parent.span_id:016x}" == f"{TRACE}-{SPAN}"
    assert (queue.parent.span_id, queue.parent.trace_id) == (
        whole.context.span_id,
        whole.context.trace_id,
    )
    assert (queue.start_time, queue.end_time) == (10**18 - 5 * 10**8, now_ns)
    assert dict(whole.attributes or {}) == {
        "parley.door": "grpc",
        "parley.chars": 3,
        "parley.code": "engine_failed",
        "error.type": "engine_failed",
    }
    assert (whole.status.status_code, whole.status.description) == (
        StatusCode.ERROR,
        "engine_failed",
    )
    assert [(event.name, event.timestamp) for event in whole.events] == [("first_packet", now_ns)]


def test_without_an_endpoint_nothing_is_recorded_and_nothing_crosses_a_wire() -> None:
    tracing = set_up(TracingConfig(), "tts")
    span = tracing.begin("request", TRACEPARENT)
    assert (tracing, span) == (OFF, NO_SPAN)
    assert span.begin("inside") is span
    with within(span):
        inject(carrier := {})
    assert carrier == {}


@pytest.mark.real
def test_without_an_endpoint_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; from tts.config import TracingConfig; from tts import tracing;"
        "span = tracing.set_up(TracingConfig(), 'tts').begin('a');"
        "span.begin('b').end(); span.end();"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True
    )
    assert said.stdout == "[]\n"


@pytest.mark.real
def test_spans_reach_a_collector_before_the_end() -> None:
    async def scenario() -> None:
        async with collecting() as collector:
            tracing = set_up(TracingConfig(endpoint=collector.url + "/"), "parley-tts")
            request = tracing.begin("request", TRACEPARENT, voice="ann")
            request.begin("queue").end()
            request.end()
            await tracing.stop()
            await tracing.stop()
        (request_,), (queue,) = collector.named("request"), collector.named("queue")
        assert (request_.service, request_.trace_id, request_.parent_id) == (
            "parley-tts",
            TRACE,
            SPAN,
        )
        assert (queue.trace_id, queue.parent_id) == (TRACE, request_.span_id)
        assert request_.attributes == {"parley.voice": "ann"}

    asyncio.run(scenario())


@pytest.mark.real
def test_whether_a_trace_is_recorded_is_for_its_first_to_say() -> None:
    async def scenario() -> None:
        async with collecting() as collector:
            tracing = set_up(TracingConfig(endpoint=collector.url, share=0), "tts")
            tracing.begin("own").end()
            tracing.begin("asked", TRACEPARENT).end()
            not_recorded = tracing.begin("not asked", TRACEPARENT[:-2] + "00")
            assert not_recorded.traceparent[-2:] == "00"
            not_recorded.end()
            await tracing.stop()
        assert [span.name for span in collector.spans] == ["asked"]

    asyncio.run(scenario())


@pytest.mark.real
def test_a_collector_that_never_answers_keeps_nobody() -> None:
    async def scenario() -> None:
        async with collecting(answers=False) as collector:
            tracing = set_up(TracingConfig(endpoint=collector.url), "tts")
            # More than can wait: the oldest are lost, and nobody is held up.
            for number in range(2 * QUEUE_SPANS):
                tracing.begin("request", number=number).end()
            while not collector.asked:  # noqa: ASYNC110 - another thread asks
                await asyncio.sleep(0.01)
            await tracing.stop()
            assert (collector.asked, collector.answered) == (1, 0)

    asyncio.run(scenario())


@pytest.mark.real
@pytest.mark.parametrize("status", [500, 503, None])
def test_a_collector_that_fails_or_is_away_costs_a_line_in_the_log(status: int | None) -> None:
    lines: list[str] = []

    async def scenario() -> None:
        async with collecting(status=status or 200) as collector:
            url = collector.url if status else f"http://127.0.0.1:{_free_port()}"
            tracing = set_up(TracingConfig(endpoint=url), "tts")
            for _ in range(3):
                tracing.begin("request").end()
            await tracing.stop()
            assert (collector.spans, collector.asked > 0) == ([], status is not None)

    sink = logger.add(lambda line: lines.append(line), format="{message}")
    try:
        asyncio.run(scenario())
    finally:
        logger.remove(sink)
    assert lines == ["traces are being lost\n"]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
