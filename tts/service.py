"""The synthesis service that every door calls: a request in, chunks with marks out.

Knows no wire and no model: doors translate for it, engines speak for it on their own threads.
All methods are called from the event loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Self

from loguru import logger

from tts.audio.chain import BYTES_PER_SAMPLE, Chain
from tts.config import ServiceConfig
from tts.engine.types import Engine
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed, TtsError, Unavailable
from tts.limits import Gate, check, check_length, check_manner
from tts.text.clean import clean_text
from tts.text.feed import TextFeed
from tts.types import SpeechChunk, SynthesisRequest, Voice
from tts.writing import spoken_while, write

_PROBE_TEXT = {"en": "Ready.", "zh": "好。", "ja": "はい。", "ko": "네.", "yue": "好。"}


class SynthesisService:
    """Limits -> text -> voice -> engine -> post-processing."""

    def __init__(self, config: ServiceConfig, builders: Mapping[str, Callable[[], Engine]]) -> None:
        """`builders` make the engines, each on its own thread, in order of preference."""
        self._config = config
        self._gate = Gate(config.limits)
        self._candidates = [
            EngineWorker(name, build, ahead_s=config.limits.ahead_s)
            for name, build in builders.items()
        ]
        self._voices: dict[str, Voice] = {}
        self._worker_of: dict[str, EngineWorker] = {}
        # When each engine last gave audio, on the monotonic clock.
        self._worked_s: dict[EngineWorker, float] = {}

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices that can speak now."""
        return tuple(
            replace(voice, sample_rate_hz=self._wire_rate_hz(voice))
            for voice in self._voices.values()
        )

    @property
    def streams(self) -> int:
        """Requests being spoken now."""
        return self._gate.active

    @property
    def text_idle_s(self) -> float:
        """How long a text that is being written may keep still."""
        return self._config.limits.text_idle_s

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        """Speak a request.  Closing the iterator or cancelling drops the rest of the work.

        Raises `BadRequest`, `TextTooLong`, `VoiceNotFound` or `Overloaded` before any audio, and
        `EngineFailed` at any time.
        """
        check(request, self._voices, self._config.limits.max_text_chars)
        text = TextFeed.of(clean_text(request.text))
        async with self._gate.stream(), aclosing(self._speak(request, text)) as chunks:
            with _Account(request, text) as account:
                async for chunk in chunks:
                    account.add(chunk)
                    yield chunk

    async def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk]:
        """Speak a text while it is being written: the request's own, then `texts`, cut anywhere.

        Marks index all of it.  Closing the iterator or cancelling drops the rest of the work and
        closes `texts`.  Raises like `stream`, but `TextTooLong`, `TextStalled`, `BadRequest` for a
        text with nothing to say, and whatever `texts` raises, may come after audio.
        """
        limits = self._config.limits
        check_manner(request, self._voices)
        check_length(len(request.text), limits.max_text_chars)
        text = TextFeed(clean_text(request.text))
        async with self._gate.stream():
            writing = asyncio.create_task(write(texts, text, limits), name="tts-text")
            async with aclosing(spoken_while(writing, self._speak(request, text))) as chunks:
                with _Account(request, text) as account:
                    async for chunk in chunks:
                        account.add(chunk)
                        yield chunk

    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk:
        """Speak a request into one chunk that is the whole audio.  Raises like `stream`."""
        async with aclosing(self.stream(request)) as stream:
            return whole([chunk async for chunk in stream])

    async def _speak(
        self, request: SynthesisRequest, text: TextFeed
    ) -> AsyncGenerator[SpeechChunk]:
        """The data path, after the limits."""
        voice = self._voices[request.voice]
        worker = self._worker_of[voice.id]
        chain = Chain(
            voice_rate_hz=voice.sample_rate_hz,
            sample_rate_hz=self._wire_rate_hz(voice),
            gain_db=worker.gain_db(voice.id),
            first_ms=self._config.chunks.first_ms,
            next_ms=self._config.chunks.next_ms,
        )
        request = replace(request, text=text.text)
        async with aclosing(worker.speak(request, text)) as pieces:
            async for piece in pieces:
                self._worked_s[worker] = time.monotonic()
                for chunk in chain.feed(piece):
                    yield chunk

    async def start(self, *, trial: bool = True) -> None:
        """Load the engines and, unless without `trial`, let each speak once.

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
                # The engine that comes first keeps an id that two of them claim.
                self._voices.setdefault(voice.id, voice)
                self._worker_of.setdefault(voice.id, worker)
            ids = [voice.id for voice in worker.voices]
            logger.bind(engine=worker.name, voices=ids).info("engine loaded")
        if not self._voices:
            raise EngineFailed("no engine could be loaded")
        if trial:
            await self.probe()

    async def stop(self) -> None:
        """Drop all work and unload the engines.  Idempotent."""
        for worker in self._candidates:
            await worker.stop()

    async def probe(self, idle_s: float = 0.0) -> None:
        """Let every engine that gave no audio for `idle_s` speak a short text.

        An engine is never made to load a voice for this.  Raises a `TtsError` when one cannot
        speak.  Cancelling loses nothing.
        """
        for worker in self._engines():
            if self._idle_s(worker) >= idle_s:
                await self._probe(worker)

    def idle_s(self) -> float:
        """Seconds since the engine that rests longest gave audio; infinite before its first."""
        return max(self._idle_s(worker) for worker in self._engines())

    async def _probe(self, worker: EngineWorker) -> None:
        """Let an engine speak to nobody; one with nothing in memory has nothing to prove."""
        ready = worker.ready()
        if ready is None:
            return
        voice_id, language = ready
        text = _PROBE_TEXT.get(language, _PROBE_TEXT["en"])
        request = SynthesisRequest(text, voice_id, language)
        try:
            async with (
                asyncio.timeout(self._config.health.probe_timeout_s),
                aclosing(self._speak(request, TextFeed.of(text))) as chunks,
            ):
                async for _ in chunks:
                    pass
        except TimeoutError as error:
            raise Unavailable(f"engine {worker.name} did not answer in time") from error

    def _wire_rate_hz(self, voice: Voice) -> int:
        return self._config.audio.sample_rate_hz or voice.sample_rate_hz

    def _engines(self) -> list[EngineWorker]:
        return list(dict.fromkeys(self._worker_of.values()))

    def _idle_s(self, worker: EngineWorker) -> float:
        return time.monotonic() - self._worked_s.get(worker, float("-inf"))


class _Account:
    """What became of a request, for the log."""

    def __init__(self, request: SynthesisRequest, text: TextFeed) -> None:
        self._request = request
        self._text = text
        self._began_s = time.perf_counter()
        self._first_ms = 0.0
        self._samples = 0

    def add(self, chunk: SpeechChunk) -> None:
        """Count audio that leaves."""
        self._first_ms = self._first_ms or (time.perf_counter() - self._began_s) * 1000
        self._samples += len(chunk.pcm) // BYTES_PER_SAMPLE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        end = "cancelled" if error else "finished"
        logger.bind(
            voice=self._request.voice,
            chars=len(self._text.text),
            end=error.code if isinstance(error, TtsError) else end,
            first_ms=round(self._first_ms, 1),
            samples=self._samples,
        ).info("stream ended")


def whole(chunks: Sequence[SpeechChunk]) -> SpeechChunk:
    """A request's chunks, all of them, as one."""
    return SpeechChunk(
        pcm=b"".join(chunk.pcm for chunk in chunks),
        sample_rate_hz=chunks[0].sample_rate_hz,
        first_sample=0,
        marks=tuple(mark for chunk in chunks for mark in chunk.marks),
        is_final=True,
    )
