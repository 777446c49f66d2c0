"""How much later the first packet is heard through each door than the engine gave it.

    python -m bench doors [--quick] [--requests 200] [--doors grpc websocket rest sse api_v2]

A service with every door on loopback, in a process of its own, speaks a short sentence in the light
English voice, the cache off.  Requests come one at a time, the doors in turn.  `overhead_ms` is
what the caller waited, from sending the request over a connection that is open already to the first
byte of audio, less what the service took from being asked to its first chunk.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from bench.door_clients import DOORS, VOICE, Caller
from bench.door_server import Server, server
from bench.report import percentiles, result, table

TEXT = "Good morning, how can I help you today?"
WARM_UP = 5
TARGET_MS = 10.0
SETTINGS = {"engines": ["hibari"], "cache": {"memory_mb": 0}}


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench doors", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="30 requests a door")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--doors", nargs="+", choices=DOORS, default=list(DOORS))
    options = parser.parse_args(argv)
    requests = 30 if options.quick else options.requests
    overheads, own = asyncio.run(_measure(options.doors, requests))
    metrics: dict[str, Any] = percentiles("service_first_packet_ms", own, digits=1)
    for door, values in overheads.items():
        metrics |= {
            f"overhead_ms_{key.rpartition('_')[2]}_{door}": value
            for key, value in percentiles("overhead_ms", values, digits=2).items()
        }
    table(list(metrics.items()))
    return result(
        "doors",
        settings={"requests": requests, "voice": VOICE, "text_chars": len(TEXT)},
        metrics=metrics,
        targets={f"overhead_ms_p95_{door}": TARGET_MS for door in overheads},
    )


async def _measure(
    doors: Sequence[str], requests: int
) -> tuple[dict[str, list[float]], list[float]]:
    """Overheads by door, and the service's own times to the first chunk, in milliseconds."""
    async with server(SETTINGS, times=True) as running:
        callers = {door: DOORS[door](running) for door in doors}
        try:
            overheads: dict[str, list[float]] = {door: [] for door in doors}
            own: list[float] = []
            for turn in range(WARM_UP + requests):
                for door, caller in callers.items():
                    overhead_ms, own_ms = await _ask(caller, running)
                    if turn >= WARM_UP:
                        overheads[door].append(overhead_ms)
                        own.append(own_ms)
        finally:
            for caller in callers.values():
                await caller.close()
    return overheads, own


async def _ask(caller: Caller, running: Server) -> tuple[float, float]:
    """What the door adds to the first packet of one request, and what the service took."""
    heard_ms = 0.0
    sent_s = time.perf_counter()
    async with aclosing(caller.speak(TEXT)) as pieces:
        async for _ in pieces:
            heard_ms = heard_ms or (time.perf_counter() - sent_s) * 1000
    own_ms = await running.first_ms()
    return heard_ms - own_ms, own_ms
