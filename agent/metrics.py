"""What the operator can see of a worker, in Prometheus' words.

In: narrow calls from the parts of a call (loop's thread).  Out: the exposition text of this
worker, and the joint text of all of them.  Every sample carries `worker`.
"""

import asyncio
import re
import time
from collections.abc import Iterable
from typing import Literal

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Stage = Literal["turn_end", "stt", "llm_first_token", "tts_first_chunk", "voice_to_voice"]
"""Each runs up to its name's event: from the caller's last voice to the decided end of the turn;
from that end to the final transcript; request to first token; request to first audio; from the
caller's last voice to the agent's first sample sent, as the server sees it."""

Part = Literal["stt", "llm", "tts", "tool", "transport", "call"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LAG_INTERVAL_S = 0.1

_STAGE_BUCKETS = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.6, 2.5, 5, 10,
)  # fmt: skip
_LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """All metrics of one worker process."""

    def __init__(self, worker: int = 0) -> None:
        self._registry = registry = CollectorRegistry()
        self._worker = str(worker)
        self._stages = Histogram(
            "parley_stage_seconds", "Time of each stage of a turn.", ["worker", "stage"],
            buckets=_STAGE_BUCKETS, registry=registry,
        )  # fmt: skip
        self._started = Counter(
            "parley_calls_started", "Calls that began.", ["worker"], registry=registry
        ).labels(self._worker)
        self._ended = Counter(
            "parley_calls_ended", "Calls that ended.", ["worker", "reason"], registry=registry
        )
        self._running = Gauge(
            "parley_calls_in_progress", "Calls running now.", ["worker"], registry=registry
        ).labels(self._worker)
        self._refused = Counter(
            "parley_offers_refused", "Offers refused.", ["worker", "code"], registry=registry
        )
        self._turns = Counter(
            "parley_turns", "Turns of callers that were answered.", ["worker"], registry=registry
        ).labels(self._worker)
        self._barge_ins = Counter(
            "parley_barge_ins", "Times a caller stopped the agent.", ["worker"], registry=registry
        ).labels(self._worker)
        self._drafts_begun = Counter(
            "parley_drafts_begun", "Answers begun before the turn was over.", ["worker"],
            registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._drafts_adopted = Counter(
            "parley_drafts_adopted", "Of those, answers that were given.", ["worker"],
            registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._drafts_dropped = Counter(
            "parley_drafts_dropped", "Of those, answers thrown away.", ["worker", "reason"],
            registry=registry,
        )  # fmt: skip
        self._wasted_tokens = Counter(
            "parley_drafts_wasted_tokens", "Pieces of text in answers thrown away.", ["worker"],
            registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._wasted_audio = Counter(
            "parley_drafts_wasted_audio_seconds", "Speech made for answers thrown away.",
            ["worker"], registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._errors = Counter(
            "parley_errors", "Failures by part.", ["worker", "part"], registry=registry
        )
        self._underruns = Counter(
            "parley_audio_underruns",
            "Times the agent's audio ran dry in the middle of an utterance.",
            ["worker"],
            registry=registry,
        ).labels(self._worker)
        self._lag = Histogram(
            "parley_loop_lag_seconds", "How late the event loop woke up.", ["worker"],
            buckets=_LAG_BUCKETS, registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._rss = Gauge(
            "parley_resident_bytes", "Resident memory of the worker.", ["worker"],
            registry=registry,
        ).labels(self._worker)  # fmt: skip
        self._process = psutil.Process()

    def stage(self, stage: Stage, seconds: float) -> None:
        """Note how long a stage of a turn took."""
        self._stages.labels(self._worker, stage).observe(seconds)

    def call_started(self) -> None:
        """A call began."""
        self._started.inc()
        self._running.inc()

    def call_ended(self, reason: str) -> None:
        """A call that began is over."""
        self._ended.labels(self._worker, reason).inc()
        self._running.dec()

    def offer_refused(self, code: str) -> None:
        """An offer got an error instead of an answer."""
        self._refused.labels(self._worker, code).inc()

    def turn(self) -> None:
        """A caller's turn ended and is being answered."""
        self._turns.inc()

    def barge_in(self) -> None:
        """A caller stopped the agent."""
        self._barge_ins.inc()

    def draft_began(self) -> None:
        """An answer was begun before the turn was over."""
        self._drafts_begun.inc()

    def draft_adopted(self) -> None:
        """It was given."""
        self._drafts_adopted.inc()

    def draft_dropped(self, reason: str, tokens: int, audio_s: float) -> None:
        """It was thrown away, with so many tokens and seconds of speech."""
        self._drafts_dropped.labels(self._worker, reason).inc()
        self._wasted_tokens.inc(tokens)
        self._wasted_audio.inc(audio_s)

    def error(self, part: Part) -> None:
        """A part failed; the call goes on unless the part is the call."""
        self._errors.labels(self._worker, part).inc()

    def underrun(self, count: int = 1) -> None:
        """The agent's audio ran dry in the middle of an utterance."""
        self._underruns.inc(count)

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up this much too late."""
        self._lag.observe(max(0.0, seconds))

    def render(self) -> str:
        """Return this worker's exposition text."""
        self._rss.set(self._process.memory_info().rss)
        return generate_latest(self._registry).decode()

    async def watch_loop(self) -> None:
        """Measure the event loop's lag until cancelled."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(LAG_INTERVAL_S)
            self.loop_lag(time.perf_counter() - before - LAG_INTERVAL_S)


def merge(texts: Iterable[str]) -> str:
    """Join the exposition texts of several workers: one family each, all samples under it."""
    families: dict[str, tuple[str, list[str]]] = {}
    for text in texts:
        for block in re.split(r"^(?=# HELP )", text, flags=re.MULTILINE):
            lines = block.splitlines()
            if len(lines) < 2:
                continue
            header, samples = "\n".join(lines[:2]), lines[2:]
            families.setdefault(lines[0].split()[2], (header, []))[1].extend(samples)
    return "".join(
        f"{header}\n" + "".join(f"{sample}\n" for sample in samples)
        for header, samples in families.values()
    )
