"""Memory given back after calls, at moments when nobody hears it.

A finished call is a web of reference cycles (pipeline, peer connection) that only the cyclic
collector frees, and glibc keeps the pages until told otherwise.  Collecting stops every thread,
so what lives as long as the process is frozen out of the collector's sight at start, which leaves
only calls to look at.  Loop's thread only.
"""

import asyncio
import ctypes
import gc
import sys
from collections.abc import Callable

SETTLE_S = 1.0
"""Calls that end together are cleaned up together."""
MAX_WAIT_S = 20.0
"""How long a clean-up waits for a moment in which no call runs."""
_POLL_S = 0.5


def freeze_startup() -> None:
    """Collect once and take everything that lives now out of later collections."""
    gc.collect()
    gc.freeze()


class MemoryKeeper:
    """Collects and trims after calls; `quiet()` says whether nobody would notice."""

    def __init__(self, quiet: Callable[[], bool]) -> None:
        self._quiet = quiet
        self._ended = asyncio.Event()

    def call_ended(self) -> None:
        """Have memory given back soon."""
        self._ended.set()

    async def run(self) -> None:
        """Give memory back after calls, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._ended.wait()
            deadline_s = loop.time() + MAX_WAIT_S
            await asyncio.sleep(SETTLE_S)
            while not self._quiet() and loop.time() < deadline_s:
                await asyncio.sleep(_POLL_S)
            self._ended.clear()
            gc.collect()
            await asyncio.to_thread(_trim)


def _trim() -> None:
    """Give free pages back to the system; ctypes releases the GIL meanwhile."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
