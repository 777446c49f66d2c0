"""The audio of a job while it is being spoken: raw PCM in a file of its own.

In: samples, as they come, and marks of how far they are kept for good.  Out: the same samples, in
order.  A crash loses what came after the last mark, and nothing before it.  Blocking; one thread
at a time.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

BLOCK_BYTES = 1 << 18


class SpoolDamaged(Exception):
    """It holds less than was kept for good."""


class Spool:
    """One file that only grows, but for what is taken back."""

    def __init__(self, path: Path, kept_bytes: int) -> None:
        """Take back what came after `kept_bytes`.  Raises `SpoolDamaged`, `OSError`."""
        self._file = open(path, "ab")
        try:
            if self._file.tell() < kept_bytes:
                raise SpoolDamaged(f"{self._file.tell()} bytes of {kept_bytes} are there")
            self._file.truncate(kept_bytes)
        except BaseException:
            self._file.close()
            raise

    def write(self, pcm: bytes) -> None:
        """Append samples.  Raises `OSError`."""
        self._file.write(pcm)

    def keep(self) -> None:
        """Keep for good what was written.  Raises `OSError`."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def take_back(self, kept_bytes: int) -> None:
        """Forget what came after `kept_bytes`.  Raises `OSError`."""
        self._file.flush()
        self._file.truncate(kept_bytes)

    def close(self) -> None:
        """Leave the file as it is.  Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
