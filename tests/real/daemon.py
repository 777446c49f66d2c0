"""The real daemon, started as a person would start it, for tests that call it.

In: settings as `--set` takes them.  Out: the page's address, and its processes by a part of their
command line.  Its whole output is in the failure when it does not become ready.
"""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).parents[2]
READY_S = 180.0
POLL_S = 0.2
STOP_S = 30.0


class Daemon:
    """A daemon that is ready for calls."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        """The page's address, ending in "/"."""
        self._supervisor = psutil.Process(pid)
        self._killed: dict[str, int] = {}

    def process(self, name: str) -> psutil.Process:
        """Return the child whose command line contains `name`."""
        found = [child for child in self._supervisor.children() if name in _command(child)]
        assert len(found) == 1, f"{len(found)} children are called {name!r}"
        return found[0]

    def kill(self, name: str) -> None:
        """Kill a child with SIGKILL."""
        child = self.process(name)
        self._killed[name] = child.pid
        child.kill()

    def stop(self) -> None:
        """Ask the daemon to drain, as SIGTERM does."""
        self._supervisor.terminate()

    async def wait_for(self, name: str) -> None:
        """Wait until a killed child has a successor and the daemon takes calls."""
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.url}readyz") as answer:
                    if answer.status == 200 and self._has_successor(name):
                        return
                await asyncio.sleep(POLL_S)

    def _has_successor(self, name: str) -> bool:
        return any(
            name in _command(child) and child.pid != self._killed.get(name)
            for child in self._supervisor.children()
        )


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return ""


@contextmanager
def running_daemon(
    *settings: str, environment: Mapping[str, str] | None = None
) -> Iterator[Daemon]:
    """Run a daemon on a free port, with more variables than ours; it stops with the block."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "agent.cli", "serve", "--set", "server.port=0", *overrides]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(environment or {})},
    ) as process:
        output = Output(process)
        try:
            yield Daemon(output.address(), process.pid)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.terminate()  # the second time it does not wait for calls
                process.wait(STOP_S)
            output.join()


class Output:
    """Reads what a process writes, so that it never waits for a full pipe."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._address: str | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._read, name="daemon-output")
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            found = re.search(r"ready: (http://\S+/)$", line)
            if found:
                self._address = found[1]
                self._ready.set()
        self._ready.set()

    def address(self) -> str:
        """Wait for the address."""
        self._ready.wait(READY_S)
        assert self._address is not None, "not ready:\n" + "".join(self._lines)
        return self._address

    def join(self) -> None:
        """Wait for the end of the output."""
        self._thread.join(STOP_S)
