"""The daemon as processes: it starts, its children come back, it drains, it leaves nobody."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pytest
from hibari import Hibari

pytestmark = pytest.mark.real

START_S = 120.0
BACK_S = 90.0
ROOT = Path(__file__).parents[2]


@dataclass
class Daemon:
    """A running `parley serve`."""

    process: asyncio.subprocess.Process
    url: str = ""
    lines: list[str] = field(default_factory=list)

    def child(self, name: str) -> psutil.Process:
        """The process that runs now under a name: "tts", "llm", "worker-0"."""
        marks = {"tts": ["-m", "tts"], "llm": ["agent.llm.local_server"]}
        wanted = marks.get(name, ["agent.worker", "--index", name.removeprefix("worker-")])
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE and _contains(child.cmdline(), wanted):
                    return child
        raise LookupError(name)

    async def get(self, path: str) -> tuple[int, str]:
        """GET a path; (0, "") when nobody answers."""
        return await asyncio.to_thread(_get, self.url + path.lstrip("/"))

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(BACK_S):
            while not await condition():  # noqa: ASYNC110 - other processes set no event
                await asyncio.sleep(0.1)

    async def all_ready(self) -> bool:
        """Whether every worker would take a call."""
        status, text = await self.get("/readyz")
        if status != 200:
            return False
        workers = json.loads(text)["workers"].values()
        return all(state is not None and state["ready"] for state in workers)


def _contains(arguments: list[str], wanted: list[str]) -> bool:
    """Whether `wanted` stands in `arguments`, in order; the index right behind its option."""
    text = "\0".join(arguments) + "\0"
    if wanted[0] == "agent.worker":
        return "agent.worker\0" in text and f"--index\0{wanted[-1]}\0" in text
    return "\0".join(wanted) + "\0" in text


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


@contextlib.asynccontextmanager
async def daemon(tmp_path: Path, *sets: str) -> AsyncIterator[Daemon]:
    """Start a daemon and wait until it says where it is."""
    settings = ["server.port=0", "stt.model=tiny.en", f"calls.log_dir={tmp_path / 'calls'}", *sets]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", "serve", "--config", str(ROOT / "agent.toml")),
        *(argument for setting in settings for argument in ("--set", setting)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    running = Daemon(process)
    reading: asyncio.Task[None] | None = None
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            while not running.url:
                line = (await process.stdout.readline()).decode()
                assert line, "".join(running.lines)
                running.lines.append(line)
                if found := re.search(r"Parley is ready: (\S+)", line):
                    running.url = found[1]
        reading = asyncio.create_task(_read_on(process.stdout, running.lines))
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if reading is not None:
            await reading


async def _read_on(stream: asyncio.StreamReader, lines: list[str]) -> None:
    while line := await stream.readline():
        lines.append(line.decode())


def test_every_child_that_is_killed_comes_back_on_the_same_port(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path, "server.workers=2") as running:
            await running.until(running.all_ready)
            for name in ("tts", "llm", "worker-0", "worker-1"):
                old = running.child(name)
                old.kill()

                async def is_back(name: str = name, old: psutil.Process = old) -> bool:
                    with contextlib.suppress(LookupError):
                        return running.child(name).pid != old.pid and await running.all_ready()
                    return False

                await running.until(is_back)
            status, text = await running.get("/healthz")
            assert (status, json.loads(text)["status"]) == (200, "ok")
            running.process.send_signal(signal.SIGTERM)
            assert await running.process.wait() == 0

    asyncio.run(scenario())


def test_a_worker_whose_loop_is_stuck_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path, "server.workers=2") as running:
            stuck = running.child("worker-1")
            stuck.suspend()

            async def is_replaced() -> bool:
                with contextlib.suppress(LookupError):
                    return running.child("worker-1").pid != stuck.pid
                return False

            await running.until(is_replaced)

    asyncio.run(scenario())


def test_nobody_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as running:
            children = psutil.Process(running.process.pid).children(recursive=True)
            assert len(children) == 3
            os.kill(running.process.pid, signal.SIGKILL)
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
            assert [child.pid for child in alive] == []

    asyncio.run(scenario())


def test_a_running_call_is_finished_before_the_daemon_stops(tmp_path: Path) -> None:
    question, recording = tmp_path / "question.wav", tmp_path / "call.wav"
    Hibari(threads=1).save("What can you do for me?", str(question))

    async def scenario() -> None:
        async with daemon(tmp_path) as running:
            talk = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "agent.cli", "talk", "--url", running.url),
                *("--wav", str(question), "--out", str(recording)),
                stdout=asyncio.subprocess.PIPE,
                cwd=ROOT,
            )

            async def in_call() -> bool:
                _, text = await running.get("/healthz")
                return bool(json.loads(text)["workers"]["0"]["calls"])

            await running.until(in_call)
            running.process.send_signal(signal.SIGTERM)
            printed, _ = await talk.communicate()
            assert talk.returncode == 0
            assert await running.process.wait() == 0
            lines = printed.decode().splitlines()
            assert [line.split(":")[0] for line in lines[:3]] == ["agent", "caller", "agent"]
            assert lines[-1] == f"recording: {recording}"

    asyncio.run(scenario())
    with wave.open(str(recording)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 48_000)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert (np.abs(sound) > 300).sum(axis=0).min() > 48_000 // 2  # both sides are heard


def test_a_signal_that_comes_twice_at_once_still_drains(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as running:
            children = psutil.Process(running.process.pid).children(recursive=True)
            running.process.send_signal(signal.SIGTERM)
            running.process.send_signal(signal.SIGINT)
            assert await running.process.wait() == 0
            _, alive = await asyncio.to_thread(psutil.wait_procs, children, 10)
            assert [child.pid for child in alive] == []

    asyncio.run(scenario())
