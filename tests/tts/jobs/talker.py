"""A service whose audio tells which text it is of: a sample for each character."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tts.config import JobsConfig, LimitsConfig, ServiceConfig
from tts.context import CallContext
from tts.errors import TtsError
from tts.jobs.record import Job
from tts.jobs.results import ResultStore
from tts.jobs.runner import JobRunner, Order
from tts.types import SpeechChunk, SynthesisRequest, Voice

RATE_HZ = 8000
VOICE = Voice("ann", ("en",), RATE_HZ, "fake", state="v1")
REQUEST = SynthesisRequest("", "ann", "en", seed=7)


@dataclass
class Talker:
    """Speaks characters as samples; see the fields for what else it can do."""

    chunk_chars: int = 100
    voices: tuple[Voice, ...] = (VOICE,)
    errors: list[TtsError] = field(default_factory=list)
    """Raised after the first chunk of as many requests, one each."""
    asked: list[tuple[SynthesisRequest, CallContext]] = field(default_factory=list)
    gate: asyncio.Semaphore | None = None
    """Each chunk waits for a permit."""
    before_chunk: Callable[[], None] = lambda: None
    closed: int = 0
    """Streams that were left before their end."""

    async def stream(
        self, request: SynthesisRequest, context: CallContext
    ) -> AsyncGenerator[SpeechChunk]:
        self.asked.append((request, context))
        error = self.errors.pop(0) if self.errors else None
        text, whole = request.text, False
        try:
            for start in range(0, len(text), self.chunk_chars):
                if self.gate is not None:
                    await self.gate.acquire()
                self.before_chunk()
                part = text[start : start + self.chunk_chars]
                is_final = start + self.chunk_chars >= len(text)
                rate_hz = self.voices[0].sample_rate_hz
                yield SpeechChunk(samples(part), rate_hz, start, (), is_final, "ann")
                if error is not None:
                    raise error
                await asyncio.sleep(0)
            whole = True
        finally:
            self.closed += not whole


def samples(text: str) -> bytes:
    """The audio of a text."""
    return text.encode("utf-16-le")


def config(
    folder: Path, *, max_text_chars: int = 2000, job_chars: int = 200_000, **jobs: Any
) -> ServiceConfig:
    """`max_text_chars` of a request, `job_chars` of a job."""
    return ServiceConfig(
        limits=LimitsConfig(max_text_chars=max_text_chars),
        jobs=JobsConfig(dir=folder / "jobs", max_text_chars=job_chars, **jobs),
    )


def order(text: str, format: str = "pcm", **values: Any) -> Order:
    return Order(replace(REQUEST, text=text), format, **values)


async def no_pause(seconds: float) -> None:
    """Wait for nothing."""


@asynccontextmanager
async def running(
    talker: Talker,
    config: ServiceConfig,
    *,
    webhook_secret: str | None = None,
    results: ResultStore | None = None,
    clock: Callable[[], float] | None = None,
    pause: Callable[[float], Awaitable[None]] = no_pause,
) -> AsyncIterator[JobRunner]:
    times = {"clock": clock} if clock else {}
    runner = JobRunner(
        talker, config, webhook_secret=webhook_secret, results=results, pause=pause, **times
    )
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop()


async def ended(runner: JobRunner, job: Job, owner: str = "me") -> Job:
    """The job, once it has ended; one that hangs fails in 20 s."""
    async with asyncio.timeout(20):
        while not (now := runner.find(owner, job.id)).ended:  # noqa: ASYNC110 - threads end it
            await asyncio.sleep(0.002)
    return now


async def audio(runner: JobRunner, job: Job) -> bytes:
    """All bytes of a finished job's file."""
    assert job.result is not None, job.failure
    assert await runner.has_audio(job)
    return b"".join([block async for block in runner.audio(job, 0, job.result.size_bytes)])
