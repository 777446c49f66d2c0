"""A collector of traces: OTLP over HTTP on a port of its own, and what it was sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class SentSpan:
    """A span as it came over the wire; ids in hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: list[str]
    error: str
    start_ns: int
    end_ns: int


@dataclass
class Collector:
    """Answers with `status`, once `gate` is open."""

    status: int = 200
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    spans: list[SentSpan] = field(default_factory=list)
    asked: int = 0
    answered: int = 0
    url: str = ""

    def named(self, name: str) -> list[SentSpan]:
        return [span for span in self.spans if span.name == name]

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        message = ExportTraceServiceRequest.FromString(await request.read())
        await self.gate.wait()
        if self.status == 200:
            self.spans += _spans(message)
        self.answered += 1
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(),
            status=self.status,
            content_type="application/x-protobuf",
        )


@asynccontextmanager
async def collecting(*, status: int = 200, answers: bool = True) -> AsyncIterator[Collector]:
    """A collector that answers with `status`, or does not answer until the end."""
    collector = Collector(status)
    if answers:
        collector.gate.set()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        collector.gate.set()
        await runner.cleanup()


def _spans(message: ExportTraceServiceRequest) -> list[SentSpan]:
    found = []
    for resource in message.resource_spans:
        service = _plain(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                found.append(
                    SentSpan(
                        service=service,
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_plain(span.attributes),
                        events=[event.name for event in span.events],
                        error=span.status.message,
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                    )
                )
    return found


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in attributes
    }
