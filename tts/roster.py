"""The engines that run, and which of them speaks which voice.

In: how to build engines.  Out: their workers and voices.  Knows nothing of requests.  All methods
are called from the event loop's thread.
"""

import asyncio
from collections.abc import Callable, Mapping

from loguru import logger

from tts.config import LimitsConfig, SchedulerConfig
from tts.engine.types import Engine, NoVoices
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed
from tts.types import Voice


class Roster:
    """Workers by voice."""

    def __init__(
        self,
        builders: Mapping[str, Callable[[], Engine]],
        limits: LimitsConfig,
        scheduler: SchedulerConfig,
    ) -> None:
        """`builders` make the engines, each on its own thread, in order of preference."""
        self._candidates = [
            EngineWorker(
                name,
                build,
                ahead_s=limits.ahead_s,
                first_packet_ms=limits.first_packet_ms,
                config=scheduler,
            )
            for name, build in builders.items()
        ]
        self._running: list[EngineWorker] = []
        # Both are replaced as a whole, and never changed.
        self._voices: Mapping[str, Voice] = {}
        self._worker_of: Mapping[str, EngineWorker] = {}
        self._refreshing = asyncio.Lock()

    @property
    def voices(self) -> Mapping[str, Voice]:
        """By id, those that can speak now."""
        return self._voices

    @property
    def engines(self) -> list[EngineWorker]:
        """The engines that have a voice."""
        return list(dict.fromkeys(self._worker_of.values()))

    def worker(self, voice_id: str) -> EngineWorker:
        """Who speaks one of the voices."""
        return self._worker_of[voice_id]

    async def start(self) -> None:
        """Load the engines.

        One whose package is missing is left out, one that has no voice yet waits for its first.
        Raises `EngineFailed` when one fails to load, or no voice is there.  Cancelling leaves
        engines half loaded: call `stop`.
        """
        for worker in list(self._candidates):
            await self._start(worker)
        self._take()
        if not self._voices:
            raise EngineFailed("no engine could be loaded")

    async def refresh(self) -> None:
        """See `SynthesisService.refresh_voices`."""
        # One at a time: what was read first must not be taken last.
        async with self._refreshing:
            begun = list(self._running)
            for worker in [one for one in self._candidates if one not in begun]:
                await self._start(worker)
            try:
                takes = [await worker.read_voices() for worker in begun]
            except Exception as error:
                raise EngineFailed(f"the voices cannot be read: {error}") from error
            for take in takes:
                take()
            self._take()

    async def _start(self, worker: EngineWorker) -> None:
        """Load an engine, if it can be had."""
        try:
            await worker.start()
        except NoVoices:
            logger.bind(engine=worker.name).info("engine not loaded, it has no voices yet")
        except ImportError as error:
            self._candidates.remove(worker)
            logger.bind(engine=worker.name, reason=str(error)).warning(
                "engine left out, its package is missing"
            )
        except Exception as error:
            raise EngineFailed(f"engine {worker.name} does not load: {error}") from error
        else:
            self._running.append(worker)
            ids = [voice.id for voice in worker.voices]
            logger.bind(engine=worker.name, voices=ids).info("engine loaded")

    def _take(self) -> None:
        """Offer what the engines have now, nothing awaited in between."""
        voices: dict[str, Voice] = {}
        worker_of: dict[str, EngineWorker] = {}
        for worker in self._candidates:
            for voice in worker.voices if worker in self._running else ():
                # The engine that comes first keeps an id that two of them claim.
                voices.setdefault(voice.id, voice)
                worker_of.setdefault(voice.id, worker)
        self._voices, self._worker_of = voices, worker_of

    async def stop(self) -> None:
        """Drop all work and unload the engines.  Idempotent."""
        for worker in self._candidates:
            await worker.stop()
