"""What became of a request: for the log, the metrics, its trace, and those who listen to a sample.

In: where a request is on its way, the audio that leaves, and how it ended.  Out: one log line, some
numbers and a span, without a word of the text.  On the event loop's thread.
"""

import time
from dataclasses import dataclass
from typing import Self

from loguru import logger

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.context import CallContext
from tts.engine.speech import Speech
from tts.errors import TtsError
from tts.metrics import CACHE, NOBODY, Metrics
from tts.quality import QualityMonitor, Sample
from tts.text.feed import TextFeed
from tts.tracing import NO_SPAN, Span, Tracing
from tts.types import SpeechChunk, SynthesisRequest


@dataclass(frozen=True, slots=True)
class Books:
    """Where the accounts of a service's requests are kept."""

    metrics: Metrics
    tracing: Tracing
    quality: QualityMonitor

    def account(self, request: SynthesisRequest, context: CallContext) -> "Account":
        """Of a request that was just made."""
        return Account(self, request, context)


class Account:
    """A context from when a request is made until it is over."""

    def __init__(self, books: Books, request: SynthesisRequest, context: CallContext) -> None:
        self.speech: Speech | None = None
        """The engine's side of it, once it has begun."""
        self._books = books
        self._door = context.door
        self._began_s = time.perf_counter()
        self._waits_from_s = 0.0
        self._engine = NOBODY
        self._voice = request.voice
        self._text: TextFeed | None = None
        self._first_s: float | None = None
        self._audio_s = 0.0
        self._samples = 0
        self._is_whole = False
        self._sample: Sample | None = None
        self._span = books.tracing.begin("tts.request", context.traceparent, door=context.door)
        self._queue: Span = NO_SPAN

    def waits(self) -> None:
        """It has to have a stream."""
        self._waits_from_s = time.perf_counter()
        self._queue = self._span.begin("tts.queue")

    def admitted(self) -> None:
        """It has one."""
        self._books.metrics.queued(time.perf_counter() - self._waits_from_s)
        self._queue.end()

    def speaks(self, engine: str, voice: str, text: TextFeed) -> None:
        """It is known who speaks: `engine`, or `metrics.CACHE`, in a voice that may be another than
        its caller asked for."""
        self._engine, self._voice, self._text = engine, voice, text
        # What comes from the cache was heard when it was made, if it was drawn.
        self._sample = self._books.quality.sample() if engine != CACHE else None
        self._span.set(engine=engine, voice=voice)

    def add(self, chunk: SpeechChunk) -> None:
        """Count audio that leaves."""
        if self._first_s is None:
            self._first_s = time.perf_counter() - self._began_s
            self._books.metrics.began(self._door, self._engine, self._first_s)
            self._span.event("first_packet")
        samples = len(chunk.pcm) // BYTES_PER_SAMPLE
        self._samples += samples
        self._audio_s += samples / chunk.sample_rate_hz
        self._is_whole = chunk.is_final
        if self._sample is not None:
            self._sample.add(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        code = self._code(error)
        chars = len(self._text.text) if self._text else 0
        total_s = time.perf_counter() - self._began_s
        self._books.metrics.ended(
            self._door, self._engine, code, total_s=total_s, audio_s=self._audio_s, chars=chars
        )
        self._queue.end()
        self._span.set(code=code, chars=chars, audio_s=round(self._audio_s, 3))
        self._span.end(error="" if code in ("ok", "cancelled") else code)
        if self._sample is not None and code == "ok":
            self._books.quality.take(self._engine, self._sample)
        if self._engine != NOBODY:
            self._log(code, chars)

    def _code(self, error: BaseException | None) -> str:
        if isinstance(error, TtsError):
            return error.code
        if isinstance(error, Exception):
            return TtsError.code
        # Whoever has the final chunk need not come for what follows it.
        if error is None or (self._is_whole and isinstance(error, GeneratorExit)):
            return "ok"
        return "cancelled"

    def _log(self, code: str, chars: int) -> None:
        speech = self.speech
        logger.bind(
            engine=self._engine,
            voice=self._voice,
            chars=chars,
            end=code,
            first_ms=round((self._first_s or 0.0) * 1000, 1),
            samples=self._samples,
            # Of a step that is still under way, the worker's sums tell.
            engine_ms=round(speech.spent_s() * 1000, 1) if speech else 0.0,
            wasted_ms=round(speech.wasted_s() * 1000, 1) if speech else 0.0,
            underruns=speech.underruns if speech else 0,
        ).info("stream ended")
