"""Tells whoever asked for it that a job has ended.

In: ended jobs with a webhook.  Out: signed POST requests, again and again until one is answered
with 2xx or there were enough of them; how far that has got stands in the job's record, so that an
end of the service loses nothing.  On the event loop's thread.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from loguru import logger

from tts.errors import BadRequest
from tts.jobs.public import message
from tts.jobs.record import Job, Webhook
from tts.jobs.store import JobStore
from tts.jobs.webhook import (
    ID_HEADER,
    SIGNATURE_HEADER,
    check_url,
    may_connect,
    next_attempt_s,
    signature,
)

TIMEOUT_S = 10.0
"""An answer that takes longer is none."""
AT_ONCE = 4
"""Requests under way at once: one host that does not answer keeps no other waiting."""


class Courier:
    """Every call-back that is still to be made."""

    def __init__(
        self,
        store: JobStore,
        *,
        hosts: Sequence[str],
        secret: str,
        keep_days: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`hosts` and `keep_days` as in `JobsConfig`; `clock` gives seconds since 1970."""
        self._store = store
        self._hosts = hosts
        self._secret = secret
        self._keep_days = keep_days
        self._clock = clock
        self._free = asyncio.Semaphore(AT_ONCE)
        # One for each call-back that is still to be made, most of them asleep: at most as many as
        # jobs that ended in the last nine hours.
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def send(self, job_id: str) -> None:
        """Tell about a job that has ended, when its record says that it is time."""
        task = asyncio.create_task(self._deliver(job_id), name=f"jobs-webhook-{job_id}")
        self._tasks[job_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job_id, None))

    async def stop(self) -> None:
        """Leave what is still to be made to the next start.  Idempotent."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, job_id: str) -> None:
        while (due := self._due(job_id)) is not None:
            _, next_s = due
            await asyncio.sleep(max(next_s - self._clock(), 0.0))
            async with self._free:
                if (due := self._due(job_id)) is None:
                    return
                webhook, _ = due
                error = await self._post(self._store.jobs[job_id], webhook.url)
            await self._attempted(job_id, error)

    def _due(self, job_id: str) -> tuple[Webhook, float] | None:
        """The call-back, and when it is tried next; None when there is nothing more to do."""
        job = self._store.jobs.get(job_id)
        if job is None or job.webhook is None or job.webhook.next_s is None:
            return None
        return job.webhook, job.webhook.next_s

    async def _attempted(self, job_id: str, error: str) -> None:
        """Keep how an attempt ended; an empty error: well."""
        if (due := self._due(job_id)) is None:
            return
        now_s = self._clock()
        webhook = replace(due[0], attempts=due[0].attempts + 1, error=error, next_s=None)
        if not error:
            webhook = replace(webhook, delivered_s=now_s)
        else:
            webhook = replace(webhook, next_s=next_attempt_s(webhook.attempts, now_s))
        logger.bind(job=job_id, attempts=webhook.attempts, error=error).info("webhook called")
        try:
            await self._store.put(replace(self._store.jobs[job_id], webhook=webhook))
        except OSError as failure:
            # After a restart it is tried once too often: its id tells.
            logger.bind(job=job_id, reason=failure.strerror).error("webhook not noted")

    async def _post(self, job: Job, url: str) -> str:
        """Try once.  Returns what went wrong; empty: nothing."""
        body = message(job, self._keep_days)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "parley",
            ID_HEADER: f"whk_{job.id.removeprefix('job_')}",
            SIGNATURE_HEADER: signature(self._secret, body, int(self._clock())),
        }
        try:
            # Again, for the list of hosts may be another one since.
            check_url(url, self._hosts)
            # A connector each: nothing is kept from one host's answer for another's request.
            connector = aiohttp.TCPConnector(resolver=_Resolver(self._hosts), use_dns_cache=False)
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                ) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                # Its body is not read: nobody needs it, and it may be of any length.
                return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except BadRequest as error:
            return str(error)
        except TimeoutError:
            return f"it gave no answer in {TIMEOUT_S:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"[:300]


class _Resolver(AbstractResolver):
    """Names to addresses that may be called.  What is looked at here is what is connected to: a
    name cannot lead elsewhere in between."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises `OSError` when no address is left."""
        found = await self._inner.resolve(host, port, family)
        allowed = [one for one in found if may_connect(host, one["host"], self._hosts)]
        if not allowed:
            raise OSError(None, f"{host} leads to no public address")
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
