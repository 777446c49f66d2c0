"""The service as a process: where voices, callers' rights and doors are put together.

In: the configuration, the secrets, and where each door is to listen.  Out: doors that serve until
they are told to stop, then drain.  The only module of `tts` that knows all of them.  On the event
loop's thread.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from loguru import logger

from tts.access import Access
from tts.audio_cache.phrases import read_phrases
from tts.config import Secrets, ServiceConfig
from tts.engines import builders
from tts.errors import TtsError
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.grpc import GrpcDoor
from tts.servers.operations import Operation
from tts.service import SynthesisService
from tts.tracing import set_up

TRACED_AS = "parley-tts"
PARENT_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doors listen: "unix:/path" or "host:port"; empty: such a door is not opened."""

    grpc: str = ""
    http: str = ""


class App:
    """One service and its doors."""

    def __init__(
        self,
        config: ServiceConfig,
        secrets: Secrets,
        addresses: Addresses,
        more: Sequence[Operation] = (),
    ) -> None:
        """`more`: operations that the HTTP door serves besides its own.

        Raises `ConfigError` for keys, tokens, certificates and phrases that cannot be used.
        """
        access = Access(config.access, secrets)
        self._drain_s = config.drain_s
        self._addresses = addresses
        phrases = config.cache.phrases
        self._phrases = read_phrases(phrases) if phrases is not None else ()
        self._preparing: asyncio.Task[None] | None = None
        self.metrics = Metrics()
        self._tracing = set_up(config.tracing, TRACED_AS)
        self.service = SynthesisService(
            config, builders(config), self.metrics, tracing=self._tracing
        )
        self.health = Health(self.service, config.health)
        self.grpc_port = self.http_port = 0
        """Where the doors listen, once they do; 1 for a Unix socket."""
        self._grpc: GrpcDoor | None = None
        if addresses.grpc:
            self._grpc = GrpcDoor(self.service, config, access, self.health, self.metrics)
        self._rest = None
        if addresses.http:
            # What only this door needs takes a third of a second to import.
            from tts.servers.rest import Rest

            self._rest = Rest(
                config, secrets, access, self.service, self.health, self.metrics, more
            )

    async def start(self) -> None:
        """Listen, load the voices, and call the service ready.

        Raises `ConfigError` for an address that strangers would reach without a key, `OSError`
        for one it cannot have, and `EngineFailed` when no voice works.
        Whatever happens, call `stop`.
        """
        if self._grpc is not None:
            self.grpc_port = await self._grpc.start(self._addresses.grpc)
        if self._rest is not None:
            self.http_port = await self._rest.start(self._addresses.http)
        await self.service.start()
        await self.health.start()
        if self._rest is not None:
            await self._rest.ready()
        logger.bind(voices=len(self.service.voices)).info("ready")
        if self._phrases:
            preparing = self.service.prepare(self._phrases)
            self._preparing = asyncio.create_task(preparing, name="tts-phrases")

    async def stop(self) -> None:
        """Take nothing new, let what runs end within the grace, and unload.  Idempotent."""
        await self.health.stop()
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        doors = [door for door in (self._grpc, self._rest) if door is not None]
        await asyncio.gather(*(door.stop(self._drain_s) for door in doors))
        await self.service.stop()
        await self._tracing.stop()


async def run(
    app: App, *, parent: int | None = None, say: Callable[[], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, or the end of the process `parent`, ours; then drain.

    `say` is called once the service is ready.  SIGHUP reads the voices anew.  Raises as
    `App.start`.
    """
    stop = asyncio.Event()
    watching: list[asyncio.Task[None]] = []
    with _signals(app.service, stop):
        if parent is not None:
            watching.append(asyncio.create_task(_parent_gone(parent, stop), name="tts-parent"))
        watching.append(asyncio.create_task(app.metrics.watch_loop(), name="tts-loop-lag"))
        try:
            await app.start()
            if say is not None:
                say()
            await stop.wait()
            logger.bind(streams=app.service.streams).info("draining")
        finally:
            await app.stop()
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    logger.info("stopped")


@contextlib.contextmanager
def _signals(service: SynthesisService, stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    refreshing: set[asyncio.Task[None]] = set()

    def refresh() -> None:
        task = asyncio.create_task(_refresh(service), name="tts-refresh")
        refreshing.add(task)
        task.add_done_callback(refreshing.discard)

    handlers = {signal.SIGTERM: stop.set, signal.SIGINT: stop.set, signal.SIGHUP: refresh}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


async def _refresh(service: SynthesisService) -> None:
    try:
        await service.refresh_voices()
    except TtsError as error:
        logger.bind(error=str(error)).error("voices not read anew")


async def _parent_gone(parent: int, stop: asyncio.Event) -> None:
    """Set `stop` once this process has another parent."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the kernel sets no event for this
        await asyncio.sleep(PARENT_POLL_S)
    logger.bind(parent=parent).warning("parent is gone")
    stop.set()
