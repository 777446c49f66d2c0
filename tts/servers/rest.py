"""All that the HTTP door serves: the dialects of REST, and the WebSocket.

In: the service and what is around it.  Out: one server.  On the event loop's thread.
"""

from collections.abc import Sequence

from tts.access import Access
from tts.config import Secrets, ServiceConfig
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.http import HttpDoor
from tts.servers.openai import OpenAiApi
from tts.servers.operations import Operation
from tts.servers.websocket import WebSocketDoor
from tts.service import SynthesisService


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
        self._websocket = WebSocketDoor(service, config)
        self._http = HttpDoor(
            config,
            access,
            [
                *OpenAiApi(service, config).operations(),
                *self._websocket.operations(),
                *more,
            ],
            is_ready=lambda: health.is_serving,
            metrics=metrics.render,
        )

    async def start(self, address: str) -> int:
        """Listen.  Returns the port, 1 for a Unix socket.  Raises `OSError`."""
        return await self._http.start(address)

    def ready(self) -> None:
        """What waits for the service may begin."""
        self._http.ready()

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, let what runs end, cut it off after `grace_s`.  Idempotent."""
        await self._websocket.stop(grace_s)
        await self._http.stop(grace_s)
