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
    from opentelemetry.sdk.trace.export import SpanProcessor
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

TRACEPARENT = "traceparent"
"""Name of the header, of the metadata entry and of the field that carries a trace."""

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
    """The trace that headers or metadata carry, names in lower case; "" for none or a broken one."""
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
        """Without a `provider` nothing is recorded."""
        self._provider = provider
        self._tracer = provider.get_tracer("parley") if provider else None
        self._clock_ns = clock_ns

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded."""
        return self._tracer is not None

    def begin(
        self, name: str, parent: str = "", *, ago_s: float = 0.0, **attributes: Value
    ) -> Span:
        """A span inside of the one that `parent` names (see `extract`), or a trace of its own."""
        if self._tracer is None:
            return NO_SPAN
        return _begin(self._tracer, self._clock_ns, name, _context(parent), ago_s, attributes)

    async def stop(self) -> None:
        """Send what is left, for `STOP_WITHIN_S` at most.  Idempotent."""
        if self._provider is not None:
            await asyncio.to_thread(self._provider.shutdown)


class _NoSpan:
    """A span of nobody's trace."""

    traceparent = ""

    def begin(self, name: str, *, ago_s: float = 0.0, **attributes: Value) -> "_NoSpan":
        return self

    def set(self, **attributes: Value) -> None:
        pass

    def event(self, name: str, **attributes: Value) -> None:
        pass

    def end(self, *, ago_s: float = 0.0, error: str = "") -> None:
        pass


NO_SPAN: Span = _NoSpan()
OFF = Tracing()


def set_up(config: TracingConfig, service_name: str) -> Tracing:
    """Tracing as a configuration wants it; `service_name` is what the collector calls us."""
    raise NotImplementedError
