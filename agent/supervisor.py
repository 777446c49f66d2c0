"""The daemon: the model processes and the agent workers, kept running behind one port.

In: a checked configuration and its secrets.  Out: an exit status: 0 after a drain, 1 when a
second signal cut it short, 2 when a child cannot use the configuration.  Children sit behind the
contracts of remote services, so an address in the configuration replaces each.  Knows nothing of
calls.  Its own process and event loop.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from agent import weights
from agent.child import Child
from agent.config import Config, LlmConfig, Secrets, service_settings, write_resolved
from agent.lifeline import EXIT_FAILED, EXIT_UNUSABLE
from agent.persona import load_personas
from agent.prepared import with_phrases_of_personas
from agent.siblings import Siblings
from agent.tables import ConfigError, Problem
from tts.config import ServiceConfig

BACKLOG = 128
SAME_SIGNAL_S = 0.5
SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL_S = 0.2
STALL_POLL_S = 5.0
STALLED_AFTER = 4
"""A worker that does not answer this many polls in a row is killed, and so started again."""
DRAIN_MARGIN_S = 15.0
"""What a worker may need beyond `server.drain_s`."""
MODELS_STOP_S = 5.0
MAX_TEMP_DIR_CHARS = 70
TTS_TOKEN = "PARLEY_TOKEN"


@dataclass(frozen=True)
class Children:
    """The processes of a daemon."""

    models: Sequence[Child]
    workers: Sequence[Child]

    @property
    def all(self) -> list[Child]:
        """The model processes, then the workers."""
        return [*self.models, *self.workers]


class Supervisor:
    """Keeps a daemon's children running, and ends them in order."""

    def __init__(
        self,
        children: Children,
        listener: socket.socket,
        run_dir: Path,
        *,
        drain_s: float,
        say: Callable[[str], None],
    ) -> None:
        """`say` tells the person who started the daemon that it is ready, and where."""
        self._children = children
        self._listener = listener
        self._run_dir = run_dir
        self._drain_s = drain_s
        self._say = say
        self._signalled_s = 0.0
        self._hurried = False
        self._stop = asyncio.Event()

    @property
    def url(self) -> str:
        """The page's address."""
        host, port = self._listener.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, then drain.  Returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        siblings = Siblings(self._run_dir, own=-1, count=len(self._children.workers))
        running = [
            asyncio.create_task(child.run(), name=child.name) for child in self._children.all
        ]
        watching: list[asyncio.Task[None]] = [
            asyncio.create_task(self._announce(siblings), name="announce"),
            asyncio.create_task(self._watch_for_stalls(siblings), name="stalls"),
        ]
        stopping = asyncio.create_task(self._wait_for_stop(), name="stop signal")
        try:
            await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
            if not stopping.done():
                return _unusable(running)
            for task in watching:
                task.cancel()
            models = len(self._children.models)
            return await self._drain(running[:models], running[models:])
        finally:
            tasks: list[asyncio.Task[Any]] = [stopping, *watching, *running]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await siblings.close()
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def _wait_for_stop(self) -> None:
        await self._stop.wait()

    def stop(self) -> None:
        """Drain, as at SIGTERM."""
        self._stop.set()

    def _on_signal(self) -> None:
        """Drain at the first signal; at a later one, leave at once.

        `make` and `timeout` send theirs to a whole group and again to each child, so signals that
        come together are one.
        """
        now_s = asyncio.get_running_loop().time()
        if self._stop.is_set() and now_s - self._signalled_s < SAME_SIGNAL_S:
            return
        self._hurried = self._stop.is_set()
        self._signalled_s = now_s
        self.stop()
        if self._hurried:
            for child in self._children.all:
                child.stop()
                child.kill()

    async def _drain(
        self, models: Sequence["asyncio.Task[int]"], workers: Sequence["asyncio.Task[int]"]
    ) -> int:
        """End the workers first: their calls need the models until the end."""
        logger.info("draining")
        for child in self._children.workers:
            child.stop()
        await asyncio.wait(workers, timeout=self._drain_s + DRAIN_MARGIN_S)
        for child in self._children.models:
            child.stop()
        if models:
            await asyncio.wait(models, timeout=MODELS_STOP_S)
        return EXIT_FAILED if self._hurried else 0

    async def _announce(self, siblings: Siblings) -> None:
        """Wait until a worker can take calls, and say so."""
        while True:
            states = await siblings.get_all("/readyz")
            if any(text is not None and json.loads(text)["ready"] for text in states.values()):
                break
            await asyncio.sleep(POLL_S)
        self._say(self.url)

    async def _watch_for_stalls(self, siblings: Siblings) -> None:
        """Kill a worker whose event loop has stopped turning."""
        silent = dict.fromkeys(range(len(self._children.workers)), 0)
        while True:
            await asyncio.sleep(STALL_POLL_S)
            stalled = await siblings.stalled()
            for index in silent:
                silent[index] = silent[index] + 1 if index in stalled else 0
                if silent[index] >= STALLED_AFTER:
                    worker = self._children.workers[index]
                    logger.bind(child=worker.name).error("worker stalled; killing it")
                    worker.kill()
                    silent[index] = 0


def serve(config: Config, secrets: Secrets, *, log_level: str, say: Callable[[str], None]) -> int:
    """Run a daemon; returns its exit status.  Raises `ConfigError` when it cannot start."""

    async def run(children: Children, listener: socket.socket, folder: Path) -> int:
        drain_s = config.server.drain_s
        return await Supervisor(children, listener, folder, drain_s=drain_s, say=say).run()

    with listen(config.server.host, config.server.port) as listener, run_dir() as folder:
        children = plan(config, secrets, listener, folder, log_level=log_level)
        return asyncio.run(run(children, listener, folder))


def plan(
    config: Config, secrets: Secrets, listener: socket.socket, folder: Path, *, log_level: str
) -> Children:
    """Decide which processes a configuration needs; starts none of them.

    Leaves the configuration in the run folder for the workers, and the phrases of personas for the
    synthesis service.  Raises `ConfigError` when a command cannot be put together.
    """
    models = []
    tts_address, speech_address = config.tts.address, config.tts.http_address
    if not tts_address:
        tts_address = f"unix:{folder / 'tts.sock'}"
        speech_address = f"unix:{folder / 'speech.sock'}"
        service = with_phrases_of_personas(config, with_voices_of_personas(config), folder)
        settings = service.model_dump_json()
        command = tts_command(settings, tts_address, speech_address, log_level)
        # The service asks for the daemon's token itself, whatever variable it stands in here.
        models.append(Child("tts", command, environment={TTS_TOKEN: secrets.token or ""}))
    llm_base_url = config.llm.base_url
    if not llm_base_url:
        port = _free_port()
        llm_base_url = f"http://127.0.0.1:{port}/v1"
        models.append(Child("llm", llm_command(config.llm, port)))
    config_file = folder / "config.json"
    write_resolved(config, config_file)
    command = [
        *(sys.executable, "-m", "agent.worker", "--exit-with-parent"),
        *("--config", str(config_file)),
        *("--listen-fd", str(listener.fileno())),
        *("--run-dir", str(folder)),
        *("--tts-address", tts_address),
        *("--speech-address", speech_address),
        *("--llm-base-url", llm_base_url),
        *("--log-level", log_level),
    ]
    workers = [
        Child(
            f"worker-{index}",
            [*command, "--index", str(index)],
            pass_fds=[listener.fileno()],
            fatal_status=EXIT_UNUSABLE,
        )
        for index in range(config.server.workers)
    ]
    return Children(models, workers)


def listen(host: str, port: int) -> socket.socket:
    """Bind the daemon's port; raises `ConfigError` when it cannot be had.

    The socket is the supervisor's and outlives its workers: while one is being restarted, callers
    wait in the backlog or are taken by another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        reason = f"cannot listen on {host} port {port}: {error.strerror}"
        hint = "another port: --set server.port=0 picks a free one"
        raise ConfigError([Problem("server", "port", f"{reason}; {hint}")]) from None
    return listener


def with_voices_of_personas(config: Config) -> ServiceConfig:
    """Return the synthesis service's settings: unless they say which cloned voices to load before
    they are asked for, those that personas speak in, the default persona's first.

    Raises `ConfigError` when the personas cannot be used.
    """
    service = service_settings(config)
    cloned = service.gpt_sovits
    if "preload" in cloned.model_fields_set:
        return service
    personas = load_personas(config.calls.personas_dir)
    ordered = sorted(personas.values(), key=lambda one: one.id != config.calls.default_persona)
    voices = dict.fromkeys(persona.voice for persona in ordered)
    preload = tuple(voice for voice in voices if (cloned.voices_dir / voice).is_dir())
    return service.model_copy(update={"gpt_sovits": cloned.model_copy(update={"preload": preload})})


def tts_command(settings: str, address: str, http_address: str, log_level: str) -> list[str]:
    """Return the command of the synthesis service; `settings` are JSON."""
    return [
        *(sys.executable, "-m", "tts", "serve", "--exit-with-parent"),
        *("--address", address),
        *("--http", http_address),
        *("--settings", settings),
        *("--log-level", log_level),
    ]


def llm_command(config: LlmConfig, port: int) -> list[str]:
    """Return the command of the built-in language model; raises `ConfigError` without its file."""
    try:
        model = config.local_model_path or weights.find(weights.SMOLLM2)
    except weights.WeightsMissing as error:
        message = f"{error}; or name an endpoint in llm.base_url"
        raise ConfigError([Problem("llm", "local_model_path", message)]) from None
    return [
        *(sys.executable, "-m", "agent.llm.local_server", "--exit-with-parent"),
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
        *("--model", str(model)),
        *("--threads", str(config.local_threads)),
        *("--slots", str(config.local_slots)),
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def run_dir() -> Iterator[Path]:
    """Make a folder that only this user can enter; a socket's path in it must be short."""
    too_long = len(tempfile.gettempdir()) > MAX_TEMP_DIR_CHARS
    folder = "/tmp" if too_long else None
    with tempfile.TemporaryDirectory(
        prefix="parley-", dir=folder, ignore_cleanup_errors=True
    ) as path:
        yield Path(path)


def _unusable(running: Sequence["asyncio.Task[int]"]) -> int:
    """Say which child gave up, and return the daemon's exit status."""
    for task in running:
        if task.done():
            reason = task.exception() or f"exit status {task.result()}"
            logger.bind(child=task.get_name(), reason=str(reason)).error("child cannot be used")
    return EXIT_UNUSABLE
