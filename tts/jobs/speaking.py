"""How one job is spoken: text -> passages -> spool -> file -> store of results.

In: a job, perhaps begun before.  Out: its result.  After each passage the audio so far and the
record are kept for good, so that a crash costs one passage; the file is made in one go of all the
audio, and made again after a crash.  On the event loop's thread; what blocks runs in others.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from loguru import logger

from tts.context import CallContext, Caller
from tts.errors import EngineFailed, TtsError, Unavailable
from tts.jobs.file import JobFile
from tts.jobs.patience import Patience
from tts.jobs.record import Job, Result, Spoken
from tts.jobs.results import ResultStore
from tts.jobs.splitting import passage_end
from tts.jobs.spool import Spool, SpoolDamaged
from tts.jobs.store import JobStore
from tts.text.split import speakable
from tts.types import SpeechChunk, SynthesisRequest, Voice

PASSAGE_CHARS = 300
"""A passage is no longer: about 20 s of audio, which is what a crash costs."""

WRITE_BYTES = 1 << 18
"""Audio that is collected in memory before it is written."""

T = TypeVar("T")
Pause = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]


class Service(Protocol):
    """What a job needs of `tts.service.SynthesisService`."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices that can speak now."""

    def stream(
        self, request: SynthesisRequest, context: CallContext
    ) -> AsyncGenerator[SpeechChunk]:
        """Speak a request."""


class _VoiceChanged(Exception):
    """The voice is not the one that has spoken so far."""


class Speaking:
    """Speaks jobs; one object serves any number of them at once."""

    def __init__(
        self,
        service: Service,
        store: JobStore,
        results: ResultStore,
        *,
        max_passage_chars: int,
        clock: Clock,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """`max_passage_chars`: the longest text that the service takes.  `clock` gives seconds;
        `pause` waits for some."""
        self._service = service
        self._store = store
        self._results = results
        self._max_chars = min(max_passage_chars, PASSAGE_CHARS)
        self._clock = clock
        self._pause = pause

    async def finish(self, job: Job) -> Result:
        """Speak what is not spoken yet, and keep the file.

        Cancelling leaves the job as a crash would: it can be finished later.  Raises a `TtsError`
        when trying again is of no use, `DamagedRecord` and `SpoolDamaged` when its files are.
        """
        text = await self._store.text(job.id)
        job = await self._spoken(job, text)
        if not job.spoken.pcm_bytes:
            raise EngineFailed("nothing of the text could be spoken")
        return await self._patiently(job, partial(self._kept, job))

    async def _spoken(self, job: Job, text: str) -> Job:
        """The job when all of its text is spoken, in one voice from beginning to end."""
        while True:
            spool = Spool(self._store.spool_path(job.id))
            try:
                await self._patiently(job, partial(self._open, spool, job.spoken.pcm_bytes))
                return await self._speak_on(job, text, spool)
            except (_VoiceChanged, SpoolDamaged) as error:
                logger.bind(job=job.id, reason=str(error)).warning("job begins anew")
            finally:
                await self._store.on_disk(spool.close)
            job = replace(self._store.jobs[job.id], spoken=Spoken())

    async def _open(self, spool: Spool, kept_bytes: int) -> None:
        await self._store.on_disk(spool.open, kept_bytes)

    async def _speak_on(self, job: Job, text: str, spool: Spool) -> Job:
        """Speak passage after passage to the end of the text."""
        while job.spoken.chars < len(text):
            end = passage_end(text, job.spoken.chars, self._max_chars)
            passage = text[job.spoken.chars : end]
            job = await self._patiently(job, partial(self._passage, job, passage, spool))
        return job

    async def _passage(self, job: Job, passage: str, spool: Spool) -> Job:
        """Speak one passage; returns the job once it is kept for good, as nothing before is."""
        disk = self._store.on_disk
        before, voice_state = job.spoken, self._voice_state(job)
        if before.pcm_bytes and before.voice_state != voice_state:
            raise _VoiceChanged("the voice is another than before")
        await disk(spool.take_back, before.pcm_bytes)
        spoken = replace(before, chars=before.chars + len(passage), voice_state=voice_state)
        if speakable(passage):
            request = replace(job.request, text=passage)
            # Its owner's own limits are for what its owner waits for.
            context = CallContext("jobs", Caller(job.owner or ""), patient=True)
            unwritten = bytearray()
            async with aclosing(self._service.stream(request, context)) as chunks:
                async for chunk in chunks:
                    if spoken.sample_rate_hz not in (0, chunk.sample_rate_hz):
                        raise _VoiceChanged("the voice is another than before")
                    spoken = replace(
                        spoken,
                        sample_rate_hz=chunk.sample_rate_hz,
                        pcm_bytes=spoken.pcm_bytes + len(chunk.pcm),
                    )
                    unwritten += chunk.pcm
                    if len(unwritten) >= WRITE_BYTES:
                        await disk(spool.write, bytes(unwritten))
                        unwritten.clear()
            if self._voice_state(job) != voice_state:
                raise _VoiceChanged("the voice is another than before")
            await disk(spool.write, bytes(unwritten))
            await disk(spool.keep)
        job = replace(self._store.jobs[job.id], spoken=spoken, fruitless=0)
        await self._store.put(job)
        return job

    def _voice_state(self, job: Job) -> str:
        """Empty for a voice that is gone: the service refuses its requests."""
        return next((v.state for v in self._service.voices if v.id == job.request.voice), "")

    async def _kept(self, job: Job) -> Result:
        """Make the file and keep it."""
        file = JobFile(job.format, job.spoken)
        pieces = _in_threads(file.pieces(self._store.spool_path(job.id)))
        async with aclosing(pieces):
            await self._results.put(job.key, file.content_type, pieces)
        return file.result()

    async def _patiently(self, job: Job, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it is done, or trying again is of no use."""
        patience = Patience()
        while True:
            try:
                return await attempt()
            except TtsError as error:
                failure = error
            except OSError as error:
                failure = Unavailable(f"the folder of the jobs cannot be used: {error.strerror}")
            wait_s = patience.wait_s(failure, self._clock())
            if wait_s is None:
                raise failure
            logger.bind(job=job.id, code=failure.code, reason=str(failure), wait_s=wait_s).warning(
                "job waits before it goes on"
            )
            await self._pause(wait_s)


async def _in_threads(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Take each piece in a thread."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
