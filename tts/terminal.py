"""Lines for the person who typed a command: one that is written over, and ones that stay.

In: text.  Out: characters on a stream, standard error unless told otherwise.  On anything but a
terminal only the lines that stay are written.  One thread.
"""

import sys
import time
from collections.abc import Callable
from typing import TextIO

_UPDATE_S = 0.1
_CLEAR = "\r\x1b[K"


class Terminal:
    """Where a command reports to."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._clock = clock
        self._showing = False
        self._shown_s = float("-inf")

    def show(self, text: str) -> None:
        """Write over the line shown before; at most ten times a second, on a terminal only."""
        if not self._live or self._clock() - self._shown_s < _UPDATE_S:
            return
        self._shown_s = self._clock()
        self._showing = True
        self._stream.write(_CLEAR + text)
        self._stream.flush()

    def say(self, text: str) -> None:
        """Write a line that stays, in the place of the one shown."""
        self.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take away the line shown."""
        if self._showing:
            self._stream.write(_CLEAR)
            self._stream.flush()
        self._showing = False
        self._shown_s = float("-inf")


def megabytes(count: float) -> str:
    """A number of bytes as people read it: "155.3 MB", "1.29 GB"."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def minutes(seconds: float) -> str:
    """A time as people read it: "1:28"."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
