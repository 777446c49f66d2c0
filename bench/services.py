"""A TTS service of its own for a bench: a child process behind gRPC, or this very process.

The second is for machines without the package grpcio: there the service's own stream is listened
to, and the wire's share, some milliseconds, is missing from every time.
"""

import asyncio
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.listener import Door

READY_WITHIN_S = 300.0
_ROOT = Path(__file__).parents[1]
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Service:
    """A running service."""

    door: Door
    process: psutil.Process

    def cpu_s(self) -> float:
        """CPU time of its process so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mb(self) -> float:
        """Memory of its process."""
        return float(self.process.memory_info().rss) / 1e6


def has_grpc() -> bool:
    """Whether a service can be reached over gRPC here."""
    return all(importlib.util.find_spec(name) for name in ("grpc", "grpc_health"))


def door_name() -> str:
    """What the callers of this machine speak to."""
    return "grpc" if has_grpc() else "in process"


@asynccontextmanager
async def service(settings: Mapping[str, Any]) -> AsyncGenerator[Service]:
    """Run a service with these settings, ready to speak.  Raises RuntimeError when it ends.

    Unless they say otherwise, no audio is kept: what is asked twice is made twice.
    """
    settings = {"cache": {"memory_mb": 0}, **settings}
    if has_grpc():
        async with _behind_grpc(settings) as running:
            yield running
    else:
        async with _in_process(settings) as running:
            yield running


@asynccontextmanager
async def _behind_grpc(settings: Mapping[str, Any]) -> AsyncGenerator[Service]:
    from tts.client import TtsClient

    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        address = f"unix:{folder}/tts"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tts", "serve", "--address", address),
            *("--settings", json.dumps(settings), "--log-level", "WARNING", "--exit-with-parent"),
            cwd=_ROOT,
        )
        client = TtsClient(address, first_chunk_timeout_s=120.0, next_chunk_timeout_s=120.0)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await client.ready():
                    if process.returncode is not None:
                        raise RuntimeError("the service ended; what it said stands above")
                    await asyncio.sleep(_POLL_S)
            yield Service(client, psutil.Process(process.pid))
        finally:
            await client.close()
            if process.returncode is None:
                process.terminate()
            await process.wait()


@asynccontextmanager
async def _in_process(settings: Mapping[str, Any]) -> AsyncGenerator[Service]:
    from tts.config import checked
    from tts.engines import builders
    from tts.service import SynthesisService

    config = checked(settings)
    running = SynthesisService(config, builders(config))
    try:
        await running.start()
        yield Service(running, psutil.Process(os.getpid()))
    finally:
        await running.stop()
