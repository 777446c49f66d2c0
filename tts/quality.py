"""Listening to a sample of what was spoken, beside the work.

In: chunks of requests that were drawn, as they leave.  Out: DNSMOS' marks (`tts.dnsmos`) in the
metrics and the log, without a word of the text.  The model runs in a process of its own at the
lowest priority: a thread that waits for its turn of the CPU could hold the interpreter's lock
meanwhile, and with it every request.  On the event loop's thread.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from tts import carriers
from tts.audio.resample import soxr
from tts.config import QualityConfig
from tts.dnsmos import LENGTH, MARKS, PACKAGE, RATE_HZ, Marks
from tts.metrics import Metrics
from tts.types import SpeechChunk

SHORTEST_S = 1.0
"""Shorter audio says too little: to fill the model's 9 s it would be repeated ten times."""
LONGEST_S = 16.0
"""Of longer audio the beginning is heard; it takes two seconds of a core."""
MAX_WAITING = 4
RESTART_AFTER_S = 10.0
"""A process that died is started again after this."""


@dataclass(slots=True)
class Sample:
    """A request's audio that will be listened to."""

    pcm: list[bytes] = field(default_factory=list)
    rate_hz: int = 0
    length_s: float = 0.0

    def add(self, chunk: SpeechChunk) -> None:
        """Keep a chunk, unless there is enough already."""
        if self.length_s < LONGEST_S:
            self.pcm.append(chunk.pcm)
            self.rate_hz = chunk.sample_rate_hz
            self.length_s += len(chunk.pcm) / 2 / chunk.sample_rate_hz

    def samples(self) -> NDArray[np.float32]:
        """At the model's rate.  Takes some milliseconds."""
        pcm = np.frombuffer(b"".join(self.pcm), "<i2").astype(np.float32)
        heard = soxr(pcm / np.float32(32768), self.rate_hz, RATE_HZ)[: int(LONGEST_S * RATE_HZ)]
        return np.clip(heard, -1, 1)


class QualityMonitor:
    """Draws requests, and listens to one after the other."""

    def __init__(
        self,
        config: QualityConfig,
        metrics: Metrics,
        *,
        command: Sequence[str] = (sys.executable, "-m", "tts.dnsmos"),
        draw: random.Random | None = None,
    ) -> None:
        """`command` is what listens, as `tts.dnsmos.main` does."""
        self._share = config.share
        self._metrics = metrics
        self._command = command
        self._draw = draw or random.Random()
        # What comes while it is full is dropped: this is a sample anyway.
        self._waiting: asyncio.Queue[tuple[str, Sample]] = asyncio.Queue(MAX_WAITING)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, unless the share is 0 or the model is not installed, which the log says."""
        if not self._share:
            return
        if carriers.find(PACKAGE) is None:
            logger.bind(package=PACKAGE).warning("quality is not watched, a package is missing")
            return
        self._task = asyncio.create_task(self._listen(), name="tts-quality")

    async def stop(self) -> None:
        """Forget what waits.  Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def sample(self) -> Sample | None:
        """Whether a request that begins now is drawn: what to put its audio into."""
        if self._task is None or self._draw.random() >= self._share:
            return None
        return Sample()

    def take(self, engine: str, sample: Sample) -> None:
        """Listen to a request that is finished, when there is time."""
        if sample.length_s < SHORTEST_S or self._task is None:
            return
        try:
            self._waiting.put_nowait((engine, sample))
        except asyncio.QueueFull:
            self._drop("busy")

    async def _listen(self) -> None:
        try:
            while True:
                engine, sample = await self._waiting.get()
                samples = await asyncio.to_thread(sample.samples)
                try:
                    marks = await self._ask(samples)
                except (OSError, asyncio.IncompleteReadError) as error:
                    self._drop(f"{type(error).__name__}: {error}")
                    await self._end()
                    await asyncio.sleep(RESTART_AFTER_S)
                    continue
                for scale, mark in marks._asdict().items():
                    self._metrics.heard(engine, scale, mark)
                figures = {scale: round(mark, 2) for scale, mark in marks._asdict().items()}
                logger.bind(engine=engine, **figures).debug("quality heard")
        finally:
            await self._end()

    async def _ask(self, samples: NDArray[np.float32]) -> Marks:
        """Raises `OSError` or `IncompleteReadError` when the process cannot begin, or dies."""
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
            )
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None and answers is not None
        questions.write(LENGTH.pack(len(samples)) + samples.astype("<f4").tobytes())
        await questions.drain()
        return Marks(*MARKS.unpack(await answers.readexactly(MARKS.size)))

    async def _end(self) -> None:
        """End the process, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

    def _drop(self, reason: str) -> None:
        self._metrics.unheard()
        logger.bind(reason=reason).debug("quality not heard")
