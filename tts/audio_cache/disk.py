"""Recordings in a folder, where they outlive the process; several processes may share it.

In and out: recordings by key.  What is read is whole and of this key, or nothing: a file that is
neither is removed, with a line in the log.  A file gets its name when all of it is on the disk, so
a kill leaves a scratch file at worst, which the next sweep finds to be nobody's.  When something
was last asked for stands in its file's time of modification; when it was made, in the file.

Every method blocks.  `read` and `touch` may be called from any thread, `sweep` and `write` from one
thread at a time.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from loguru import logger

from tts.audio_cache.encoding import MAGIC, Damaged, decode, encode
from tts.audio_cache.recording import Recording

REST_S = 60.0
"""After a write that failed, none is tried for so long."""
_SWEEP_SHARE = 0.05
"""The folder is looked through whenever so much of its bound was written: others may write there
too.  By so much it is then brought below the bound, if it was over it."""
_SUFFIX = ".speech"
_FILE = re.compile(r"[0-9a-f]{64}\.speech")
_SCRATCH = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.part")
# A name of ours may be a link or a pipe of somebody else's: neither is followed or waited for.
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskCache:
    """A folder of files, one a recording, bounded in bytes and age."""

    def __init__(
        self,
        folder: Path,
        *,
        most_bytes: int,
        max_age_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives seconds since 1970.  Touches nothing yet."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._max_age_s = max_age_s
        self._clock = clock
        self._since_sweep_bytes = 0
        self._rests_until_s: float | None = None
        self.size_bytes = 0
        """What the folder holds, as far as this process knows."""
        self.writes = 0
        self.evictions = 0
        """Files removed for their age or for room."""
        self.damaged = 0
        """Files found that were not what they should be."""

    def read(self, key: str) -> Recording | None:
        """The recording, which now was asked for last; None without a whole one of this key."""
        path = self._path(key)
        try:
            data = self._bytes(path)
            recording, made_s = decode(key, data)
        except FileNotFoundError:
            return None
        except Damaged as error:
            self.damaged += 1
            logger.bind(file=path.name, reason=str(error)).warning("damaged cache file removed")
            _remove(path)
            return None
        except OSError as error:
            logger.bind(file=path.name, reason=error.strerror).warning("cache file not read")
            return None
        if made_s + self._max_age_s < self._clock():
            self.evictions += 1
            _remove(path)
            return None
        self.touch(key)
        return recording

    def touch(self, key: str) -> None:
        """This was asked for now."""
        now_s = self._clock()
        # In a folder that cannot be written, nothing is evicted either.
        with contextlib.suppress(OSError):
            os.utime(self._path(key), (now_s, now_s), follow_symlinks=False)

    def write(self, key: str, recording: Recording) -> None:
        """Keep a recording.  Raises nothing: when that fails, none is kept for `REST_S`."""
        if self._rests_until_s is not None and time.monotonic() < self._rests_until_s:
            return
        data = encode(key, recording, self._clock())
        if len(data) > self._most_bytes:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (
                self.size_bytes + len(data) > self._most_bytes
                or self._since_sweep_bytes > self._most_bytes * _SWEEP_SHARE
            ):
                self.sweep(room_bytes=len(data))
            _store(self._path(key), key, data)
            self.touch(key)
        except OSError as error:
            if self._rests_until_s is None:
                logger.bind(folder=str(self._folder), reason=error.strerror).warning(
                    "audio is not kept on disk for now"
                )
            self._rests_until_s = time.monotonic() + REST_S
            return
        if self._rests_until_s is not None:
            self._rests_until_s = None
            logger.bind(folder=str(self._folder)).info("audio is kept on disk again")
        self.writes += 1
        self.size_bytes += len(data)
        self._since_sweep_bytes += len(data)

    def sweep(self, room_bytes: int = 0) -> None:
        """Look through the folder: remove what killed processes left, what is too old, and, where
        there is less room than `room_bytes`, what was not asked for longest.

        Files with other names than ours are left alone.  Raises nothing.
        """
        files: list[tuple[int, str, int]] = []
        oldest_ns = (self._clock() - self._max_age_s) * 1e9
        for entry in self._entries():
            if _SCRATCH.fullmatch(entry.name):
                _remove_if_nobodys(Path(entry.path))
            elif _FILE.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    about = entry.stat(follow_symlinks=False)
                    files.append((about.st_mtime_ns, entry.path, about.st_size))
        files.sort()
        size_bytes = sum(size for _, _, size in files)
        is_full = size_bytes + room_bytes > self._most_bytes
        wanted_bytes = self._most_bytes * (1 - _SWEEP_SHARE) - room_bytes
        for asked_ns, path, size in files:
            if asked_ns >= oldest_ns and not (is_full and size_bytes > wanted_bytes):
                break
            if _remove(Path(path)):
                size_bytes -= size
                self.evictions += 1
        self.size_bytes = size_bytes
        self._since_sweep_bytes = 0

    def _entries(self) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(self._folder) as entries:
                return list(entries)
        except OSError:  # it is not there yet, or a write will say what is wrong with it
            return []

    def _path(self, key: str) -> Path:
        return self._folder / (key + _SUFFIX)

    def _bytes(self, path: Path) -> bytes:
        """Raises `OSError`, and `Damaged` for what is not worth reading."""
        with open(os.open(path, _READ_FLAGS), "rb", buffering=0) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > self._most_bytes:
                raise Damaged("it is no file of this size")
            if file.read(len(MAGIC)) != MAGIC:
                raise Damaged("it is no file of this format")
            return MAGIC + file.readall()


def _store(path: Path, key: str, data: bytes) -> None:
    """Bring all of `data` to the disk, then give it its name.  Raises `OSError`."""
    with _scratch(path.parent, key) as file:
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            _remove(Path(file.name))
            raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _scratch(folder: Path, key: str) -> FileIO:
    """A new scratch file, locked: as long as it is, somebody is at work on it."""
    while True:
        path = folder / f".{key}.{secrets.token_hex(8)}.part"
        file = FileIO(path, "wb", opener=lambda name, _: os.open(name, _WRITE_FLAGS, 0o600))
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file
        except BaseException:
            file.close()
            raise
        # Another process' sweep came between the file and its lock.
        file.close()


def _remove(path: Path) -> bool:
    """Whether it is gone by this."""
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _remove_if_nobodys(scratch: Path) -> None:
    """Remove a scratch file whose writer is gone."""
    try:
        with open(os.open(scratch, _READ_FLAGS), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            scratch.unlink()
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.ENOENT):
            logger.bind(file=scratch.name, reason=error.strerror).warning(
                "scratch file of the cache not removed"
            )
