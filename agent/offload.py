"""The one bridge from the event loop to blocking work: named lanes of threads.

In: a function and its arguments.  Out: its result, awaited.  A lane knows nothing of models or
calls.  A `Lane` belongs to one event loop: every method is called from that loop, and only the
work itself runs on the lane's threads.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class LaneFull(Exception):
    """The lane has as much waiting as it may; the message names the lane and the bound."""


class LaneClosed(Exception):
    """The lane was closed before the work began."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[..., Any]
    args: tuple[Any, ...]
    result: asyncio.Future[Any]


class Lane:
    """Threads with one purpose, and two bounded queues in front of them.

    Policy: urgent work begins before patient work, each in order of arrival; where there are two
    threads or more, patient work leaves one of them free for urgent work; work beyond its queue's
    bound is refused at once with `LaneFull`, so the caller knows and nothing is dropped
    in silence.  What waits is kept on the loop's side, so cancelling it needs no lock.
    """

    def __init__(
        self, name: str, *, threads: int = 1, urgent_limit: int = 64, patient_limit: int = 1
    ) -> None:
        self.name = name
        self._threads = threads
        self._urgent: deque[_Job] = deque()
        self._urgent_limit = urgent_limit
        self._patient: deque[_Job] = deque()
        self._patient_limit = patient_limit
        self._begun: set[asyncio.Future[Any]] = set()
        self._closed = False
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @property
    def waiting(self) -> int:
        """Jobs that have not begun."""
        return len(self._urgent) + len(self._patient)

    @property
    def running(self) -> int:
        """Jobs on a thread now, including those whose caller has gone."""
        return len(self._begun)

    async def run(self, work: Callable[..., T], *args: Any, urgent: bool = True) -> T:
        """Run `work(*args)` on a thread of the lane and return what it returns.

        Cancelling drops the job if it has not begun; one that has begun runs to its end and its
        result is dropped.  Raises what `work` raises, `LaneFull`, or `LaneClosed`.
        """
        if self._closed:
            raise LaneClosed(f"lane {self.name!r} is closed")
        queue, limit = (
            (self._urgent, self._urgent_limit) if urgent else (self._patient, self._patient_limit)
        )
        if len(queue) >= limit:
            kind = "urgent" if urgent else "patient"
            raise LaneFull(f"lane {self.name!r} has {limit} {kind} jobs waiting, its bound")
        job = _Job(work, args, asyncio.get_running_loop().create_future())
        queue.append(job)
        self._begin_waiting()
        try:
            result: T = await job.result
            return result
        finally:
            if job in queue:
                queue.remove(job)

    async def close(self) -> None:
        """Refuse new work, fail what waits with `LaneClosed`, wait for what runs. Idempotent."""
        self._closed = True
        for queue in (self._urgent, self._patient):
            while queue:
                result = queue.popleft().result
                if not result.done():
                    result.set_exception(LaneClosed(f"lane {self.name!r} was closed"))
        if self._begun:
            await asyncio.wait(self._begun)
        self._executor.shutdown(wait=False)

    def _begin_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while queue := self._next_queue():
            job = queue.popleft()
            if job.result.done():  # cancelled, and its caller has not run yet
                continue
            begun = loop.run_in_executor(self._executor, job.work, *job.args)
            self._begun.add(begun)
            begun.add_done_callback(partial(self._finish, job))

    def _next_queue(self) -> deque[_Job] | None:
        """Return where the next job comes from, None if nothing can begin now."""
        free = self._threads - len(self._begun)
        kept_free = 1 if self._threads > 1 else 0
        if self._urgent and free:
            return self._urgent
        return self._patient if self._patient and free > kept_free else None

    def _finish(self, job: _Job, done: asyncio.Future[Any]) -> None:
        self._begun.discard(done)
        error = done.exception()
        if job.result.done():  # the caller has gone; reading `error` above marks it as seen
            pass
        elif error is not None:
            job.result.set_exception(error)
        else:
            job.result.set_result(done.result())
        self._begin_waiting()
