"""Traces in OpenTelemetry's words: spans that begin and end, joined over processes.

In: narrow calls from whoever does something that takes time; names and numbers, never what was
said.  Out: spans at a collector, sent over OTLP/HTTP from a thread of its own.  A collector that is
away, slow or broken costs spans and nothing else.  A trace crosses a wire as W3C Trace Context
(https://www.w3.org/TR/trace-context/): one string, `traceparent`.  While there is no endpoint
nothing of OpenTelemetry is imported, and a span is an object that does nothing.  Any thread.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from loguru import logger

from tts.config import TracingConfig

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

TRACEPARENT = "traceparent"
"""Name of the header, of the metadata entry and of the field that carries a trace."""

PREFIX = "parley."
"""Of the names of our attributes."""

Value = str | bool | int | float

QUEUE_SPANS = 2048
"""Spans that wait to be sent; one more costs the oldest."""
BATCH_SPANS = 512
SEND_EVERY_S = 1.0
SEND_TIMEOUT_S = 5.0
STOP_WITHIN_S = 0.8
"""What is left is sent within this when the process ends, or not at all."""
COMPLAIN_EVERY_S = 60.0

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str] = ContextVar("traceparent", default="")


def extract(carrier: Mapping[str, object]) -> str:
    """The trace that headers or metadata with names in lower case carry; "" for none."""
    value = carrier.get(TRACEPARENT)
    return value if isinstance(value, str) and _FORM.fullmatch(value) else ""


def inject(carrier: MutableMapping[str, str]) -> None:
    """Add the trace that this task is in, if it is in any."""
    if traceparent := _current.get():
        carrier[TRACEPARENT] = traceparent


@contextmanager
def within(span: "Span") -> Iterator[None]:
    """What is asked of other services in here belongs to `span`."""
    token = _current.set(span.traceparent)
    try:
        yield
    finally:
        _current.reset(token)


class Span(Protocol):
    """Something that takes time."""

    @property
    def traceparent(self) -> str:
        """What crosses a wire; "" for a span that does nothing."""

    def begin(self, name: str, *, ago_s: float = 0.0, **attributes: Value) -> "Span":
        """A span inside of this one, that began so long ago."""

    def set(self, **attributes: Value) -> None:
        """Note what became known."""

    def event(self, name: str, **attributes: Value) -> None:
        """Note that something happened now."""

    def end(self, *, ago_s: float = 0.0, error: str = "") -> None:
        """It is over, since so long; `error` is the code of what it failed with.  Idempotent."""


class Tracing:
    """Where spans begin that are not inside of others."""

    def __init__(
        self, provider: "TracerProvider | None" = None, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Without a `provider` nothing is recorded.  `clock_ns` tells the time since 1970."""
        self._provider = provider
        self._tracer = provider.get_tracer("parley") if provider else None
        self._clock_ns = clock_ns

    def begin(
        self, name: str, parent: str = "", *, ago_s: float = 0.0, **attributes: Value
    ) -> Span:
        """A span inside of the one that `parent` names (see `extract`), or a trace of its own."""
        if self._tracer is None:
            return NO_SPAN
        return _Recorded(
            self._tracer, self._clock_ns, name, _remote(parent), ago_s=ago_s, attributes=attributes
        )

    async def stop(self) -> None:
        """Send what is left, for `STOP_WITHIN_S` at most.  Idempotent."""
        if self._provider is None:
            return
        # Not a thread of the loop's pool: the loop's end would wait for a collector that is slow.
        closing = threading.Thread(target=self._provider.shutdown, name="traces-stop", daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, STOP_WITHIN_S)


class _NoSpan:
    """A span that nobody will see."""

    traceparent = ""

    def begin(self, name: str, *, ago_s: float = 0.0, **attributes: Value) -> "_NoSpan":
        return self

    def set(self, **attributes: Value) -> None:
        pass

    def event(self, name: str, **attributes: Value) -> None:
        pass

    def end(self, *, ago_s: float = 0.0, error: str = "") -> None:
        pass


class _Recorded:
    """A span of OpenTelemetry's."""

    def __init__(
        self,
        tracer: "Tracer",
        clock_ns: Callable[[], int],
        name: str,
        context: "Context",
        *,
        ago_s: float,
        attributes: Mapping[str, Value],
    ) -> None:
        self._tracer = tracer
        self._clock_ns = clock_ns
        self._span: OtelSpan = tracer.start_span(
            name, context, attributes=_named(attributes), start_time=self._at_ns(ago_s)
        )

    @property
    def traceparent(self) -> str:
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def begin(self, name: str, *, ago_s: float = 0.0, **attributes: Value) -> "_Recorded":
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        inside = set_span_in_context(self._span, Context())
        return _Recorded(
            self._tracer, self._clock_ns, name, inside, ago_s=ago_s, attributes=attributes
        )

    def set(self, **attributes: Value) -> None:
        self._span.set_attributes(_named(attributes))

    def event(self, name: str, **attributes: Value) -> None:
        self._span.add_event(name, _named(attributes), timestamp=self._at_ns(0.0))

    def end(self, *, ago_s: float = 0.0, error: str = "") -> None:
        from opentelemetry.trace import StatusCode

        if not self._span.is_recording():
            return
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR, error)
        self._span.end(self._at_ns(ago_s))

    def _at_ns(self, ago_s: float) -> int:
        return self._clock_ns() - round(ago_s * 1e9)


NO_SPAN: Span = _NoSpan()
OFF = Tracing()


def set_up(config: TracingConfig, service_name: str) -> Tracing:
    """Tracing as a configuration wants it; `service_name` is what the collector calls us."""
    if not config.endpoint:
        return OFF
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    provider = TracerProvider(
        ParentBasedTraceIdRatio(config.share),
        Resource.create({SERVICE_NAME: service_name}),
        shutdown_on_exit=False,
    )
    exporter = OTLPSpanExporter(f"{config.endpoint.rstrip('/')}/v1/traces", timeout=SEND_TIMEOUT_S)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=SEND_EVERY_S * 1000,
            max_export_batch_size=BATCH_SPANS,
            export_timeout_millis=SEND_TIMEOUT_S * 1000,
        )
    )
    _hear_complaints()
    return Tracing(provider)


class _Complaints(logging.Handler):
    """What OpenTelemetry has to say of a collector, once a minute, in our log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next_s = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        if record.created >= self._next_s:
            self._next_s = record.created + COMPLAIN_EVERY_S
            logger.bind(reason=record.getMessage()).warning("traces are being lost")


def _hear_complaints() -> None:
    theirs = logging.getLogger("opentelemetry")
    theirs.propagate = False
    others = [handler for handler in theirs.handlers if not isinstance(handler, _Complaints)]
    theirs.handlers = [*others, _Complaints()]


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {PREFIX + name: value for name, value in attributes.items()}


def _remote(traceparent: str) -> "Context":
    """The context of a span in another process; without one, that of a new trace."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent}, Context())
