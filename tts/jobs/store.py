"""The records of all jobs: in memory to be looked at, in a folder to outlive the process.

In: jobs, and changes of them.  Out: the same jobs after a crash at any moment, each as it was
before or after the change that was being written.  In the folder, a folder a job:

    job.json     the record: written beside its place, then moved there
    text.txt     the text, until the job has ended
    spoken.pcm   the audio so far, until the job has ended (`tts.jobs.spool`)

Knows nothing of voices or results.  Called from the event loop's thread; everything that touches
the disk runs on one thread of its own, in the order in which it was asked for.
"""

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, ParamSpec, TypeVar

from loguru import logger

from tts.jobs.record import DamagedRecord, Job, from_json, is_id, lost, to_json

RECORD, TEXT, SPOKEN = "job.json", "text.txt", "spoken.pcm"
_NEW, _OLD = ".new-", ".old-"
"""Prefixes of folders that are being made or removed; a crash may leave them behind."""

P = ParamSpec("P")
T = TypeVar("T")


class JobStore:
    """All jobs that are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        # One thread: what is asked for later is written later.  Its queue is bounded by the jobs
        # at work and by the requests that are being answered, each of which waits for its answer.
        self._disk = ThreadPoolExecutor(1, "tts-jobs")
        self._lock: BinaryIO | None = None

    @property
    def jobs(self) -> Mapping[str, Job]:
        """By id, in order of creation."""
        return MappingProxyType(self._jobs)

    async def start(self) -> None:
        """Read what is there.  A record that is damaged is a job that failed.

        Raises `OSError` when the folder cannot be used, or another process uses it.
        """
        self._lock, jobs = await self.on_disk(_opened, self._folder)
        self._jobs.update((job.id, job) for job in jobs)

    async def stop(self) -> None:
        """Write what was asked for, and let another process have the folder.  Idempotent."""
        await asyncio.to_thread(self._disk.shutdown)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def add(self, job: Job, text: str) -> None:
        """Keep a new job and its text; returns once a crash cannot lose them.  Raises `OSError`.

        Cancelled, the job may be there after the next start.
        """
        await self.on_disk(_create, self._folder, job, text)
        self._jobs[job.id] = job

    async def put(self, job: Job) -> None:
        """Keep a job as it is now; one that was removed stays removed.

        Whoever looks sees it at once, before it is written.  Raises `OSError`.
        """
        if job.id in self._jobs:
            self._jobs[job.id] = job
            await self.on_disk(_write, self._folder / job.id, job)

    async def text(self, job_id: str) -> str:
        """A job's text.  Raises `DamagedRecord`."""
        return await self.on_disk(_text, self._folder / job_id / TEXT, self._jobs[job_id].chars)

    def spool_path(self, job_id: str) -> Path:
        """Where a job's audio is while it is being spoken."""
        return self._folder / job_id / SPOKEN

    async def clear(self, job_id: str) -> None:
        """Forget a job's text and audio; the record stays.  Raises `OSError`."""
        await self.on_disk(_clear, self._folder / job_id)

    async def remove(self, job_id: str) -> None:
        """Forget a job.  Idempotent.  Raises `OSError`."""
        self._jobs.pop(job_id, None)
        await self.on_disk(_remove, self._folder, job_id)

    async def on_disk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that blocks on the store's thread.  Cancelled, it is done nevertheless."""
        done = self._disk.submit(work, *args, **kwargs)
        return await asyncio.shield(asyncio.wrap_future(done))


def _opened(folder: Path) -> tuple[BinaryIO, list[Job]]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / ".lock", "wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock, _read_all(folder)
    except BaseException as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            raise OSError(error.errno, "jobs.dir is used by another process", str(folder)) from None
        raise


def _read_all(folder: Path) -> list[Job]:
    for left in [*folder.glob(f"{_NEW}*"), *folder.glob(f"{_OLD}*")]:
        shutil.rmtree(left)
    found = [_read(path) for path in folder.iterdir() if path.is_dir() and is_id(path.name)]
    return sorted(found, key=lambda job: (job.created_s, job.id))


def _read(folder: Path) -> Job:
    """A job, whatever its folder looks like."""
    try:
        try:
            job = from_json(folder.name, (folder / RECORD).read_bytes())
        except OSError as error:
            raise DamagedRecord(f"it cannot be read: {error.strerror}") from error
    except DamagedRecord as error:
        logger.bind(job=folder.name, reason=str(error)).error("record of a job is damaged")
        return lost(folder.name, str(error), _changed_s(folder))
    if job.ended:
        # A crash may have come between the end and the clearing.
        _clear(folder)
    return job


def _changed_s(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()


def _create(folder: Path, job: Job, text: str) -> None:
    """Made beside its place and moved there: a job is there with its text, or not at all."""
    scratch = folder / f"{_NEW}{job.id}"
    scratch.mkdir(mode=0o700)
    try:
        with open(scratch / TEXT, "wb") as file:
            # Half of a surrogate pair, which JSON may carry, is no character; it is spoken as one
            # that cannot be said, and must not keep the rest from being kept.
            file.write(text.encode("utf-8", "surrogatepass"))
            file.flush()
            os.fsync(file.fileno())
        _write(scratch, job)
        os.rename(scratch, folder / job.id)
        _sync_names(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _write(folder: Path, job: Job) -> None:
    scratch = folder / f".{RECORD}"
    with open(scratch, "wb") as file:
        file.write(to_json(job))
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, folder / RECORD)
    _sync_names(folder)


def _sync_names(folder: Path) -> None:
    """Keep for good which files are in a folder."""
    names = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(names)
    finally:
        os.close(names)


def _text(path: Path, chars: int) -> str:
    try:
        text = path.read_bytes().decode("utf-8", "surrogatepass")
    except OSError as error:
        raise DamagedRecord(f"its text cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DamagedRecord("its text cannot be read: it is not UTF-8") from error
    if len(text) != chars:
        raise DamagedRecord(f"its text has {len(text)} characters, and had {chars}")
    return text


def _clear(folder: Path) -> None:
    for name in (TEXT, SPOKEN):
        (folder / name).unlink(missing_ok=True)


def _remove(folder: Path, job_id: str) -> None:
    """Moved aside first: what a crash leaves of it is no damaged job."""
    old = folder / f"{_OLD}{job_id}"
    try:
        os.rename(folder / job_id, old)
    except FileNotFoundError:
        return
    _sync_names(folder)
    shutil.rmtree(old)
