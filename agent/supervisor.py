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
from pathlib import Path
from typing import Any

from loguru import logger

from agent import weights
from agent.child import Child
from agent.config import Config, LlmConfig, write_resolved
from agent.lifeline import EXIT_FAILED, EXIT_UNUSABLE
from agent.siblings import Siblings
from agent.tables import ConfigError, Problem

BACKLOG = 128
SIGNALS = (signal.SIGTERM, signal.SIGINT)
POLL_S = 0.2
STALL_POLL_S = 5.0
STALLED_AFTER = 4
"""A worker that does not answer this many polls in a row is killed, and so started again."""
DRAIN_MARGIN_S = 15.0
"""What a worker may need beyond `server.drain_s`."""
MODELS_STOP_S = 5.0
MAX_TEMP_DIR_CHARS = 70


class Supervisor:
    """All children of a daemon."""

    def __init__(
        self,
        config: Config,
        listener: socket.socket,
        run_dir: Path,
        *,
        log_level: str,
        say: Callable[[str], None],
    ) -> None:
        """`say` tells the person who started the daemon that it is ready, and where.

        Raises `ConfigError` when a child's command cannot be put together.
        """
        self._config = config
        self._log_level = log_level
        self._say = say
        self._run_dir = run_dir
        self._listener = listener
        self._signals = 0
        self._stop = asyncio.Event()
        self._models = self._model_children()
        self._workers = [self._worker_child(index) for index in range(config.server.workers)]

    @property
    def url(self) -> str:
        """The page's address."""
        host, port = self._listener.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    @property
    def children(self) -> list[Child]:
        """The model processes, then the workers."""
        return [*self._models, *self._workers]

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT, then drain.  Returns the exit status."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        write_resolved(self._config, self._run_dir / "config.json")
        siblings = Siblings(self._run_dir, own=-1, count=len(self._workers))
        running = [asyncio.create_task(child.run(), name=child.name) for child in self.children]
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
            models = len(self._models)
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
        self._signals += 1
        self.stop()
        if self._signals > 1:
            for child in self.children:
                child.stop()
                child.kill()

    async def _drain(
        self, models: Sequence["asyncio.Task[int]"], workers: Sequence["asyncio.Task[int]"]
    ) -> int:
        """End the workers first: their calls need the models until the end."""
        logger.info("draining")
        for child in self._workers:
            child.stop()
        await asyncio.wait(workers, timeout=self._config.server.drain_s + DRAIN_MARGIN_S)
        for child in self._models:
            child.stop()
        if models:
            await asyncio.wait(models, timeout=MODELS_STOP_S)
        return EXIT_FAILED if self._signals > 1 else 0

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
        silent = dict.fromkeys(range(len(self._workers)), 0)
        while True:
            await asyncio.sleep(STALL_POLL_S)
            stalled = await siblings.stalled()
            for index in silent:
                silent[index] = silent[index] + 1 if index in stalled else 0
                if silent[index] >= STALLED_AFTER:
                    logger.bind(child=self._workers[index].name).error("worker stalled; killing it")
                    self._workers[index].kill()
                    silent[index] = 0

    def _model_children(self) -> list[Child]:
        """Return the model processes this daemon has to run itself."""
        config = self._config
        children = []
        self._tts_address = config.tts.address or f"unix:{self._run_dir / 'tts.sock'}"
        if not config.tts.address:
            children.append(Child("tts", self._tts_command()))
        self._llm_base_url = config.llm.base_url
        if not config.llm.base_url:
            port = _free_port()
            self._llm_base_url = f"http://127.0.0.1:{port}/v1"
            children.append(Child("llm", llm_command(config.llm, port)))
        return children

    def _tts_command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "tts", "serve", "--exit-with-parent"),
            *("--address", self._tts_address),
            *("--threads", str(self._config.tts.threads)),
            *("--log-level", self._log_level),
        ]

    def _worker_child(self, index: int) -> Child:
        command = [
            *(sys.executable, "-m", "agent.worker", "--exit-with-parent"),
            *("--config", str(self._run_dir / "config.json")),
            *("--index", str(index)),
            *("--listen-fd", str(self._listener.fileno())),
            *("--run-dir", str(self._run_dir)),
            *("--tts-address", self._tts_address),
            *("--llm-base-url", self._llm_base_url),
            *("--log-level", self._log_level),
        ]
        return Child(
            f"worker-{index}",
            command,
            pass_fds=[self._listener.fileno()],
            fatal_status=EXIT_UNUSABLE,
        )


def serve(config: Config, *, log_level: str, say: Callable[[str], None]) -> int:
    """Run a daemon; returns its exit status.  Raises `ConfigError` for an address in use."""

    async def run(listener: socket.socket, folder: Path) -> int:
        supervisor = Supervisor(config, listener, folder, log_level=log_level, say=say)
        return await supervisor.run()

    with listen(config.server.host, config.server.port) as listener, run_dir() as folder:
        return asyncio.run(run(listener, folder))


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
