"""Whether the service works: what its doors tell those who ask.

In: the service, which is made to speak a short text to nobody when it has been quiet.  Out: yes or
no.  On the event loop's thread.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from loguru import logger

from tts.config import HealthConfig
from tts.errors import TtsError
from tts.service import SynthesisService

Tell = Callable[[bool], Awaitable[None]]


class Health:
    """What was found out last, and the task that finds it out anew."""

    def __init__(self, service: SynthesisService, config: HealthConfig) -> None:
        self._service = service
        self._interval_s = config.probe_interval_s
        self._is_serving = False
        self._told: list[Tell] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def is_serving(self) -> bool:
        """Whether the service worked when it spoke last; False before `start` and after `stop`."""
        return self._is_serving

    def tell(self, tell: Tell) -> None:
        """Have every change told."""
        self._told.append(tell)

    async def start(self) -> None:
        """Call the service healthy, and watch it from now on."""
        await self._found(True)
        self._watching = asyncio.create_task(self._watch(), name="tts-health")

    async def stop(self) -> None:
        """Call it unhealthy, and watch it no more.  Idempotent."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        await self._found(False)

    async def _watch(self) -> None:
        interval_s = self._interval_s
        while True:
            await asyncio.sleep(max(interval_s - self._service.idle_s(), interval_s / 10))
            try:
                await self._service.probe(idle_s=interval_s)
            except TtsError as error:
                logger.bind(code=error.code, error=str(error)).error("health probe failed")
                await self._found(False)
            else:
                await self._found(True)

    async def _found(self, is_serving: bool) -> None:
        self._is_serving = is_serving
        for tell in self._told:
            await tell(is_serving)
