"""Spans that a test can read, and how they lie inside of each other."""

from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tts.tracing import Tracing


class Traces:
    """Tracing, and what it recorded; `clock_ns` tells the time."""

    def __init__(self, clock_ns: Callable[[], int] = lambda: 10**18) -> None:
        provider = TracerProvider(shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider, clock_ns)

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that have ended, in this order."""
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def path(self, span: ReadableSpan) -> str:
        """Names from the outermost span to this one."""
        names = [span.name]
        by_id = {one.context.span_id: one for one in self.spans if one.context}
        while span.parent and span.parent.span_id in by_id:
            span = by_id[span.parent.span_id]
            names.insert(0, span.name)
        return " > ".join(names)

    @property
    def paths(self) -> list[str]:
        """Of all spans, sorted."""
        return sorted(self.path(span) for span in self.spans)


def plain(span: ReadableSpan) -> dict[str, object]:
    """A span's attributes without our prefix."""
    return {name.removeprefix("parley."): value for name, value in (span.attributes or {}).items()}
