"""One child process, kept running: started, its lines passed on, restarted when it dies.

In: a command.  Out: a process that is there again soon after it died, until `stop`.  Knows
nothing of what the process does.  Supervisor's event loop only.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence

from loguru import logger

from agent.lifeline import dies_with_parent
from agent.restart import RestartPolicy

MAX_LINE_BYTES = 65_536
LAST_LINES_S = 1.0
"""How long a dead child's last lines, its traceback among them, are waited for."""


class Child:
    """A command that is kept running."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        fatal_status: int | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        """`environment`: variables besides this process' own.  `fatal_status` is the exit status
        after which starting again cannot help."""
        self.name = name
        self._command = command
        self._pass_fds = pass_fds
        self._environment = environment or {}
        self._fatal_status = fatal_status
        self._policy = policy or RestartPolicy()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self.restarts = 0
        """Times the child was started again."""

    @property
    def pid(self) -> int | None:
        """Process id while the child runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def run(self) -> int:
        """Keep the child running until `stop`; returns its last exit status.

        Returns early only for `fatal_status`.  Cancelling kills the child.
        """
        clock = asyncio.get_running_loop().time
        while True:
            process = await self._spawn()
            self._policy.started(clock())
            try:
                status = await self._watch(process)
            finally:
                _kill(process)
            if self._stopping.is_set() or status == self._fatal_status:
                return status
            delay_s = self._policy.died(clock())
            logger.bind(child=self.name, status=status, restart_in_s=delay_s).warning("child died")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()
                return status
            self.restarts += 1

    def stop(self) -> None:
        """Ask the child to end, and do not start it again."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the child at once; it is started again unless `stop` was called."""
        if self._process is not None:
            _kill(self._process)

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=self._pass_fds,
            # Each sets up its own log.
            env={**os.environ, "LOGURU_AUTOINIT": "False", **self._environment},
            start_new_session=True,  # a Ctrl-C in the terminal is the supervisor's to handle
            preexec_fn=dies_with_parent(),
            limit=MAX_LINE_BYTES,
        )
        logger.bind(child=self.name, pid=self._process.pid).info("child started")
        if self._stopping.is_set():
            self._process.terminate()
        return self._process

    async def _watch(self, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        copying = asyncio.create_task(
            _copy_lines(process.stdout, self.name), name=f"lines of {self.name}"
        )
        try:
            status = await process.wait()
            await asyncio.wait({copying}, timeout=LAST_LINES_S)
            return status
        finally:
            copying.cancel()


async def _copy_lines(lines: asyncio.StreamReader, name: str) -> None:
    """Pass a child's lines on under its name."""
    while True:
        try:
            line = await lines.readline()
        except ValueError:  # longer than the buffer; what came of it is dropped
            continue
        if not line:
            return
        text = line.decode(errors="replace").rstrip()
        print(f"[{name}] {text}", file=sys.stderr, flush=True)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
