"""Memory given back after calls, at moments when nobody hears it.

A finished call is a web of reference cycles (pipeline, peer connection) that only the cyclic
collector frees, and glibc keeps the pages until told otherwise.  Collecting stops every thread,
so what lives as long as the process is frozen out of the collector's sight at start, which leaves
only calls to look at.  Loop's thread only.
"""

import asyncio
import contextlib
import ctypes
import gc
import sys

SETTLE_S = 1.0
"""Calls that end together are cleaned up together."""
MAX_WAIT_S = 20.0
"""How long a clean-up waits for a moment in which no call runs."""


def freeze_startup() -> None:
    """Collect once and take everything that lives now out of later collections."""
    gc.collect()
    gc.freeze()


class MemoryKeeper:
    """Collects and trims after calls; `idle` is set while no call runs."""

    def __init__(self, idle: asyncio.Event) -> None:
        self._idle = idle
        self._ended = asyncio.Event()

    def call_ended(self) -> None:
        """Have memory given back soon."""
        self._ended.set()

    async def run(self) -> None:
        """Give memory back after calls, until cancelled."""
        while True:
            await self._ended.wait()
            await asyncio.sleep(SETTLE_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAX_WAIT_S):
                    await self._idle.wait()
            self._ended.clear()
            gc.collect()
            await asyncio.to_thread(_trim)


def _trim() -> None:
    """Give free pages back to the system; ctypes releases the GIL meanwhile."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
