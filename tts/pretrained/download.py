"""One file from the hub to the disk: resumed, checked, and never half there.

In: a `RemoteFile` and a path.  Out: the file under that path, with the bytes the hub states.  What
has come so far lies beside it in a hidden part file, named after the checksum, so that a later
process goes on with the same bytes or not at all.  Knows nothing of which files there are.  Blocks.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from tts.pretrained.hub import Checksum, Hub, PullError, RemoteFile, TryAgain, Unreachable

TRIES = 6
"""Failures in a row without a new byte before giving up."""
LONGEST_WAIT_S = 300.0
"""A hub that asks for more is taken at its word, later, by a person."""
_FIRST_WAIT_S, _LAST_WAIT_S = 1.0, 16.0
_BLOCK_BYTES = 1 << 20
_KEPT = "; what has come is kept: pull again to go on"


class Progress(Protocol):
    """Who is told how far a download is."""

    def begin(self, file: RemoteFile, have_bytes: int) -> None:
        """A file is about to be fetched, this much of which is there."""

    def advance(self, count: int) -> None:
        """So many bytes more are on the disk; negative when they were thrown away."""

    def waiting(self, reason: str, wait_s: float) -> None:
        """A try failed; the next one comes in `wait_s`."""


class Patience:
    """Counts failures in a row and waits between tries, longer each time."""

    def __init__(
        self,
        wait: Callable[[float], None],
        told: Callable[[str, float], None],
        *,
        tries: int,
        advice: str = "",
    ) -> None:
        """`told` hears of every failure and the wait after it; `advice` ends the last one."""
        self._wait = wait
        self._told = told
        self._tries = tries
        self._advice = advice
        self._failures = 0

    def succeeded(self) -> None:
        """Something new came: count from the beginning."""
        self._failures = 0

    def failed(self, error: TryAgain) -> None:
        """Wait for the next try.  Raises `Unreachable` or `PullError` when it was the last."""
        self._failures += 1
        wait_s = min(_LAST_WAIT_S, _FIRST_WAIT_S * 2 ** (self._failures - 1))
        if error.wait_s is not None:
            wait_s = error.wait_s
        if self._failures >= self._tries or wait_s > LONGEST_WAIT_S:
            asks = f", and it asks to wait {wait_s:.0f} s" if wait_s > LONGEST_WAIT_S else ""
            kind = PullError if error.answered else Unreachable
            tries = f"{self._failures} tries" if self._failures > 1 else "1 try"
            raise kind(f"{error} ({tries}{asks}){self._advice}") from error
        self._told(str(error), wait_s)
        self._wait(wait_s)


class Digest:
    """The SHA-256 of a file, and the checksum of the kind that the hub states."""

    def __init__(self, size_bytes: int) -> None:
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)

    def update(self, block: bytes) -> None:
        """Take in the next bytes."""
        self._sha256.update(block)
        self._git.update(block)

    @property
    def sha256(self) -> str:
        """Of the bytes so far."""
        return self._sha256.hexdigest()

    def of_kind(self, kind: str) -> str:
        """The checksum of this `Checksum.kind`."""
        return self.sha256 if kind == "sha256" else self._git.hexdigest()


def digest_of(path: Path) -> Digest:
    """The checksums of a file on disk."""
    digest = Digest(path.stat().st_size)
    with path.open("rb") as source:
        for block in _blocks(source):
            digest.update(block)
    return digest


def part_of(file: RemoteFile, target: Path) -> Path:
    """Where the bytes that have come of a file lie until they are all there."""
    return target.with_name(f".{target.name}.{file.checksum.hex[:12]}.part")


class _Part:
    """The bytes so far, on disk and in a digest."""

    def __init__(self, file: RemoteFile, out: BinaryIO) -> None:
        self._file = file
        self._out = out
        self.have_bytes = 0
        self.digest = Digest(file.size_bytes)
        out.seek(0)
        for block in _blocks(out):
            self.digest.update(block)
            self.have_bytes += len(block)

    def write(self, block: bytes) -> None:
        self._out.write(block)
        self.digest.update(block)
        self.have_bytes += len(block)

    def restart(self) -> None:
        self._out.seek(0)
        self._out.truncate()
        self.digest = Digest(self._file.size_bytes)
        self.have_bytes = 0


def fetch(
    hub: Hub, file: RemoteFile, target: Path, progress: Progress, wait: Callable[[float], None]
) -> str:
    """Bring a file to `target` and return its SHA-256.

    An older file there is replaced in one step.  Raises `Unreachable` and `PullError`; what has
    come stays for the next call, but for bytes that turn out wrong.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = part_of(file, target)
    with path.open("a+b") as out:
        part = _Part(file, out)
        if part.have_bytes > file.size_bytes:
            part.restart()
        progress.begin(file, part.have_bytes)
        patience = Patience(wait, progress.waiting, tries=TRIES, advice=_KEPT)
        while part.have_bytes < file.size_bytes:
            before = part.have_bytes
            try:
                _receive(hub, file, part, progress)
            except TryAgain as error:
                if part.have_bytes > before:
                    patience.succeeded()
                patience.failed(error)
        out.flush()
        os.fsync(out.fileno())
    found = part.digest.of_kind(file.checksum.kind)
    if part.have_bytes != file.size_bytes or found != file.checksum.hex:
        path.unlink()
        raise PullError(
            f"{file.path}: wrong bytes from {file.url}: {_named(file.checksum.kind, found)} "
            f"of {part.have_bytes} bytes, but the hub states "
            f"{_named(file.checksum.kind, file.checksum.hex)} of {file.size_bytes}; "
            "they were removed; pull again, and ask another mirror if they stay wrong"
        )
    os.replace(path, target)
    return part.digest.sha256


def matches(digest: Digest, checksum: Checksum) -> bool:
    """Whether a file is the one that a checksum stands for."""
    return digest.of_kind(checksum.kind) == checksum.hex


def _receive(hub: Hub, file: RemoteFile, part: _Part, progress: Progress) -> None:
    """One try.  Raises `TryAgain` when the file is not whole after it."""
    with hub.bytes_of(file, part.have_bytes) as (start, blocks):
        if start != part.have_bytes:
            progress.advance(-part.have_bytes)
            part.restart()
        for block in blocks:
            part.write(block)
            progress.advance(len(block))
            if part.have_bytes > file.size_bytes:
                return
    if part.have_bytes < file.size_bytes:
        raise TryAgain(f"{file.url}: ended after {part.have_bytes} of {file.size_bytes} bytes")


def _named(kind: str, checksum: str) -> str:
    return f"{'SHA-256' if kind == 'sha256' else 'git SHA-1'} {checksum}"


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        yield block
