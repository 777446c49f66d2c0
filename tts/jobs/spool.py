"""The audio of a job while it is being spoken: raw PCM in a file of its own.

In: samples, as they come, and marks of how far they are kept for good.  Out: the same samples, in
order.  A crash loses what came after the last mark, and nothing before it.  Blocking; one thread
at a time.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK_BYTES = 1 << 18


class SpoolDamaged(Exception):
    """It holds less than was kept for good."""


class Spool:
    """One file that only grows, but for what is taken back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def open(self, kept_bytes: int) -> None:
        """Open the file, or make it, and take back what came after `kept_bytes`.

        Raises `SpoolDamaged` when there is less, and `OSError`.  Either way, `close` it.
        """
        self.close()
        self._file = open(self._path, "ab")
        if self._file.tell() < kept_bytes:
            raise SpoolDamaged(f"{self._file.tell()} bytes of {kept_bytes} are there")
        self.take_back(kept_bytes)

    def write(self, pcm: bytes) -> None:
        """Append samples.  Raises `OSError`."""
        assert self._file is not None
        self._file.write(pcm)

    def keep(self) -> None:
        """Keep for good what was written.  Raises `OSError`."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())

    def take_back(self, kept_bytes: int) -> None:
        """Forget what came after `kept_bytes`.  Raises `OSError`."""
        assert self._file is not None
        self._file.flush()
        self._file.truncate(kept_bytes)

    def close(self) -> None:
        """Leave the file as it is.  Idempotent."""
        if self._file is not None:
            file, self._file = self._file, None
            # What a full disk did not take was not kept either.
            with contextlib.suppress(OSError):
                file.close()


def blocks(path: Path, length_bytes: int) -> Iterator[bytes]:
    """The first `length_bytes` of a file, a block at a time.

    Where blocks are cut depends on nothing else: the same samples give the same file.  Raises
    `OSError`, and `SpoolDamaged` where the file is shorter.
    """
    with open(path, "rb") as file:
        left = length_bytes
        while left:
            block = file.read(min(BLOCK_BYTES, left))
            if not block:
                raise SpoolDamaged(f"{length_bytes - left} bytes of {length_bytes} are there")
            left -= len(block)
            yield block
