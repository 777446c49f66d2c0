"""Takes jobs, has them spoken one after the other, and keeps what became of them.

In: orders of callers.  Out: jobs, results, call-backs.  A job that was taken ends as done, failed
or cancelled, however often the process ends in between.  On the event loop's thread.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_args

from loguru import logger

from tts.config import ServiceConfig
from tts.errors import BadRequest, JobNotFound, Overloaded, TtsError, Unavailable
from tts.jobs.courier import Courier
from tts.jobs.record import DamagedRecord, Failure, Job, Result, State, Webhook, new_id
from tts.jobs.results import ResultStore, result_store
from tts.jobs.speaking import Pause, Service, Speaking
from tts.jobs.spool import SpoolDamaged
from tts.jobs.store import JobStore
from tts.jobs.webhook import check_url
from tts.limits import check_length, check_manner, check_words
from tts.types import SynthesisRequest

MOST_FRUITLESS = 10
"""A passage during which the process ended so often is not tried again: it may be why."""
SWEEP_S = 600.0
"""How often jobs that are kept no longer are looked for."""
BUSY_RETRY_S = 30.0
"""When to try again where the queue is full."""

_DAY_S = 86_400.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller wants."""

    request: SynthesisRequest
    format: str
    """One of `tts.audio.encode.AUDIO_FORMATS`."""
    webhook: str = ""
    """URL to call when the job has ended; empty: none."""
    idempotency_key: str = ""
    """The same key of the same caller is the same job; empty: a new one."""

    def fingerprint(self) -> str:
        """The same for the same order."""
        return hashlib.sha256(repr((self.request, self.format, self.webhook)).encode()).hexdigest()


class JobRunner:
    """All jobs of a service."""

    def __init__(
        self,
        service: Service,
        config: ServiceConfig,
        *,
        webhook_secret: str | None,
        results: ResultStore | None = None,
        clock: Callable[[], float] = time.time,
        pause: Pause = asyncio.sleep,
        count: Callable[[str], None] = lambda code: None,
    ) -> None:
        """`config.jobs.dir` must be set.  `results`: where files go, if not by the configuration.
        `clock` gives seconds since 1970, `pause` waits between attempts; `count` is told how each
        job ended: "ok", "cancelled", or the code of its error.

        Raises `ConfigError` for settings that contradict each other.
        """
        assert config.jobs.dir is not None
        self._service = service
        self._config = config.jobs
        self._clock = clock
        self._count = count
        self._store = JobStore(config.jobs.dir)
        self._results = results or result_store(config.jobs)
        self._speaking = Speaking(
            service,
            self._store,
            self._results,
            max_passage_chars=config.limits.max_text_chars,
            clock=clock,
            pause=pause,
        )
        self._courier = None
        if webhook_secret is not None:
            self._courier = Courier(
                self._store,
                hosts=config.jobs.webhook_hosts,
                secret=webhook_secret,
                keep_days=config.jobs.keep_days,
                clock=clock,
            )
        # Bounded by `jobs.max_waiting` when jobs are taken; first come, first served.
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._taking = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Result]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        # What callers asked for; each of them waits for its own.
        self._asked: set[asyncio.Task[Any]] = set()

    @property
    def waiting(self) -> int:
        """Jobs that are taken and not yet begun."""
        return sum(job.state == "queued" for job in self._store.jobs.values())

    def by_state(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        counts: dict[str, int] = dict.fromkeys(get_args(State), 0)
        for job in self._store.jobs.values():
            counts[job.state] += 1
        return counts

    async def start(self) -> None:
        """Go on with what there is, and take new jobs.  Call when the service can speak.

        Raises `OSError` and `Unavailable` when the folder or the store cannot be used.
        """
        await self._store.start()
        await self._results.start()
        await self._sweep()
        left = [job for job in self._store.jobs.values() if not job.ended]
        # Those that were being spoken first.
        for job in sorted(left, key=lambda job: (job.started_s is None, job.created_s)):
            if job.state == "running":
                await self._store.put(replace(job, state="queued"))
            self._queue.put_nowait(job.id)
        for job in self._store.jobs.values():
            self._tell(job)
        self._tasks = [
            asyncio.create_task(self._work(), name=f"jobs-{number}")
            for number in range(self._config.at_once)
        ]
        self._tasks.append(asyncio.create_task(self._sweep_often(), name="jobs-sweep"))
        logger.bind(jobs=len(self._store.jobs), unfinished=len(left)).info("jobs loaded")

    async def stop(self) -> None:
        """Leave all work where it is; the next start goes on with it.  Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._asked, return_exceptions=True)
        if self._courier is not None:
            await self._courier.stop()
        await self._store.stop()

    async def submit(self, owner: str, order: Order) -> Job:
        """Take a job; returns once nothing can lose it.  Cancelled, it is taken nevertheless.

        Raises `BadRequest`, `TextTooLong` or `VoiceNotFound` for what cannot be spoken or called
        back, `Overloaded` when too many are waiting, `Unavailable` when it cannot be kept.
        """
        self._check_started()
        return await self._whole(self._submit(owner, order), "jobs-submit")

    async def _submit(self, owner: str, order: Order) -> Job:
        fingerprint = await asyncio.to_thread(order.fingerprint)
        # One after the other: of two with the same key, the second finds the first.
        async with self._taking:
            return await self._take(owner, order, fingerprint)

    async def _take(self, owner: str, order: Order, fingerprint: str) -> Job:
        known = self._known(owner, order.idempotency_key, fingerprint)
        if known is not None:
            return known
        self._check(order)
        if self.waiting >= self._config.max_waiting:
            raise Overloaded(
                f"{self.waiting} jobs are waiting, and at most {self._config.max_waiting} may",
                retry_after_s=BUSY_RETRY_S,
            )
        text = order.request.text
        job = Job(
            id=new_id(),
            owner=owner,
            request=replace(order.request, text=""),
            chars=len(text),
            format=order.format,
            created_s=self._clock(),
            idempotency_key=order.idempotency_key,
            fingerprint=fingerprint if order.idempotency_key else "",
            webhook=Webhook(order.webhook) if order.webhook else None,
        )
        try:
            await self._store.add(job, text)
        except OSError as error:
            raise Unavailable(f"the job cannot be kept: {error.strerror}") from error
        self._queue.put_nowait(job.id)
        return job

    def find(self, owner: str, job_id: str) -> Job:
        """A caller's job.  Raises `JobNotFound`.

        One whose record is damaged is told of to whoever knows its id: nobody can guess it.
        """
        self._check_started()
        job = self._store.jobs.get(job_id)
        if job is None or job.owner not in (owner, None):
            raise JobNotFound("no such job, or it is not kept any more")
        return job

    def list(self, owner: str) -> list[Job]:
        """A caller's jobs, the newest first."""
        self._check_started()
        return [job for job in reversed(list(self._store.jobs.values())) if job.owner == owner]

    async def cancel(self, owner: str, job_id: str) -> Job:
        """End a caller's job; one that has ended stays as it is.

        Raises `JobNotFound`, and `Unavailable` when it cannot be kept.
        """
        return await self._whole(self._cancel(owner, job_id), "jobs-cancel")

    async def _cancel(self, owner: str, job_id: str) -> Job:
        job = self.find(owner, job_id)
        if not job.ended:
            if (task := self._running.get(job_id)) is not None:
                task.cancel()
            try:
                await self._end(job, "cancelled")
            except OSError as error:
                raise Unavailable(f"the end cannot be kept: {error.strerror}") from error
        return self.find(owner, job_id)

    async def remove(self, owner: str, job_id: str) -> None:
        """Forget a caller's job and its audio, whatever it is doing.

        Raises `JobNotFound`, and `Unavailable` when the audio cannot be removed now.
        """
        await self._whole(self._remove(owner, job_id), "jobs-remove")

    async def _remove(self, owner: str, job_id: str) -> None:
        job = await self._cancel(owner, job_id)
        if (task := self._running.get(job_id)) is not None:
            await asyncio.wait({task})
        await self._forget(job)

    def audio(self, job: Job, start: int, end: int) -> AsyncGenerator[bytes]:
        """Bytes `start` to `end` (one past the last) of its file.  Raises `Unavailable`."""
        return self._results.read(job.key, start, end)

    async def has_audio(self, job: Job) -> bool:
        """Whether its file is there, as long as it was made.  Raises `Unavailable`."""
        result = job.result
        return result is not None and (await self._results.size_bytes(job.key) == result.size_bytes)

    async def _whole(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Do something to its end, also when whoever asked for it goes away meanwhile."""
        task = asyncio.create_task(work, name=name)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return await asyncio.shield(task)

    def _check_started(self) -> None:
        if not self._tasks:
            raise Unavailable("jobs are not taken yet, or not any more", retry_after_s=1.0)

    def _known(self, owner: str, key: str, fingerprint: str) -> Job | None:
        """The job that was sent with the same key.  Raises `BadRequest` if that was another."""
        if not key:
            return None
        for job in self._store.jobs.values():
            if job.owner == owner and job.idempotency_key == key:
                if job.fingerprint != fingerprint:
                    raise BadRequest(
                        "Idempotency-Key: another job was sent with the same key"
                    ).about("Idempotency-Key")
                return job
        return None

    def _check(self, order: Order) -> None:
        check_length(len(order.request.text), self._config.max_text_chars)
        check_words(order.request.text)
        check_manner(order.request, {voice.id: voice for voice in self._service.voices})
        if order.webhook:
            check_url(order.webhook, self._config.webhook_hosts)
            if self._courier is None:
                raise BadRequest(
                    "webhook: this service calls nobody back; PARLEY_WEBHOOK_SECRET is not set"
                ).about("webhook")

    async def _work(self) -> None:
        """Speak one job after the other."""
        while True:
            job = self._store.jobs.get(await self._queue.get())
            if job is None or job.ended:
                continue
            try:
                await self._run(job)
            except OSError as error:
                # Its record cannot be written.  What has ended in memory only, the next start will
                # find as it was before, and end once more.
                logger.bind(job=job.id, reason=error.strerror).error("record of a job not written")
                await asyncio.sleep(BUSY_RETRY_S)
                self._queue.put_nowait(job.id)

    async def _run(self, job: Job) -> None:
        """Speak a job to its end, or to that of the service."""
        if job.fruitless >= MOST_FRUITLESS:
            failure = Failure(
                "internal", f"the service ended {job.fruitless} times while it spoke this job"
            )
            await self._end(job, "failed", failure=failure)
            return
        job = replace(
            job,
            state="running",
            started_s=job.started_s or self._clock(),
            attempts=job.attempts + 1,
            fruitless=job.fruitless + 1,
        )
        await self._store.put(job)
        if self._store.jobs.get(job.id) != job:
            return  # cancelled while that was written
        task = asyncio.create_task(self._speaking.finish(job), name=f"jobs-{job.id}")
        self._running[job.id] = task
        try:
            # However it ends, its result is looked at below.
            await asyncio.wait({task})
        finally:
            del self._running[job.id]
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await self._leave(job.id)
        await self._ended(job.id, task)

    async def _leave(self, job_id: str) -> None:
        """Note that the service ends, and that this is no fault of the job's."""
        job = self._store.jobs.get(job_id)
        if job is not None and not job.ended:
            fruitless = max(job.fruitless - 1, 0)
            await self._store.put(replace(job, state="queued", fruitless=fruitless))

    async def _ended(self, job_id: str, task: asyncio.Task[Result]) -> None:
        """Note how a job ended, unless somebody has ended it before."""
        job = self._store.jobs.get(job_id)
        if job is None or job.ended or task.cancelled():
            return
        error = task.exception()
        if error is None:
            await self._end(job, "done", result=task.result())
        elif isinstance(error, TtsError):
            await self._end(job, "failed", failure=Failure(error.code, str(error)))
        elif isinstance(error, DamagedRecord | SpoolDamaged):
            await self._end(job, "failed", failure=Failure("internal", f"files lost: {error}"))
        else:
            logger.opt(exception=error).bind(job=job_id).error("job failed")
            failure = Failure("internal", f"{type(error).__name__} while the job was spoken")
            await self._end(job, "failed", failure=failure)

    async def _end(
        self,
        job: Job,
        state: State,
        *,
        result: Result | None = None,
        failure: Failure | None = None,
    ) -> None:
        now_s = self._clock()
        webhook = job.webhook and replace(job.webhook, next_s=now_s)
        job = replace(
            job, state=state, ended_s=now_s, result=result, failure=failure, webhook=webhook
        )
        await self._store.put(job)
        code = failure.code if failure else {"done": "ok"}.get(state, state)
        self._count(code)
        logger.bind(
            job=job.id,
            state=state,
            code=code,
            chars=job.chars,
            audio_s=round(job.spoken.audio_s, 1),
            attempts=job.attempts,
        ).info("job ended")
        self._tell(job)
        await self._store.clear(job.id)

    def _tell(self, job: Job) -> None:
        if self._courier is not None and job.webhook is not None and job.webhook.next_s is not None:
            self._courier.send(job.id)

    async def _sweep_often(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await self._sweep()

    async def _sweep(self) -> None:
        """Forget jobs that ended too long ago."""
        oldest_s = self._clock() - self._config.keep_days * _DAY_S
        for job in list(self._store.jobs.values()):
            if job.ended_s is not None and job.ended_s <= oldest_s:
                try:
                    await self._forget(job)
                except (TtsError, OSError) as error:
                    logger.bind(job=job.id, reason=str(error)).warning("old job not removed")

    async def _forget(self, job: Job) -> None:
        """The audio first: a job that is there after a crash can be removed once more."""
        if job.format:
            # Also of one that was cancelled just when its file was made.
            await self._results.delete(job.key)
        try:
            await self._store.remove(job.id)
        except OSError as error:
            raise Unavailable(f"the job cannot be removed: {error.strerror}") from error
