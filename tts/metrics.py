"""What the operator can see of the synthesis service, in Prometheus' words.

In: narrow calls from the service and its doors, on the event loop's thread; what engines, gate,
cache and jobs know is read when somebody asks (`tts.scraping`).  Out: the exposition text.  No
label holds a text, a voice or a caller: doors, engines and codes bound the number of series.
"""

import asyncio
import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from tts.scraping import Amounts, GpuCollector, ServiceCollector, Watched

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LAG_INTERVAL_S = 0.1

NOBODY = "none"
"""The engine of a request that none has spoken."""
CACHE = "cache"
"""The engine of a request whose audio was there already."""

_FIRST_BUCKETS_S = (
    0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1, 1.5, 2.5, 5, 10, 20, 60,
)  # fmt: skip
_TOTAL_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 600)
_WAIT_BUCKETS_S = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 60)
_LAG_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)
_MOS_BUCKETS = (1.5, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75, 4, 4.25, 4.5)


class Metrics:
    """All metrics of one service, which `watch` names."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        by_way = ["door", "engine"]
        self._requests = Counter(
            "parley_tts_requests", "Requests to the service that have ended, by how.",
            [*by_way, "code"], registry=registry,
        )  # fmt: skip
        self._first_packet = Histogram(
            "parley_tts_first_packet_seconds", "Time from a request to its first audio.", by_way,
            buckets=_FIRST_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._total = Histogram(
            "parley_tts_request_seconds", "Time from a request to the end of its audio.", by_way,
            buckets=_TOTAL_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._queue_wait = Histogram(
            "parley_tts_queue_wait_seconds", "Time that requests waited for a free stream.",
            buckets=_WAIT_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._audio = Counter(
            "parley_tts_audio_seconds", "Length of the audio that was given to callers.", by_way,
            registry=registry,
        )  # fmt: skip
        self._characters = Counter(
            "parley_tts_characters", "Length of the texts that were spoken.", by_way,
            registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "parley_tts_refused", "Errors that doors answered with, the service's and their own.",
            ["door", "code"], registry=registry,
        )  # fmt: skip
        self._probes = Counter(
            "parley_tts_probes", "Times an engine was made to speak to nobody, by how it ended.",
            ["engine", "code"], registry=registry,
        )  # fmt: skip
        self._jobs = Counter(
            "parley_tts_jobs_ended", "Jobs that are over, by how.", ["code"], registry=registry
        )
        self._mos = Histogram(
            "parley_tts_quality_mos", "What DNSMOS makes of sampled audio, from 1 to 5.",
            ["engine", "scale"], buckets=_MOS_BUCKETS, registry=registry,
        )  # fmt: skip
        self._unheard = Counter(
            "parley_tts_quality_dropped", "Sampled audio that DNSMOS had no time for.",
            registry=registry,
        )  # fmt: skip
        self._lag = Histogram(
            "parley_tts_loop_lag_seconds", "How late the event loop woke up.",
            buckets=_LAG_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self._now = ServiceCollector()
        registry.register(self._now)
        registry.register(GpuCollector())
        ProcessCollector("parley_tts", registry=registry)

    # The service.

    def watch(self, service: Watched) -> None:
        """Ask this service when somebody asks."""
        self._now.service = service

    def watch_jobs(self, by_state: Amounts) -> None:
        """Ask so how many jobs are in which state; on the loop's thread, and at once."""
        self._now.jobs = by_state

    def queued(self, seconds: float) -> None:
        """A request waited so long for a free stream."""
        self._queue_wait.observe(seconds)

    def began(self, door: str, engine: str, first_packet_s: float) -> None:
        """A request's first audio leaves."""
        self._first_packet.labels(door, engine).observe(first_packet_s)

    def ended(
        self, door: str, engine: str, code: str, *, total_s: float, audio_s: float, chars: int
    ) -> None:
        """A request is over: "ok", "cancelled", or the code of its error."""
        self._requests.labels(door, engine, code).inc()
        if audio_s:
            self._total.labels(door, engine).observe(total_s)
            self._audio.labels(door, engine).inc(audio_s)
            self._characters.labels(door, engine).inc(chars)

    def probed(self, engine: str, code: str) -> None:
        """An engine spoke to nobody: "ok", or the code of its error."""
        self._probes.labels(engine, code).inc()

    # Doors, jobs and the quality monitor.

    def refused(self, door: str, code: str) -> None:
        """A door answered with an error of ours, its own or the service's."""
        self._refused.labels(door, code).inc()

    def job_ended(self, code: str) -> None:
        """A job is over: "ok", "cancelled", or the code of its error."""
        self._jobs.labels(code).inc()

    def heard(self, engine: str, scale: str, mos: float) -> None:
        """A score of sampled audio.  Any thread."""
        self._mos.labels(engine, scale).observe(mos)

    def unheard(self) -> None:
        """Sampled audio was not listened to."""
        self._unheard.inc()

    # The process.

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up this much too late."""
        self._lag.observe(max(0.0, seconds))

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        while True:
            before_s = time.perf_counter()
            await asyncio.sleep(LAG_INTERVAL_S)
            self.loop_lag(time.perf_counter() - before_s - LAG_INTERVAL_S)

    def render(self) -> str:
        """The exposition text.  On the loop's thread."""
        return generate_latest(self._registry).decode()
