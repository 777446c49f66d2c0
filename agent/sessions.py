"""The calls that run in this worker: who gets in, who is told to leave, and the tidying after.

In: a transport and a persona for each admitted caller.  Out: one named task a call, its log and
recording, its end reason.  Knows nothing of what is said in a call or how it came in.  Loop's
thread only.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loguru import logger

from agent.config import CallsConfig
from agent.events import CallLog, NoLog
from agent.metrics import Metrics
from agent.persona import Persona
from agent.recording import StereoRecording
from agent.writer import FileWriter
from transports.base import CallTransport

CLOSE_GRACE_S = 5.0
"""After its line was closed, a call may take this long to end before it is cancelled."""


class NotAdmitted(Exception):
    """No call can be taken now; `code` is "full", "draining" or "starting"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(eq=False)
class CallRecord:
    """What a running call is given besides its line and its persona."""

    id: str
    """Unguessable, and begins with the worker's index: see `id_prefix`."""
    log: CallLog | NoLog
    recording: StereoRecording | None = None
    end_reason: str = ""
    hang_up: Callable[[str], Awaitable[None]] | None = None
    """Set while the call can be told to end, which lets it tell the caller why."""

    def end(self, reason: str) -> None:
        """Say why the call ends; the first one to know is believed."""
        self.end_reason = self.end_reason or reason


RunCall = Callable[[CallTransport, Persona, CallRecord], Awaitable[None]]
"""Holds a whole call; returns when it is over.  Cancelling ends the call at once."""


@dataclass(eq=False)
class RunningCall:
    """A call in progress, as the door sees it."""

    record: CallRecord
    transport: CallTransport
    task: "asyncio.Task[None]" = field(init=False)


def id_prefix(worker: int) -> str:
    """Return what the id of every call of this worker begins with."""
    return f"w{worker}-"


def call_owner(call_id: str) -> int | None:
    """Return the index of the worker that runs a call, None when the id is not one of ours."""
    worker, dash, _ = call_id.partition("-")
    if not dash or not worker.startswith("w") or not worker[1:].isascii():
        return None
    return int(worker[1:]) if worker[1:].isdecimal() and len(worker) < 5 else None


class Sessions:
    """Admission, the registry of running calls, and their end."""

    def __init__(
        self,
        run_call: RunCall,
        *,
        calls: CallsConfig,
        max_calls: int,
        metrics: Metrics,
        writer: FileWriter,
    ) -> None:
        self._run_call = run_call
        self._config = calls
        self._max_calls = max_calls
        self._metrics = metrics
        self._writer = writer
        self.on_ended: Callable[[], None] = lambda: None
        """Called whenever a call is over."""
        self._calls: dict[str, RunningCall] = {}
        self._reserved = 0
        self._draining = False
        self._ending: set[asyncio.Task[None]] = set()
        self.idle = asyncio.Event()
        """Set while no call is in progress."""
        self.idle.set()

    @property
    def running(self) -> int:
        """Calls in progress."""
        return len(self._calls)

    @property
    def free(self) -> int:
        """Calls that would be admitted now."""
        if self._draining:
            return 0
        return max(0, self._max_calls - len(self._calls) - self._reserved)

    @property
    def draining(self) -> bool:
        """Whether no further call is admitted, for good."""
        return self._draining

    def find(self, call_id: str) -> RunningCall | None:
        """Return a call in progress."""
        return self._calls.get(call_id)

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Hold a place while an offer is being answered; raises `NotAdmitted`."""
        if self._draining:
            raise NotAdmitted("draining", "the server is about to stop and takes no new calls")
        if self.free == 0:
            calls = "1 call" if self._max_calls == 1 else f"{self._max_calls} calls"
            raise NotAdmitted("full", f"all lines are busy ({calls} at once)")
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1

    def start(self, call_id: str, transport: CallTransport, persona: Persona) -> CallRecord:
        """Begin a call on a line that is set up; call it while holding a reservation."""
        record = self._new_record(call_id)
        call = RunningCall(record, transport)
        self._calls[record.id] = call
        self.idle.clear()
        call.task = asyncio.create_task(self._run(call, persona), name=f"call {record.id}")
        return record

    async def drain(self, limit_s: float) -> None:
        """Admit no more, let running calls end by themselves, end the rest at the limit.

        Cancelling ends the waiting, and the calls at once.
        """
        self._draining = True
        try:
            if self._calls:
                await asyncio.wait([call.task for call in self._calls.values()], timeout=limit_s)
        finally:
            await self.end_all("server stopping")

    async def end_all(self, reason: str) -> None:
        """End every call now and return when all are over."""
        calls = list(self._calls.values())
        await asyncio.gather(*(self._end(call, reason) for call in calls))

    async def _run(self, call: RunningCall, persona: Persona) -> None:
        record = call.record
        limit = asyncio.get_running_loop().call_later(
            self._config.max_call_s, self._end_later, call, "too long"
        )
        self._metrics.call_started()
        record.log.event("call_started", call=record.id, persona=persona.id)
        logger.bind(call=record.id, persona=persona.id).info("call started")
        try:
            await self._run_call(call.transport, persona, record)
        except Exception:
            logger.bind(call=record.id).exception("call failed")
            self._metrics.error("call")
            record.end("failed")
        finally:
            limit.cancel()
            await self._tidy(call)

    async def _tidy(self, call: RunningCall) -> None:
        record = call.record
        record.end("ended")
        try:
            await call.transport.close(record.end_reason)
        except Exception:
            logger.bind(call=record.id).exception("line did not close")
        finally:
            self._calls.pop(record.id, None)
            if not self._calls:
                self.idle.set()
            self._metrics.call_ended(record.end_reason)
            self.on_ended()
            logger.bind(call=record.id, reason=record.end_reason).info("call ended")
            record.log.event("call_ended", reason=record.end_reason)
            await record.log.close()
            if record.recording is not None:
                await record.recording.close()

    def _end_later(self, call: RunningCall, reason: str) -> None:
        task = asyncio.create_task(self._end(call, reason), name=f"end {call.record.id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, call: RunningCall, reason: str) -> None:
        """Tell the call to end; cancel it if that does not help."""
        call.record.end(reason)
        try:
            async with asyncio.timeout(CLOSE_GRACE_S):
                if call.record.hang_up is not None:
                    await call.record.hang_up(reason)
                else:
                    await call.transport.close(reason)
                await asyncio.wait({call.task})
        except TimeoutError:
            logger.bind(call=call.record.id).warning("call did not end by itself")
            call.task.cancel()
            await asyncio.wait({call.task}, timeout=CLOSE_GRACE_S)

    def _new_record(self, call_id: str) -> CallRecord:
        folder = self._config.log_dir
        if folder is None:
            return CallRecord(call_id, NoLog())
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{call_id}"
        log = CallLog(folder / f"{name}.jsonl", self._writer, log_text=self._config.log_text)
        recording = None
        if self._config.record:
            recording = StereoRecording(folder / f"{name}.wav", self._writer, agent_rate_hz=48_000)
        return CallRecord(call_id, log, recording)
