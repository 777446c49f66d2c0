"""The synthesis service that every door calls: a request in, chunks with marks out.

Knows no wire and no model: doors translate for it, engines speak for it on their own threads.
All methods are called from the event loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from loguru import logger

from tts.account import Account
from tts.audio.chain import Chain
from tts.audio_cache.cache import AudioCache, Recorder
from tts.audio_cache.recording import Recording
from tts.config import ServiceConfig
from tts.context import LOCAL, CallContext
from tts.engine.admission import Admitted, Refused
from tts.engine.spending import Spent
from tts.engine.types import Engine, NoVoices
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed, Overloaded, Unavailable
from tts.limits import Gate, check, check_length, check_manner
from tts.text.clean import clean_text
from tts.text.feed import TextFeed
from tts.types import SpeechChunk, SynthesisRequest, Voice
from tts.writing import spoken_while, write

_PROBE_TEXT = {"en": "Ready.", "zh": "好。", "ja": "はい。", "ko": "네.", "yue": "好。"}


class SynthesisService:
    """Limits -> cache -> text -> voice -> engine -> post-processing."""

    def __init__(self, config: ServiceConfig, builders: Mapping[str, Callable[[], Engine]]) -> None:
        """`builders` make the engines, each on its own thread, in order of preference."""
        self._config = config
        self._gate = Gate(config.limits)
        self._cache = AudioCache(config.cache)
        self._candidates = [
            EngineWorker(
                name,
                build,
                ahead_s=config.limits.ahead_s,
                first_packet_ms=config.limits.first_packet_ms,
                config=config.scheduler,
            )
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
    def spent(self) -> dict[str, Spent]:
        """By engine: what its time was spent on, over all requests that have ended."""
        return {worker.name: worker.spent for worker in self._engines()}

    @property
    def cache(self) -> AudioCache:
        """What is kept of audio that was made."""
        return self._cache

    @property
    def text_idle_s(self) -> float:
        """How long a text that is being written may keep still."""
        return self._config.limits.text_idle_s

    async def stream(
        self, request: SynthesisRequest, context: CallContext = LOCAL
    ) -> AsyncGenerator[SpeechChunk]:
        """Speak a request on its caller's terms.  Closing the iterator or cancelling drops the rest
        of the work.

        Raises `BadRequest`, `TextTooLong`, `VoiceNotFound` or `Overloaded` before any audio, and
        `EngineFailed` at any time.
        """
        played = not context.patient
        async with aclosing(self._stream(request, context, played=played)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream_text(
        self,
        request: SynthesisRequest,
        texts: AsyncIterator[str],
        context: CallContext = LOCAL,
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
            request, admitted = self._admit(request, context)
            with Account(request, text) as account:
                spoken = self._speak(request, text, account=account, admitted=admitted)
                writing = asyncio.create_task(write(texts, text, limits), name="tts-text")
                async with aclosing(spoken_while(writing, spoken)) as chunks:
                    async for chunk in chunks:
                        account.add(chunk)
                        yield chunk

    async def synthesize(
        self, request: SynthesisRequest, context: CallContext = LOCAL
    ) -> SpeechChunk:
        """Speak a request into one chunk that is the whole audio.  Raises like `stream`."""
        async with aclosing(self._stream(request, context, played=False)) as stream:
            return whole([chunk async for chunk in stream])

    async def _stream(
        self, request: SynthesisRequest, context: CallContext, *, played: bool
    ) -> AsyncGenerator[SpeechChunk]:
        """`played`: whether the audio is heard while it is made."""
        check(request, self._voices, self._config.limits.max_text_chars)
        text = TextFeed.of(clean_text(request.text))
        recording = await self._cache.find(self._key(request))
        if recording is not None:
            async with aclosing(self._replay(request, text, recording)) as chunks:
                async for chunk in chunks:
                    yield chunk
            return
        async with self._gate.stream():
            asked = request
            request, admitted = self._admit(request, context)
            with Account(request, text) as account, self._recorder(asked, context) as recorder:
                spoken = self._speak(
                    request, text, account=account, admitted=admitted, played=played
                )
                async with aclosing(spoken) as chunks:
                    async for chunk in chunks:
                        account.add(chunk)
                        recorder.add(chunk)
                        yield chunk

    async def _replay(
        self, request: SynthesisRequest, text: TextFeed, recording: Recording
    ) -> AsyncGenerator[SpeechChunk]:
        """What was spoken before; takes no stream of the gate, and no engine's time."""
        cut = self._config.chunks
        with Account(request, text) as account:
            for chunk in recording.chunks(cut.first_ms, cut.next_ms):
                account.add(chunk)
                yield chunk
                # A reader that is never full must not keep others from their turn.
                await asyncio.sleep(0)

    def _key(self, request: SynthesisRequest) -> str | None:
        """What a request that was checked is kept under, if it is."""
        voice = self._voices[request.voice]
        return self._cache.key(request, voice, self._wire_rate_hz(voice))

    def _recorder(self, request: SynthesisRequest, context: CallContext) -> Recorder:
        """Keeps what is spoken in the voice that was asked for, as that voice is now.  Long work
        that nobody waits for would push out what is asked for often."""
        return self._cache.recorder(None if context.patient else self._key(request), request.voice)

    def _admit(
        self, request: SynthesisRequest, context: CallContext
    ) -> tuple[SynthesisRequest, Admitted]:
        """The request as it will be spoken, maybe in a light voice.  Raises `Overloaded`."""
        worker, limits = self._worker_of[request.voice], self._config.limits
        answer = worker.admit()
        if isinstance(answer, Admitted):
            return request, answer
        if limits.overload == "light" and not context.patient:
            for voice in self._voices.values():
                other = self._worker_of[voice.id]
                if other is worker or request.language not in voice.languages:
                    continue
                light = other.admit()
                if isinstance(light, Admitted):
                    logger.bind(voice=request.voice, instead=voice.id, **_figures(answer)).warning(
                        "stepped down to a light voice"
                    )
                    return replace(request, voice=voice.id, emotion=""), light
        logger.bind(voice=request.voice, **_figures(answer)).warning("request refused")
        raise Overloaded(str(answer))

    async def _speak(
        self,
        request: SynthesisRequest,
        text: TextFeed,
        *,
        account: Account | None = None,
        admitted: Admitted | None = None,
        played: bool = True,
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
        speech = worker.speak(request, text, played=played, admitted=admitted)
        if account is not None:
            account.speech = speech
        async with aclosing(speech) as pieces:
            async for piece in pieces:
                self._worked_s[worker] = time.monotonic()
                for chunk in chain.feed(piece):
                    yield replace(chunk, voice=voice.id)

    async def start(self, *, trial: bool = True) -> None:
        """Load the engines and, unless without `trial`, let each speak once.

        An engine whose package is missing is left out.  Raises `EngineFailed` when one fails to
        load or to speak, or none is left.  Cancelling leaves engines half loaded: call `stop`.
        """
        await self._cache.start()
        for worker in self._candidates:
            try:
                await worker.start()
            except NoVoices:
                continue
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

    async def refresh_voices(self) -> None:
        """Read the voices anew; requests being spoken end in the voices they began in.

        Raises `EngineFailed` when an engine cannot tell its voices; then they are as they were.
        """
        raise NotImplementedError

    async def stop(self) -> None:
        """Drop all work and unload the engines.  Idempotent."""
        for worker in self._candidates:
            await worker.stop()
        await self._cache.stop()

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


def whole(chunks: Sequence[SpeechChunk]) -> SpeechChunk:
    """A request's chunks, all of them, as one."""
    return SpeechChunk(
        pcm=b"".join(chunk.pcm for chunk in chunks),
        sample_rate_hz=chunks[0].sample_rate_hz,
        first_sample=0,
        marks=tuple(mark for chunk in chunks for mark in chunk.marks),
        is_final=True,
        voice=chunks[0].voice,
    )


def _figures(answer: Refused) -> dict[str, float]:
    return {"predicted_ms": round(answer.predicted_ms), "load": round(answer.load, 2)}
