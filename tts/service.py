"""The synthesis service that every door calls: a request in, chunks with marks out.

Knows no wire and no model: doors translate for it, engines speak for it on their own threads.
All methods are called from the event loop's thread.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from tts.account import Account, Books
from tts.audio.chain import Chain
from tts.audio_cache.cache import AudioCache, Recorder
from tts.audio_cache.phrases import Phrase
from tts.audio_cache.preparing import CALM_S, Preparing
from tts.audio_cache.recording import Recording
from tts.choosing import Choice, Choosing
from tts.config import LimitsConfig, ServiceConfig
from tts.context import LOCAL, CallContext
from tts.deadline import Deadline
from tts.engine.spending import Spent
from tts.engine.types import Engine
from tts.limits import Gate, check, check_length, check_manner
from tts.metrics import CACHE, Metrics
from tts.probing import Probes
from tts.quality import QualityMonitor
from tts.quotas import Quotas
from tts.roster import Roster
from tts.scraping import EngineNow
from tts.text.clean import clean_text
from tts.text.feed import TextFeed
from tts.tracing import OFF, Tracing
from tts.types import SpeechChunk, SynthesisRequest, Voice
from tts.writing import spoken_while, write


class SynthesisService:
    """Limits -> cache -> text -> voice -> engine -> post-processing."""

    def __init__(
        self,
        config: ServiceConfig,
        builders: Mapping[str, Callable[[], Engine]],
        metrics: Metrics | None = None,
        *,
        tracing: Tracing = OFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`builders` make the engines, each on its own thread, in order of preference.  By `clock`
        callers' requests are counted and failing engines given a rest."""
        self._config = config
        metrics = metrics or Metrics()
        self._books = Books(metrics, tracing, QualityMonitor(config.quality, metrics))
        self._roster = Roster(builders, config.limits, config.scheduler)
        self._quotas = Quotas(clock)
        self._cache = AudioCache(config.cache)
        self._gate = Gate(config.limits, clock)
        self._choosing = Choosing(self._roster, self._gate, config.limits, config.breaker, clock)
        self._probes = Probes(self._roster, config.health, metrics, self._speak_to_nobody)
        metrics.watch(self)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices that can speak now, but for those that are not told of."""
        return tuple(
            replace(voice, sample_rate_hz=self._wire_rate_hz(voice))
            for voice in self._roster.voices.values()
            if voice.is_listed
        )

    def find_voice(self, voice_id: str) -> Voice | None:
        """A voice that can speak now, also one that is not told of."""
        voice = self._roster.voices.get(voice_id)
        return voice and replace(voice, sample_rate_hz=self._wire_rate_hz(voice))

    @property
    def streams(self) -> int:
        """Requests being spoken now."""
        return self._gate.active

    @property
    def waiting(self) -> int:
        """Requests that wait for a free stream."""
        return self._gate.waiting

    @property
    def spent(self) -> dict[str, Spent]:
        """By engine: what its time was spent on, over all requests that have ended."""
        return {worker.name: worker.spent for worker in self._roster.engines}

    @property
    def engines_now(self) -> list[EngineNow]:
        """The engines at this moment, for the metrics."""
        speaks = Counter(self._roster.worker(voice_id) for voice_id in self._roster.voices)
        return [
            EngineNow(
                name=worker.name,
                voices=speaks[worker],
                spent=worker.spent,
                ran=worker.ran,
                is_resting=self._choosing.is_resting(worker),
            )
            for worker in self._roster.engines
        ]

    @property
    def limits(self) -> LimitsConfig:
        """What it takes on."""
        return self._config.limits

    @property
    def metrics(self) -> Metrics:
        """What its doors count too."""
        return self._books.metrics

    @property
    def cache(self) -> AudioCache:
        """What is kept of audio that was made."""
        return self._cache

    @property
    def quotas(self) -> Quotas:
        """What callers have used of what they may."""
        return self._quotas

    @property
    def text_idle_s(self) -> float:
        """How long a text that is being written may keep still."""
        return self._config.limits.text_idle_s

    async def stream(
        self, request: SynthesisRequest, context: CallContext = LOCAL
    ) -> AsyncGenerator[SpeechChunk]:
        """Speak a request on its caller's terms.  Closing the iterator or cancelling drops the rest
        of the work.

        Raises `BadRequest`, `TextTooLong`, `VoiceNotFound`, `RateLimited`, `Overloaded` or
        `Unavailable` before any audio, `DeadlineExceeded` and `EngineFailed` at any time.
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
        deadline = Deadline(context.timeout_s)
        with self._books.account(request, context) as account:
            check_manner(request, self._roster.voices)
            check_length(len(request.text), self._config.limits.max_text_chars)
            text = TextFeed(clean_text(request.text))
            with self._quotas.stream(context.caller):
                asked = _Asked(request, text, context, deadline, account)
                async with aclosing(self._serve(asked, played=True, texts=texts)) as chunks:
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
        """Speak a text that is there.  `played`: whether it is heard while it is made."""
        deadline = Deadline(context.timeout_s)
        with self._books.account(request, context) as account:
            check(request, self._roster.voices, self._config.limits.max_text_chars)
            text = TextFeed.of(clean_text(request.text))
            with self._quotas.stream(context.caller):
                recording = await self._cache.find(self._key(request))
                if recording is not None:
                    account.speaks(CACHE, request.voice, text)
                    spoken = deadline.cut(self._replay(recording))
                else:
                    asked = _Asked(request, text, context, deadline, account)
                    spoken = self._serve(asked, played=played)
                async with aclosing(spoken) as chunks:
                    async for chunk in chunks:
                        account.add(chunk)
                        yield chunk

    async def _replay(self, recording: Recording) -> AsyncGenerator[SpeechChunk]:
        """What was spoken before; takes no stream of the gate, and no engine's time."""
        cut = self._config.chunks
        for chunk in recording.chunks(cut.first_ms, cut.next_ms):
            yield chunk
            # A reader that is never full must not keep others from their turn.
            await asyncio.sleep(0)

    async def _serve(
        self, asked: "_Asked", *, played: bool, texts: AsyncIterator[str] | None = None
    ) -> AsyncGenerator[SpeechChunk]:
        """Speak what is not in the cache.  `texts`: what is still being written, if it is."""
        text, context, deadline = asked.text, asked.context, asked.deadline
        asked.account.waits()
        async with self._gate.stream(deadline):
            asked.account.admitted()
            choice = self._choosing.choose(asked.request, context, deadline)
            asked.account.speaks(choice.worker.name, choice.voice.id, text)
            with (
                self._choosing.attempt(choice) as attempt,
                self._recorder(asked.request, context, is_whole=texts is None) as recorder,
            ):
                spoken = self._speak(
                    choice, text, account=asked.account, played=played, eager=context.eager
                )
                spoken = deadline.cut(spoken)
                if texts is not None:
                    written = write(texts, text, self._config.limits)
                    writing = asyncio.create_task(written, name="tts-text")
                    spoken = spoken_while(writing, spoken)
                async with aclosing(spoken) as chunks:
                    async for chunk in chunks:
                        attempt.gave(chunk)
                        recorder.add(chunk)
                        yield chunk

    async def _speak(
        self,
        choice: Choice,
        text: TextFeed,
        *,
        account: Account | None = None,
        played: bool = True,
        eager: bool = False,
    ) -> AsyncGenerator[SpeechChunk]:
        """The data path, after the limits."""
        voice, worker = choice.voice, choice.worker
        chain = Chain(
            voice_rate_hz=voice.sample_rate_hz,
            sample_rate_hz=self._wire_rate_hz(voice),
            gain_db=worker.gain_db(voice.id),
            first_ms=self._config.chunks.first_ms,
            next_ms=self._config.chunks.next_ms,
        )
        request = replace(choice.request, text=text.text)
        speech = worker.speak(request, text, played=played, eager=eager, admitted=choice.admitted)
        if account is not None:
            account.speech = speech
        async with aclosing(speech) as pieces:
            async for piece in pieces:
                self._probes.worked(worker)
                for chunk in chain.feed(piece):
                    yield replace(chunk, voice=voice.id)

    def _speak_to_nobody(
        self, request: SynthesisRequest, *, played: bool = True
    ) -> AsyncGenerator[SpeechChunk]:
        """Past all limits and the cache.  `played`: whether it is made as if it were heard."""
        voice = self._roster.voices[request.voice]
        choice = Choice(request, voice, self._roster.worker(voice.id))
        return self._speak(choice, TextFeed.of(clean_text(request.text)), played=played)

    async def _is_kept(self, request: SynthesisRequest) -> bool:
        """Whether a phrase is there.  Raises what `check` raises."""
        check(request, self._roster.voices, self._config.limits.max_text_chars)
        return await self._cache.has(self._key(request))

    async def _make(self, request: SynthesisRequest) -> bool:
        """Speak a phrase into the cache; whether it is there then."""
        # Voices may have changed while it waited for its turn.
        check(request, self._roster.voices, self._config.limits.max_text_chars)
        with self._cache.recorder(self._key(request), request.voice) as recorder:
            async with aclosing(self._speak_to_nobody(request, played=False)) as chunks:
                async for chunk in chunks:
                    recorder.add(chunk)
            return recorder.is_kept

    def _key(self, request: SynthesisRequest) -> str | None:
        """What a request that was checked is kept under, if it is."""
        voice = self._roster.voices[request.voice]
        return self._cache.key(request, voice, self._wire_rate_hz(voice))

    def _recorder(
        self, request: SynthesisRequest, context: CallContext, *, is_whole: bool
    ) -> Recorder:
        """Keeps what is spoken in the voice that was asked for, as that voice is now.  Long work
        that nobody waits for would push out what is asked for often; a text that is being written
        is no request that comes again."""
        kept = is_whole and context.keep and not context.patient
        return self._cache.recorder(self._key(request) if kept else None, request.voice)

    async def start(self, *, trial: bool = True) -> None:
        """Load the engines and, unless without `trial`, let each speak once.

        An engine whose package is missing is left out.  Raises `EngineFailed` when one fails to
        load or to speak, or none is left.  Cancelling leaves engines half loaded: call `stop`.
        """
        await self._cache.start()
        await self._books.quality.start()
        await self._roster.start()
        if trial:
            await self.probe()

    async def prepare(self, phrases: Sequence[Phrase], *, calm_s: float = CALM_S) -> None:
        """Make phrases that are not in the cache, one after the other, while nobody is served and,
        if anybody was, `calm_s` have passed since.

        What cannot be made is left out with a line in the log.  Cancelling drops the phrase that is
        being made.
        """
        preparing = Preparing(self._gate, is_kept=self._is_kept, make=self._make, calm_s=calm_s)
        await preparing.run(phrases)

    async def refresh_voices(self) -> None:
        """Read the voices anew; requests being spoken end in the voices they began in.

        Raises `EngineFailed` when an engine cannot tell its voices; then they are as they were.
        """
        await self._roster.refresh()

    async def stop(self) -> None:
        """Drop all work and unload the engines.  Idempotent."""
        await self._roster.stop()
        await self._cache.stop()
        await self._books.quality.stop()

    async def probe(self, idle_s: float = 0.0) -> None:
        """Let every engine that gave no audio for `idle_s` speak a short text.

        An engine is never made to load a voice for this.  Raises a `TtsError` when one cannot
        speak.  Cancelling loses nothing.
        """
        await self._probes.probe(idle_s)

    def idle_s(self) -> float:
        """Seconds since the engine that rests longest gave audio; infinite before its first."""
        return self._probes.idle_s()

    def _wire_rate_hz(self, voice: Voice) -> int:
        return self._config.audio.sample_rate_hz or voice.sample_rate_hz


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was checked, on its way to an engine."""

    request: SynthesisRequest
    text: TextFeed
    context: CallContext
    deadline: Deadline
    account: Account


def whole(chunks: Sequence[SpeechChunk]) -> SpeechChunk:
    """A request's chunks, all of them, as one."""
    return SpeechChunk(
        pcm=b"".join(chunk.pcm for chunk in chunks),
        sample_rate_hz=chunks[0].sample_rate_hz,
        first_sample=0,
        marks=tuple(mark for chunk in chunks for mark in chunk.marks),
        is_final=True,
        voice=chunks[0].voice,
        cached=chunks[0].cached,
    )
