"""Whether the engines still work: when each last gave audio, and a short text spoken to nobody.

In: the engines, and audio as it comes.  Out: a `TtsError` for an engine that cannot speak.  What is
spoken here counts against no caller and no limit.  On the event loop's thread.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tts.config import HealthConfig
from tts.engine.worker import EngineWorker
from tts.errors import TtsError, Unavailable
from tts.metrics import Metrics
from tts.roster import Roster
from tts.types import SpeechChunk, SynthesisRequest

_TEXT = {"en": "Ready.", "zh": "好。", "ja": "はい。", "ko": "네.", "yue": "好。"}

Speak = Callable[[SynthesisRequest], AsyncGenerator[SpeechChunk]]


class Probes:
    """Watches the engines of one roster."""

    def __init__(
        self, roster: Roster, config: HealthConfig, metrics: Metrics, speak: Speak
    ) -> None:
        self._roster = roster
        self._config = config
        self._metrics = metrics
        self._speak = speak
        # When each engine last gave audio, on the monotonic clock.
        self._worked_s: dict[EngineWorker, float] = {}

    def worked(self, worker: EngineWorker) -> None:
        """An engine gave audio."""
        self._worked_s[worker] = time.monotonic()

    def idle_s(self) -> float:
        """Seconds since the engine that rests longest gave audio; infinite before its first, 0
        while none has a voice."""
        return max((self._idle_s(worker) for worker in self._roster.engines), default=0.0)

    async def probe(self, idle_s: float) -> None:
        """See `SynthesisService.probe`."""
        for worker in self._roster.engines:
            if self._idle_s(worker) >= idle_s:
                try:
                    await self._probe(worker)
                except TtsError as error:
                    self._metrics.probed(worker.name, error.code)
                    raise
                self._metrics.probed(worker.name, "ok")

    async def _probe(self, worker: EngineWorker) -> None:
        """One with nothing in memory has nothing to prove."""
        ready = worker.ready()
        if ready is None:
            return
        voice_id, language = ready
        request = SynthesisRequest(_TEXT.get(language, _TEXT["en"]), voice_id, language)
        try:
            async with (
                asyncio.timeout(self._config.probe_timeout_s),
                aclosing(self._speak(request)) as chunks,
            ):
                async for _ in chunks:
                    pass
        except TimeoutError as error:
            raise Unavailable(f"engine {worker.name} did not answer in time") from error

    def _idle_s(self, worker: EngineWorker) -> float:
        return time.monotonic() - self._worked_s.get(worker, float("-inf"))
