"""A service with every door on loopback, in a process of its own, that tells its own times.

In: settings as JSON on the command line.  Out, on stdout: a line with the ports once it is ready,
then with `--times` a line for each request, {"first_ms": ...}: from the moment that a door asked
the service to the first chunk it got.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tts.app import Addresses, App, run
from tts.config import parse_json, secrets
from tts.context import LOCAL, CallContext
from tts.types import SpeechChunk, SynthesisRequest

READY_WITHIN_S = 60.0
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Server:
    """A running one."""

    grpc_port: int
    http_port: int
    process: psutil.Process
    lines: asyncio.StreamReader

    async def first_ms(self) -> float:
        """The engine's own time to the first chunk of the next request that was not told yet."""
        line = await self.lines.readline()
        if not line:
            raise RuntimeError("the service ended; what it said stands above")
        return float(json.loads(line)["first_ms"])


@asynccontextmanager
async def server(settings: dict[str, Any], *, times: bool) -> AsyncIterator[Server]:
    """Run one with these settings, ready to speak.  Raises RuntimeError when it ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.door_server", json.dumps(settings)),
        *(["--times"] if times else []),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            line = await process.stdout.readline()
        if not line:
            raise RuntimeError("the service ended; what it said stands above")
        ports = json.loads(line)
        yield Server(ports["grpc"], ports["http"], psutil.Process(process.pid), process.stdout)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _telling(app: App) -> None:
    """Have the service tell its own times."""
    stream = app.service.stream

    async def told(
        request: SynthesisRequest, context: CallContext = LOCAL
    ) -> AsyncGenerator[SpeechChunk]:
        asked_s, first = time.perf_counter(), True
        async with aclosing(stream(request, context)) as chunks:
            async for chunk in chunks:
                if first:
                    first = False
                    first_ms = round((time.perf_counter() - asked_s) * 1000, 3)
                    print(json.dumps({"first_ms": first_ms}), flush=True)
                yield chunk

    app.service.stream = told  # type: ignore[method-assign]


async def _serve(settings: str, *, times: bool) -> None:
    app = App(parse_json(settings), secrets({}), Addresses("127.0.0.1:0", "127.0.0.1:0"))
    if times:
        _telling(app)

    def announce() -> None:
        print(json.dumps({"grpc": app.grpc_port, "http": app.http_port}), flush=True)

    await run(app, parent=os.getppid(), say=announce)


if __name__ == "__main__":
    from loguru import logger

    parser = argparse.ArgumentParser()
    parser.add_argument("settings")
    parser.add_argument("--times", action="store_true")
    args = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    asyncio.run(_serve(args.settings, times=args.times))
