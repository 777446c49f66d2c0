"""One thread that writes the files of all calls, so that a slow disk never stalls the event loop.

In: small jobs, posted from the loop's thread.  They run in order of posting.  Knows nothing of
formats.  A job that raises `OSError` is logged and the rest go on: a full disk ends no call.
"""

import asyncio
import queue
import threading
from collections.abc import Callable

from loguru import logger

Job = Callable[[], None]

MAX_WAITING_JOBS = 8192
"""About 40 s of four recorded calls; beyond that the disk is not keeping up."""


class FileWriter:
    """Runs jobs on its own thread; `post` never blocks."""

    def __init__(self, max_waiting: int = MAX_WAITING_JOBS) -> None:
        # Bounded.  A full queue refuses the newest job, and its owner counts the loss; only the
        # closing of a file waits for room.
        self._jobs: queue.Queue[Job | None] = queue.Queue(max_waiting)
        self._thread = threading.Thread(target=self._run, name="file-writer", daemon=True)
        self._thread.start()

    def post(self, job: Job) -> bool:
        """Queue a job; False when the queue is full and the job was dropped."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    async def finish(self, job: Job) -> None:
        """Queue a job that must not be dropped and return once it has run.

        Cancelling stops the wait, not the job.
        """
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def run() -> None:
            try:
                job()
            finally:
                loop.call_soon_threadsafe(_settle, done)

        if not self.post(run):
            await asyncio.to_thread(self._jobs.put, run)
        await done

    async def close(self) -> None:
        """Run what is queued, then end the thread."""
        await asyncio.to_thread(self._jobs.put, None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                logger.bind(error=str(error)).error("a call's file could not be written")


def _settle(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
