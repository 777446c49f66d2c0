"""One agent worker process: the door and the calls behind it.

In: a resolved configuration, the daemon's listening socket, the run folder, the addresses of the
model processes.  Out: an exit status: 0 after a drain, 1 when the worker cannot go on, 2 when the
configuration cannot be used.  Started and watched by `agent.supervisor`; everything here runs on
the worker's event loop.
"""

import argparse
import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from aiohttp import web
from loguru import logger
from numpy.typing import NDArray

from agent.config import Config, Secrets, WebRtcConfig, cache_dir, read_resolved, read_secrets
from agent.http import Accept, Door, Peer
from agent.lifeline import EXIT_FAILED, EXIT_UNUSABLE, exit_with_parent
from agent.logs import set_up_logging
from agent.memory import MemoryKeeper, freeze_startup
from agent.metrics import Metrics
from agent.page import web_dir
from agent.persona import Persona, load_personas, voice_problem
from agent.sessions import CallRecord, Sessions, id_prefix
from agent.siblings import Siblings, socket_path
from agent.speech_client import speech_client
from agent.speech_proxy import SpeechProxy
from agent.stt.decoder import Wanted
from agent.tables import ConfigError
from agent.transcriptions import Events
from agent.weights import WeightsMissing
from agent.writer import FileWriter
from transports.base import CallTransport
from transports.webrtc import IceServer, WebRtcPeer, WebRtcSettings
from tts.errors import TtsError
from tts.types import Voice

READY_INTERVAL_S = 1.0
HTTP_CLOSE_S = 1.0


class CallApp(Protocol):
    """What the calls of a worker share, and the call itself: `agent.app.App`."""

    async def start(self) -> None:
        """Load what is shared; returns when calls can be taken."""

    async def close(self) -> None:
        """Release it; calls must be over."""

    async def ready(self) -> dict[str, bool]:
        """Return which parts would serve a call now."""

    async def run_call(
        self, transport: CallTransport, persona: Persona, record: CallRecord
    ) -> None:
        """Hold a whole call."""

    def transcribe(self, audio: NDArray[np.float32], wanted: Wanted) -> Events:
        """Transcribe a recording; see `agent.transcriptions.Transcribe`."""


@dataclass(frozen=True)
class Place:
    """Where a worker stands in the daemon."""

    index: int
    run_dir: Path
    tts_address: str
    speech_address: str
    """Of the service's HTTP door; empty: none."""
    llm_base_url: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker until it is told to stop."""
    args = _parser().parse_args(argv)
    set_up_logging(args.log_level)
    if args.exit_with_parent:
        exit_with_parent()
    try:
        config = read_resolved(args.config)
        secrets = read_secrets(config, os.environ)
        personas = load_personas(config.calls.personas_dir)
    except ConfigError as error:
        logger.bind(problems=str(error)).error("configuration refused")
        return EXIT_UNUSABLE
    listener = socket.socket(fileno=args.listen_fd)
    place = Place(
        args.index, args.run_dir, args.tts_address, args.speech_address, args.llm_base_url
    )
    return asyncio.run(_main(config, secrets, personas, listener, place))


async def _main(
    config: Config,
    secrets: Secrets,
    personas: Mapping[str, Persona],
    listener: socket.socket,
    place: Place,
) -> int:
    from agent.app import App  # pulls in the models' libraries

    metrics = Metrics(place.index)
    try:
        app = App(
            config,
            secrets,
            tts_address=place.tts_address,
            llm_base_url=place.llm_base_url,
            cache_dir=cache_dir(os.environ),
            metrics=metrics,
        )
    except WeightsMissing as error:
        logger.bind(reason=str(error)).error("model files missing")
        return EXIT_UNUSABLE
    worker = Worker(config, secrets, personas, app, metrics, place)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, stop)
    return await worker.run(listener, stop)


def _on_signal(stop: asyncio.Event) -> None:
    """Drain at the first signal, leave at the second."""
    if stop.is_set():
        os._exit(EXIT_FAILED)
    stop.set()


class Worker:
    """Everything of a worker process, put together."""

    def __init__(
        self,
        config: Config,
        secrets: Secrets,
        personas: Mapping[str, Persona],
        app: CallApp,
        metrics: Metrics,
        place: Place,
    ) -> None:
        self._config = config
        self._token = secrets.token
        self._app = app
        self._metrics = metrics
        self._place = place
        self._ready: dict[str, bool] = {"started": False}
        self._writer = FileWriter()
        self._siblings = Siblings(place.run_dir, own=place.index, count=config.server.workers)
        self._sessions = Sessions(
            app.run_call,
            calls=config.calls,
            max_calls=config.server.max_calls,
            metrics=metrics,
            writer=self._writer,
        )
        self._memory = MemoryKeeper(self._sessions.idle)
        self._sessions.on_ended = self._memory.call_ended
        self._personas = personas
        self._tts = speech_client(config.tts, secrets, place.tts_address)
        self._speech = _speech(config, secrets, place.speech_address)
        self._voices: dict[str, Voice] | None = None
        self._door = Door(
            server=config.server,
            sessions=self._sessions,
            personas=personas,
            why_silent=self._why_silent,
            default_persona=config.calls.default_persona,
            accept=_accept(config.webrtc, secrets, place.index),
            ready=lambda: self._ready,
            ice_servers=[_for_browser(server) for server in _ice_servers(config.webrtc, secrets)],
            metrics=metrics,
            web_dir=web_dir(),
            siblings=self._siblings,
            speech=self._speech,
            transcribe=app.transcribe,
        )

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> int:
        """Serve until `stop` is set, then drain.  Returns the exit status."""
        runners = await self._open_doors(listener)
        stopping = asyncio.create_task(stop.wait(), name="stop signal")
        failed = asyncio.create_task(self._background(), name="background")
        try:
            await asyncio.wait({stopping, failed}, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                return EXIT_FAILED
            logger.bind(calls=self._sessions.running).info("draining")
            await self._sessions.drain(self._config.server.drain_s)
            return 0
        finally:
            for task in (stopping, failed):
                task.cancel()
            await asyncio.wait({stopping, failed})
            await self._close(runners)

    async def _background(self) -> None:
        """Start what calls share and keep watch; returns only when something failed."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._metrics.watch_loop(), name="loop lag")
                group.create_task(self._memory.run(), name="memory")
                group.create_task(self._start(), name="start")
        except* Exception as errors:
            for error in errors.exceptions:
                logger.opt(exception=error).error("worker cannot go on")

    async def _start(self) -> None:
        await self._app.start()
        freeze_startup()
        logger.info("models loaded")
        while True:
            ready = await self._app.ready()
            if ready.get("tts") and not self._ready.get("tts"):
                await self._learn_voices()
            self._ready = ready
            await asyncio.sleep(READY_INTERVAL_S)

    async def _learn_voices(self) -> None:
        """Ask the synthesis service, whenever it has come up, which voices it has."""
        try:
            self._voices = {voice.id: voice for voice in await self._tts.voices()}
        except TtsError as error:
            logger.bind(reason=str(error)).warning("voices unknown")
            return
        for persona in self._personas.values():
            if (reason := self._why_silent(persona)) is not None:
                logger.bind(persona=persona.id, reason=reason).warning("persona cannot speak")

    def _why_silent(self, persona: Persona) -> str | None:
        return voice_problem(persona, self._voices) if self._voices is not None else None

    async def _open_doors(self, listener: socket.socket) -> list[web.AppRunner]:
        own_path = socket_path(self._place.run_dir, self._place.index)
        own_path.unlink(missing_ok=True)  # a predecessor's that was killed
        public = _runner(self._door.public_app(self._token))
        private = _runner(self._door.private_app())
        for runner in (public, private):
            await runner.setup()
        await web.UnixSite(private, str(own_path)).start()
        await web.SockSite(public, listener).start()
        return [public, private]

    async def _close(self, runners: Sequence[web.AppRunner]) -> None:
        await self._sessions.end_all("server stopping")
        for runner in runners:
            await runner.cleanup()
        await self._siblings.close()
        await self._tts.close()
        if self._speech is not None:
            await self._speech.close()
        await self._app.close()
        await self._writer.close()


def _speech(config: Config, secrets: Secrets, address: str) -> SpeechProxy | None:
    if not address:
        return None
    # Some form fields stand around a recording.
    most = config.tts.service.http.max_upload_bytes + config.tts.service.http.max_body_bytes
    return SpeechProxy(address, max_body_bytes=most, key=secrets.tts_key)


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=HTTP_CLOSE_S)


def _accept(config: WebRtcConfig, secrets: Secrets, worker: int) -> Accept:
    """Return how this worker answers offers."""
    settings = WebRtcSettings(
        ice_servers=_ice_servers(config, secrets),
        gather_timeout_ms=config.gather_timeout_ms,
        connect_timeout_s=config.connect_timeout_s,
        silence_timeout_s=config.silence_timeout_s,
        look_ahead_ms=config.look_ahead_ms,
        fade_ms=config.fade_ms,
        reorder_packets=config.reorder_packets,
    )

    async def accept(sdp: str, type: str) -> Peer:
        return await WebRtcPeer.accept(sdp, type, settings, id_prefix(worker))

    return accept


def _ice_servers(config: WebRtcConfig, secrets: Secrets) -> tuple[IceServer, ...]:
    return tuple(
        IceServer(
            urls=tuple(server.urls),
            username=server.username,
            credential=secrets.ice_credentials.get(server.credential_env or ""),
        )
        for server in config.ice_servers
    )


def _for_browser(server: IceServer) -> dict[str, Any]:
    """Return a server as RTCPeerConnection's constructor wants it."""
    entry: dict[str, Any] = {"urls": list(server.urls)}
    if server.username is not None:
        entry |= {"username": server.username, "credential": server.credential or ""}
    return entry


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m agent.worker", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="resolved configuration")
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--listen-fd", type=int, required=True)
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--tts-address", required=True)
    parser.add_argument("--speech-address", default="")
    parser.add_argument("--llm-base-url", required=True)
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument("--exit-with-parent", action="store_true")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
