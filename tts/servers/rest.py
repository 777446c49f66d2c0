"""All that the HTTP door serves, put together: the dialects of REST, voices, jobs, the WebSocket.

In: the service and what is around it.  Out: one server, and the work that goes on behind it.  On
the event loop's thread.
"""

import asyncio
from collections.abc import Sequence

from loguru import logger

from tts.access import Access
from tts.config import Secrets, ServiceConfig
from tts.errors import TtsError
from tts.health import Health
from tts.jobs.runner import JobRunner
from tts.metrics import Metrics
from tts.servers.api_v2 import ApiV2
from tts.servers.http import HttpDoor
from tts.servers.jobs import JobsApi
from tts.servers.openai import OpenAiApi
from tts.servers.operations import Operation
from tts.servers.voices import VoicesApi
from tts.servers.websocket import WebSocketDoor
from tts.service import SynthesisService
from tts.voices.clip_voices import ClipVoices
from tts.voices.managing import VoiceManager
from tts.voices.workshop import Workshop


class Rest:
    """The HTTP door with everything behind it."""

    def __init__(
        self,
        config: ServiceConfig,
        secrets: Secrets,
        access: Access,
        service: SynthesisService,
        health: Health,
        metrics: Metrics,
        more: Sequence[Operation] = (),
    ) -> None:
        """`more`: operations besides its own.  Raises `ConfigError`."""
        workshop = Workshop(config.gpt_sovits)
        self._voices = VoiceManager(
            config.gpt_sovits, service, workshop, weights_dir=config.api_v2.weights_dir
        )
        self._jobs: JobRunner | None = None
        self._clip_voices = ClipVoices(config.gpt_sovits, service, workshop)
        jobs: list[Operation] = []
        if config.jobs.dir is not None:
            self._jobs = JobRunner(
                service,
                config,
                webhook_secret=secrets.webhook_secret,
                count=metrics.job_ended,
            )
            jobs = JobsApi(self._jobs, config, service.quotas).operations()
            metrics.watch_jobs(self._jobs.by_state)
        self._websocket = WebSocketDoor(service, config)
        self._http = HttpDoor(
            config,
            access,
            [
                *OpenAiApi(service, config).operations(),
                *VoicesApi(self._voices, config.http).operations(),
                *jobs,
                *ApiV2(service, config, self._clip_voices).operations(),
                *self._websocket.operations(),
                *more,
            ],
            is_ready=lambda: health.is_serving,
            metrics=metrics.render,
            refused=lambda tag, code: metrics.refused(tag.lower(), code),
        )

    async def start(self, address: str) -> int:
        """Listen.  Returns the port, 1 for a Unix socket.  Raises `OSError`."""
        return await self._http.start(address)

    async def ready(self) -> None:
        """The service can speak: begin what waited for it.

        Without jobs, which are then answered with `unavailable`, when their folder or store cannot
        be used: calls need the voices.
        """
        await self._voices.start()
        if self._jobs is not None:
            try:
                await self._jobs.start()
            except (OSError, TtsError) as error:
                logger.bind(error=str(error)).error("no jobs can be taken")
        self._http.ready()

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, let what runs end, cut it off after `grace_s`.  Idempotent.

        Jobs are left where they are, for the next start.
        """
        if self._jobs is not None:
            await self._jobs.stop()
        await asyncio.gather(self._websocket.stop(grace_s), self._http.stop(grace_s))
        await self._voices.stop()
        await self._clip_voices.stop()
