"""A daemon of its own for a bench, and what can be read off a caller's recording.

Times come from the caller's stereo recording alone: left the microphone, right the agent as a
loudspeaker behind a 60 ms jitter buffer would have played it.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray

RATE_HZ = 16_000
WINDOW = 80  # 5 ms
VOICED_RMS = 0.004
"""-48 dBFS over 5 ms: above the codec's comfort, below any speech of these voices."""
READY_WITHIN_S = 120.0


@dataclass
class Daemon:
    """A running `parley serve` and its processes."""

    url: str
    process: psutil.Process

    def _all(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU time of all its processes so far."""
        return sum(float(p.cpu_times().user + p.cpu_times().system) for p in self._all())

    def rss_mb(self, command: str = "") -> float:
        """Resident memory of its processes whose command line contains `command`."""
        found = [p for p in self._all() if command in " ".join(p.cmdline())]
        return sum(float(p.memory_info().rss) for p in found) / 1e6


@asynccontextmanager
async def daemon(*options: str) -> AsyncGenerator[Daemon, None]:
    """Run `parley serve` on a free port; `options` such as "--set", "stt.model=tiny.en"."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent.cli", "serve", "--log-level", "WARNING"),
        *("--set", "server.port=0", *options),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            url = await _read_url(process.stdout)
        yield Daemon(url, psutil.Process(process.pid))
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _read_url(stdout: asyncio.StreamReader) -> str:
    while line := (await stdout.readline()).decode():
        if "ready:" in line:
            return line.rsplit("ready:", 1)[1].strip().rstrip("/")
    raise RuntimeError("the daemon ended before it was ready; run `parley serve` to see why")


def voiced(side: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which 5 ms windows of one side [N, 16 kHz] hold sound."""
    whole = side[: len(side) // WINDOW * WINDOW].astype(np.float32).reshape(-1, WINDOW) / 32768
    rms: NDArray[np.float32] = np.sqrt(np.mean(whole**2, axis=1))
    return rms > VOICED_RMS


def first_voice_s(side: NDArray[np.int16], from_s: float, to_s: float) -> float | None:
    """Time of the first sound between two times."""
    windows = _between(voiced(side), from_s, to_s)
    return None if not windows.size else float(windows[0] * WINDOW / RATE_HZ)


def last_voice_s(side: NDArray[np.int16], from_s: float, to_s: float) -> float | None:
    """Time of the end of the last sound between two times."""
    windows = _between(voiced(side), from_s, to_s)
    return None if not windows.size else float((windows[-1] + 1) * WINDOW / RATE_HZ)


def _between(flags: NDArray[np.bool_], from_s: float, to_s: float) -> NDArray[np.intp]:
    first, last = int(from_s * RATE_HZ / WINDOW), int(to_s * RATE_HZ / WINDOW)
    return np.flatnonzero(flags[first:last]) + max(0, first)


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    kept = "".join(c.lower() if c.isalnum() or c in "' " else " " for c in text)
    return kept.replace("'", "").split()


def word_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Edit distance in words."""
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            cost = previous + (word != other)
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, cost)
    return row[-1]
