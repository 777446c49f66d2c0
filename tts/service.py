"""The synthesis service that every door calls: a request in, chunks with marks out.

Knows no wire and no model: doors translate for it, engines speak for it on their own threads.
All methods are called from the event loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from loguru import logger

from tts.audio.chain import BYTES_PER_SAMPLE, Chain
from tts.config import LimitsConfig, ServiceConfig
from tts.engine.types import Engine
from tts.engine.worker import EngineWorker
from tts.errors import (
    BadRequest,
    EngineFailed,
    Overloaded,
    TextTooLong,
    TtsError,
    Unavailable,
    VoiceNotFound,
)
from tts.text.clean import clean_text
from tts.types import SpeechChunk, SynthesisRequest, Voice

MIN_SPEED, MAX_SPEED = 0.5, 2.0

_PROBE_TEXT = {"en": "Ready.", "zh": "好。", "ja": "はい。"}


class SynthesisService:
    """Limits -> text -> voice -> engine -> post-processing."""

    def __init__(self, config: ServiceConfig, builders: Mapping[str, Callable[[], Engine]]) -> None:
        """`builders` make the engines, each on its own thread, in order of preference."""
        self._config = config
        self._gate = _Gate(config.limits)
        self._candidates = [
            EngineWorker(name, build, ahead_s=config.limits.ahead_s)
            for name, build in builders.items()
        ]
        self._workers: dict[str, EngineWorker] = {}
        # When each engine last gave audio, on the monotonic clock.
        self._worked_s: dict[EngineWorker, float] = {}

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices that can speak now."""
        return tuple(v for worker in self._engines() for v in worker.voices)

    @property
    def streams(self) -> int:
        """Requests being spoken now."""
        return self._gate.active

    async def start(self) -> None:
        """Load the engines and let each speak once.

        An engine whose package is missing is left out.  Raises `EngineFailed` when one fails to
        load or to speak, or none is left.  Cancelling leaves engines half loaded: call `stop`.
        """
        for worker in self._candidates:
            try:
                await worker.start()
            except ImportError as error:
                logger.bind(engine=worker.name, reason=str(error)).warning(
                    "engine left out, its package is missing"
                )
                continue
            except Exception as error:
                raise EngineFailed(f"engine {worker.name} does not load: {error}") from error
            for voice in worker.voices:
                self._workers.setdefault(voice.id, worker)
            logger.bind(engine=worker.name, voices=[v.id for v in worker.voices]).info(
                "engine loaded"
            )
        if not self._workers:
            raise EngineFailed("no engine could be loaded")
        await self.probe()

    async def stop(self) -> None:
        """Drop all work and unload the engines.  Idempotent."""
        for worker in self._candidates:
            await worker.stop()

    async def probe(self, idle_s: float = 0.0) -> None:
        """Let every engine that gave no audio for `idle_s` speak a short text.

        Raises a `TtsError` when one cannot.  Cancelling loses nothing.
        """
        for worker in self._engines():
            if self._idle_s(worker) >= idle_s:
                await self._probe(worker)

    def idle_s(self) -> float:
        """Seconds since the engine that rests longest gave audio; infinite before its first."""
        return max(self._idle_s(worker) for worker in self._engines())

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        """Speak a request.  Closing the iterator or cancelling drops the rest of the work.

        Raises `BadRequest`, `TextTooLong`, `VoiceNotFound` or `Overloaded` before any audio, and
        `EngineFailed` at any time.
        """
        self._check(request)
        async with self._gate.stream():
            log = logger.bind(voice=request.voice, chars=len(request.text))
            began_s = time.perf_counter()
            first_ms, samples, end = 0.0, 0, "cancelled"
            try:
                async with aclosing(self._speak(request)) as chunks:
                    async for chunk in chunks:
                        first_ms = first_ms or (time.perf_counter() - began_s) * 1000
                        samples += len(chunk.pcm) // BYTES_PER_SAMPLE
                        yield chunk
                end = "finished"
            except TtsError as error:
                end = error.code
                raise
            finally:
                log.bind(end=end, first_ms=round(first_ms, 1), samples=samples).info("stream ended")

    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk:
        """Speak a request into one chunk that is the whole audio.  Raises like `stream`."""
        async with aclosing(self.stream(request)) as stream:
            chunks = [chunk async for chunk in stream]
        return whole(chunks)

    async def _speak(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        """The data path, after the limits."""
        worker = self._workers[request.voice]
        voice = self._voice(request.voice)
        chain = Chain(
            sample_rate_hz=voice.sample_rate_hz,
            gain_db=worker.gain_db(voice.id),
            first_ms=self._config.chunks.first_ms,
            next_ms=self._config.chunks.next_ms,
        )
        async with aclosing(
            worker.speak(replace(request, text=clean_text(request.text)))
        ) as pieces:
            async for piece in pieces:
                self._worked_s[worker] = time.monotonic()
                for chunk in chain.feed(piece):
                    yield chunk

    async def _probe(self, worker: EngineWorker) -> None:
        voice = worker.voices[0]
        language = voice.languages[0]
        text = _PROBE_TEXT.get(language, _PROBE_TEXT["en"])
        try:
            async with (
                asyncio.timeout(self._config.health.probe_timeout_s),
                aclosing(self._speak(SynthesisRequest(text, voice.id, language))) as chunks,
            ):
                async for _ in chunks:
                    pass
        except TimeoutError as error:
            raise Unavailable(f"engine {worker.name} did not answer in time") from error

    def _engines(self) -> list[EngineWorker]:
        return list(dict.fromkeys(self._workers.values()))

    def _idle_s(self, worker: EngineWorker) -> float:
        return time.monotonic() - self._worked_s.get(worker, float("-inf"))

    def _voice(self, voice_id: str) -> Voice:
        return next(voice for voice in self.voices if voice.id == voice_id)

    def _check(self, request: SynthesisRequest) -> None:
        longest = self._config.limits.max_text_chars
        if len(request.text) > longest:
            raise TextTooLong(
                f"text has {len(request.text)} characters; at most {longest} are allowed"
            )
        if not any(char.isalnum() for char in request.text):
            raise BadRequest(
                f"text = {_short(request.text)}: it needs at least one letter or digit"
            )
        if not MIN_SPEED <= request.speed <= MAX_SPEED:
            raise BadRequest(f"speed = {request.speed!r}: allowed are {MIN_SPEED} to {MAX_SPEED}")
        if request.voice not in self._workers:
            voices = ", ".join(sorted(self._workers))
            raise VoiceNotFound(f"voice = {_short(request.voice)}: there are {voices}")
        languages = self._voice(request.voice).languages
        if request.language not in languages:
            raise BadRequest(
                f"language = {_short(request.language)}: voice {request.voice!r} speaks "
                f"{', '.join(languages)}"
            )


class _Gate:
    """Counts streams in and out: so many at once, so many waiting, for so long."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(limits.max_streams)
        self._waiting = 0
        self.active = 0

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[None]:
        """Hold one stream.  Raises `Overloaded`; cancelling while waiting loses nothing."""
        if self._free.locked() and self._waiting >= self._limits.max_queued:
            raise Overloaded(
                f"{self._limits.max_streams} streams are running and {self._waiting} waiting, "
                "which is the limit"
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.max_wait_s):
                await self._free.acquire()
        except TimeoutError as error:
            raise Overloaded(
                f"no stream became free in {self._limits.max_wait_s} s; "
                f"{self._limits.max_streams} are running, which is the limit"
            ) from error
        finally:
            self._waiting -= 1
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            self._free.release()


def whole(chunks: Sequence[SpeechChunk]) -> SpeechChunk:
    """A request's chunks, all of them, as one."""
    return SpeechChunk(
        pcm=b"".join(chunk.pcm for chunk in chunks),
        sample_rate_hz=chunks[0].sample_rate_hz,
        first_sample=0,
        marks=tuple(mark for chunk in chunks for mark in chunk.marks),
        is_final=True,
    )


def _short(value: str) -> str:
    """A foreign value in a message, at most one line of it."""
    return repr(value if len(value) <= 40 else value[:40] + "…")
