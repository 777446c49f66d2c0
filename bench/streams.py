"""Hundreds of callers at once through one door: what they hear, what is refused, what it costs.

    python -m bench streams [--quick] [--door grpc] [--callers 200] [--minutes 5] [--cached]

A light English voice behind one door, all callers in one other process.  The cache is off, so that
every sentence is made anew, unless with `--cached`, which measures the door rather than the voice.
They come at random (Poisson) and do not wait for the service: the rate is `callers` over what a
reply lasts when it is played, so that so many are there on average.  Each asks for one of a few
sentences and takes the audio as a player would, up to a second ahead of what has been played.
What it took is compared, sample by sample, with the same sentence spoken alone before.  A request
whose first packet is predicted to take more than 300 ms is to be refused, and at once.

First packets are of accepted requests, from sending to the first byte of audio.  `rss_growth_mb` is
the service's memory at the end of the steady minutes less that after the first of them.
"""

import argparse
import asyncio
import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.door_clients import DOORS, RATE_HZ, VOICE, Caller, Refused, WebSocket
from bench.door_server import Server, server
from bench.report import percentiles, result, table

SENTENCES = (
    "The next train to the airport leaves from platform four at a quarter past nine, and it "
    "stops twice on the way.",
    "Thank you for waiting; I have found your order, and the parcel will be with you on "
    "Thursday before noon.",
    "Please open the small door on the left, take the second staircase down, and wait there "
    "until somebody calls your name.",
)
FIRST_PACKET_MS = 300
AHEAD_S = 1.0
FIRST_MINUTE_S = 60.0
WATCH_EVERY_S = 5.0
HANG_UP_AFTER_S = 120.0
_BYTES_PER_S = 2 * RATE_HZ


@dataclass
class Phase:
    """What the callers heard, and what it cost."""

    first_ms: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    """What should never be: audio that was lost, or not what was said."""
    starved: int = 0
    """Callers whose playback had to wait after it had begun."""
    offered: int = 0
    seconds: float = 0.0
    caller_s: float = 0.0
    """Time that all callers were there, together."""
    rss_mb: list[float] = field(default_factory=list)
    cpu_s: float = 0.0

    def metrics(self) -> dict[str, Any]:
        """Of the steady minutes, as their names say."""
        first = percentiles("first_packet_ms", self.first_ms)
        return {
            **{f"{name}_steady": value for name, value in first.items()},
            "offered_per_s_steady": round(self.offered / self.seconds, 1),
            "callers_steady": round(self.caller_s / self.seconds, 1),
            "heard_steady": len(self.first_ms),
            "refused_steady": dict(self.refused),
            "lost_or_wrong_steady": len(self.failed),
            "playback_waited_steady": self.starved,
            "service_cores_steady": round(self.cpu_s / self.seconds, 2),
        }


class Crowd:
    """Callers of one door."""

    def __init__(self, running: Server, door: str) -> None:
        self._running = running
        self._door = door
        self._shared = DOORS[door](running)
        self._said: dict[str, tuple[int, str]] = {}
        self._idle: list[WebSocket] = []
        self._there: set[asyncio.Task[None]] = set()

    async def learn(self) -> float:
        """Hear each sentence alone, twice; returns how long one is on average."""
        for text in SENTENCES:
            for _ in range(2):
                pcm = [data async for data in self._shared.speak(text)]
                digest = (sum(map(len, pcm)), hashlib.sha256(b"".join(pcm)).hexdigest())
                if self._said.setdefault(text, digest) != digest:
                    raise RuntimeError("the voice says the same in two ways: nothing to compare")
        return sum(length for length, _ in self._said.values()) / len(SENTENCES) / _BYTES_PER_S

    async def come(self, phase: Phase, rate_per_s: float, seconds: float) -> None:
        """Let callers come for so long; returns while the last ones still listen."""
        gaps = np.random.default_rng(1)
        texts = itertools.cycle(SENTENCES)
        began_s = next_s = time.monotonic()
        watching = asyncio.create_task(self._watch(phase), name="watch")
        try:
            while True:
                next_s += gaps.exponential(1 / rate_per_s)
                if next_s > began_s + seconds:
                    break
                await asyncio.sleep(max(next_s - time.monotonic(), 0))
                phase.offered += 1
                call = asyncio.create_task(self._call(phase, next(texts)), name="caller")
                self._there.add(call)
                call.add_done_callback(self._there.discard)
            await asyncio.sleep(max(began_s + seconds - time.monotonic(), 0))
            phase.seconds = time.monotonic() - began_s
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def leave(self) -> None:
        """Hear out those who are there, and close the connections."""
        if self._there:
            await asyncio.wait(self._there)
        for caller in (*self._idle, self._shared):
            await caller.close()

    async def _watch(self, phase: Phase) -> None:
        times = self._running.process.cpu_times()
        began_s = times.user + times.system
        while True:
            phase.rss_mb.append(self._running.process.memory_info().rss / 1e6)
            times = self._running.process.cpu_times()
            phase.cpu_s = times.user + times.system - began_s
            await asyncio.sleep(WATCH_EVERY_S)

    async def _lend(self) -> Caller:
        """A WebSocket is one caller's; the other doors share connections as their clients do."""
        if self._door != "websocket":
            return self._shared
        while self._idle:
            caller = self._idle.pop()
            if not caller.is_closed:
                return caller
            await caller.close()
        caller = WebSocket(self._running)
        await caller.open()
        return caller

    def _give_back(self, caller: Caller) -> None:
        if isinstance(caller, WebSocket) and caller is not self._shared:
            self._idle.append(caller)

    async def _call(self, phase: Phase, text: str) -> None:
        caller = await self._lend()
        came_s = time.monotonic()
        try:
            async with asyncio.timeout(HANG_UP_AFTER_S):
                await self._listen(phase, caller, text)
        except Refused as refusal:
            phase.refused[str(refusal)] += 1
            self._give_back(caller)
        except Exception as error:
            phase.failed.append(f"{type(error).__name__}: {error}")
            if caller is not self._shared:
                await caller.close()
        else:
            self._give_back(caller)
        phase.caller_s += time.monotonic() - came_s

    async def _listen(self, phase: Phase, caller: Caller, text: str) -> None:
        """Take a sentence's audio as a player would."""
        taken, digest, began_s, waited = 0, hashlib.sha256(), 0.0, False
        first_ms = 0.0
        sent_s = time.monotonic()
        async with aclosing(caller.speak(text)) as pieces:
            async for data in pieces:
                now_s = time.monotonic()
                if not taken:
                    began_s, first_ms = now_s, (now_s - sent_s) * 1000
                elif now_s > began_s + taken / _BYTES_PER_S:
                    waited = True
                    began_s = now_s - taken / _BYTES_PER_S
                taken += len(data)
                digest.update(data)
                ahead_s = began_s + taken / _BYTES_PER_S - time.monotonic()
                if ahead_s > AHEAD_S:
                    await asyncio.sleep(ahead_s - AHEAD_S)
        if (taken, digest.hexdigest()) != self._said[text]:
            raise RuntimeError(f"{taken} bytes came of {self._said[text][0]}, or others")
        phase.first_ms.append(first_ms)
        phase.starved += waited
        await asyncio.sleep(max(began_s + taken / _BYTES_PER_S - time.monotonic(), 0))


def main(argv: Sequence[str]) -> dict[str, Any]:
    """Run the bench."""
    parser = argparse.ArgumentParser(prog="python -m bench streams", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 callers for 20 s")
    parser.add_argument("--door", choices=DOORS, default="grpc")
    parser.add_argument("--callers", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--cached", action="store_true", help="let the cache speak")
    options = parser.parse_args(argv)
    if options.quick:
        options.callers, options.minutes = 20, 1 / 3
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    settings = {
        "engines": ["hibari"],
        "cache": {"memory_mb": 64 if options.cached else 0},
        "limits": {
            "max_streams": options.callers + options.callers // 4,
            "max_queued": 32,
            "first_packet_ms": FIRST_PACKET_MS,
        },
    }
    phase = Phase()
    async with server(settings, times=False) as running:
        crowd = Crowd(running, options.door)
        reply_s = await crowd.learn()
        rate_per_s = options.callers / reply_s
        print(f"{options.door}: a reply lasts {reply_s:.1f} s; {rate_per_s:.1f} callers a second")
        await crowd.come(phase, rate_per_s, 60 * options.minutes)
        await crowd.leave()
    for what, times in Counter(phase.failed).most_common(5):
        print(f"{times} x {what}")
    settled = int(FIRST_MINUTE_S / WATCH_EVERY_S) if options.minutes > 1 else 0
    metrics = {
        "rss_mb_settled": round(phase.rss_mb[settled]),
        "rss_growth_mb": round(phase.rss_mb[-1] - phase.rss_mb[settled], 1),
        **phase.metrics(),
    }
    table(list(metrics.items()))
    return result(
        "streams",
        settings={
            "door": options.door,
            "callers": options.callers,
            "voice": VOICE,
            "cached": options.cached,
            "minutes": round(options.minutes, 2),
            "reply_s": round(reply_s, 2),
            "offered_per_s": round(rate_per_s, 1),
            "limits": settings["limits"],
        },
        metrics=metrics,
        targets={"lost_or_wrong_steady": 0, "first_packet_ms_p95_steady": FIRST_PACKET_MS},
    )
