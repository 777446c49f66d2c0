"""What is read off a running service when somebody asks for its metrics.

In: what the service, its cache and its jobs know at that moment, and the GPU.  Out: families of
Prometheus.  A family without a value is there all the same.  On the event loop's thread.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from tts import gpu
from tts.audio_cache.cache import AudioCache, Counts
from tts.config import LimitsConfig
from tts.engine.spending import Ran, Spent
from tts.engine.types import Kind

BATCH_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 128, 256, 512, 1024)


@dataclass(frozen=True, slots=True)
class EngineNow:
    """An engine at this moment."""

    name: str
    voices: int
    """That it can speak in."""
    spent: Spent
    ran: Ran
    is_resting: bool
    """Whether its breaker keeps requests from it."""


class Watched(Protocol):
    """The service."""

    @property
    def streams(self) -> int:
        """Requests being spoken now."""

    @property
    def waiting(self) -> int:
        """Requests that wait for a free stream."""

    @property
    def limits(self) -> LimitsConfig:
        """What it takes on."""

    @property
    def cache(self) -> AudioCache:
        """What is kept of audio."""

    @property
    def engines_now(self) -> Sequence[EngineNow]:
        """The engines that were loaded."""


Amounts = Callable[[], Mapping[str, int]]
"""How many of something there are, by what."""


class ServiceCollector(Collector):
    """Gauges and sums of one service."""

    def __init__(self) -> None:
        self.service: Watched | None = None
        self.jobs: Amounts = dict
        """By state."""

    def collect(self) -> Iterator[Metric]:
        """All families, in one order."""
        service = self.service
        streams = GaugeMetricFamily("parley_tts_streams", "Requests being spoken now.")
        waiting = GaugeMetricFamily("parley_tts_waiting", "Requests that wait for a free stream.")
        limits = GaugeMetricFamily(
            "parley_tts_limit", "The most that there may be of something.", labels=["of"]
        )
        if service is not None:
            streams.add_metric([], service.streams)
            waiting.add_metric([], service.waiting)
            limits.add_metric(["streams"], service.limits.max_streams)
            limits.add_metric(["waiting"], service.limits.max_queued)
        yield streams
        yield waiting
        yield limits
        yield from _of_engines(service.engines_now if service is not None else ())
        yield from _of_cache(service.cache.counts if service is not None else None)
        jobs = GaugeMetricFamily("parley_tts_jobs", "Jobs by state.", labels=["state"])
        for state, count in self.jobs().items():
            jobs.add_metric([state], count)
        yield jobs


def _of_cache(counts: Counts | None) -> Iterator[Metric]:
    asked = CounterMetricFamily(
        "parley_tts_cache_requests",
        "Audio looked for in the cache, by where it was found.",
        labels=["result"],
    )
    held = GaugeMetricFamily("parley_tts_cache_bytes", "Audio in the cache.", labels=["level"])
    pushed = CounterMetricFamily(
        "parley_tts_cache_evictions", "Audio that left for room or for age.", labels=["level"]
    )
    writes = CounterMetricFamily("parley_tts_cache_writes", "Audio written to the folder.")
    dropped = CounterMetricFamily(
        "parley_tts_cache_dropped", "Audio not written, because too much waited."
    )
    damaged = CounterMetricFamily(
        "parley_tts_cache_damaged", "Files in the folder that were broken, and were removed."
    )
    if counts is not None:
        asked.add_metric(["memory"], counts.memory_hits)
        asked.add_metric(["disk"], counts.disk_hits)
        asked.add_metric(["miss"], counts.misses)
        held.add_metric(["memory"], counts.memory_bytes)
        held.add_metric(["disk"], counts.disk_bytes)
        pushed.add_metric(["memory"], counts.memory_evictions)
        pushed.add_metric(["disk"], counts.disk_evictions)
        writes.add_metric([], counts.writes)
        dropped.add_metric([], counts.dropped)
        damaged.add_metric([], counts.damaged)
    yield from (asked, held, pushed, writes, dropped, damaged)


def _of_engines(engines: Sequence[EngineNow]) -> Iterator[Metric]:
    gauges: dict[str, tuple[str, Callable[[EngineNow], float]]] = {
        "parley_tts_voices": ("Voices that can be spoken in.", lambda one: one.voices),
        "parley_tts_breaker_open": (
            "1 while requests are kept from an engine that failed.",
            lambda one: one.is_resting,
        ),
    }
    sums: dict[str, tuple[str, Callable[[EngineNow], float]]] = {
        "parley_tts_engine_busy_seconds": (
            "Time that an engine worked.",
            lambda one: one.ran.seconds,
        ),
        "parley_tts_steps": ("Steps of requests that an engine took.", lambda one: one.ran.steps),
        "parley_tts_tokens": ("Tokens that were drawn.", lambda one: one.ran.tokens),
        "parley_tts_spent_seconds": (
            "Engine time of requests that have ended.",
            lambda one: one.spent.spent_s,
        ),
        "parley_tts_wasted_seconds": (
            "Of that, time for audio that nobody heard.",
            lambda one: one.spent.wasted_s,
        ),
        "parley_tts_underruns": (
            "Audio that came after its playback had run dry.",
            lambda one: one.spent.underruns,
        ),
    }
    for name, (meaning, read) in gauges.items():
        gauge = GaugeMetricFamily(name, meaning, labels=["engine"])
        for engine in engines:
            gauge.add_metric([engine.name], read(engine))
        yield gauge
    for name, (meaning, read) in sums.items():
        counter = CounterMetricFamily(name, meaning, labels=["engine"])
        for engine in engines:
            counter.add_metric([engine.name], read(engine))
        yield counter
    yield _batches(engines)


def _batches(engines: Sequence[EngineNow]) -> Metric:
    """How many pieces of model work ran as one, by kind."""
    family = HistogramMetricFamily(
        "parley_tts_batch_size", "Pieces of model work that ran as one.", labels=["engine", "kind"]
    )
    for engine in engines:
        for kind in Kind:
            times = {size: n for (of, size), n in engine.ran.batches.items() if of is kind}
            if not times:
                continue
            counts = [0] * (len(BATCH_BUCKETS) + 1)
            for size, n in times.items():
                counts[sum(bound < size for bound in BATCH_BUCKETS)] += n
            bounds = [*(str(float(bound)) for bound in BATCH_BUCKETS), "+Inf"]
            family.add_metric(
                [engine.name, kind],
                list(zip(bounds, accumulate(counts), strict=True)),
                sum(size * n for size, n in times.items()),
            )
    return family


class GpuCollector(Collector):
    """The GPUs of this process; families without values where it uses none."""

    def collect(self) -> Iterator[Metric]:
        """All families, in one order."""
        use = GaugeMetricFamily(
            "parley_tts_gpu_use_ratio", "Share of time that a GPU works.", labels=["gpu"]
        )
        used = GaugeMetricFamily(
            "parley_tts_gpu_memory_used_bytes", "Memory of a GPU in use.", labels=["gpu"]
        )
        total = GaugeMetricFamily(
            "parley_tts_gpu_memory_total_bytes", "Memory of a GPU.", labels=["gpu"]
        )
        for state in gpu.states():
            label = [str(state.index)]
            used.add_metric(label, state.used_bytes)
            total.add_metric(label, state.total_bytes)
            if state.use is not None:
                use.add_metric(label, state.use)
        yield from (use, used, total)
