"""Admission and the ends of calls, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from agent.config import CallsConfig
from agent.metrics import Metrics
from agent.persona import Persona
from agent.sessions import (
    CLOSE_GRACE_S,
    CallRecord,
    NotAdmitted,
    RunCall,
    Sessions,
    call_owner,
    id_prefix,
)
from agent.writer import FileWriter
from tests import virtual_time
from tests.agent.doors import FakePeer, persona
from transports.base import CallTransport

ANNA = persona("anna")


async def until_closed(transport: CallTransport, persona: Persona, record: CallRecord) -> None:
    record.end(await transport.wait_closed())


class Desk:
    """Sessions with calls that are started by hand."""

    def __init__(
        self, run_call: RunCall = until_closed, *, max_calls: int = 2, max_call_s: float = 3600
    ) -> None:
        self.metrics = Metrics()
        self.ended = 0
        self.sessions = Sessions(
            run_call,
            calls=CallsConfig(log_dir=None, max_call_s=max_call_s),
            max_calls=max_calls,
            metrics=self.metrics,
            writer=cast(FileWriter, None),  # no logs, no recordings
        )
        self.sessions.on_ended = self._count

    def _count(self) -> None:
        self.ended += 1

    def call(self, name: str = "w0-a") -> tuple[FakePeer, CallRecord]:
        peer = FakePeer(name, "v=0")
        with self.sessions.reserve():
            record = self.sessions.start(name, cast(CallTransport, peer), ANNA)
        return peer, record

    def ends(self, reason: str) -> float:
        line = f'parley_calls_ended_total{{reason="{reason}",worker="0"}} '
        found = [text for text in self.metrics.render().splitlines() if text.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    virtual_time.run(main())


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_call_ends_with_its_line_and_frees_its_place() -> None:
    async def scenario() -> None:
        desk = Desk(max_calls=1)
        peer, record = desk.call()
        assert (desk.sessions.running, desk.sessions.free) == (1, 0)
        with pytest.raises(NotAdmitted) as refused, desk.sessions.reserve():
            pass
        assert refused.value.code == "full"
        await peer.close("hung up")
        await desk.sessions.idle.wait()
        assert (desk.sessions.running, desk.sessions.free) == (0, 1)
        assert (record.end_reason, desk.ends("hung up"), desk.ended) == ("hung up", 1, 1)

    run(scenario)


def test_an_offer_being_answered_holds_a_place() -> None:
    async def scenario() -> None:
        desk = Desk(max_calls=1)
        with desk.sessions.reserve():
            assert desk.sessions.free == 0
            with pytest.raises(NotAdmitted), desk.sessions.reserve():
                pass
        assert desk.sessions.free == 1

    run(scenario)


def test_a_call_that_fails_ends_alone_and_closes_its_line() -> None:
    async def fails(transport: CallTransport, persona: Persona, record: CallRecord) -> None:
        await asyncio.sleep(1)
        raise RuntimeError("defect")

    async def scenario() -> None:
        desk = Desk(fails)
        peer, record = desk.call()
        await desk.sessions.idle.wait()
        assert await peer.wait_closed() == "failed"
        assert desk.ends("failed") == 1

    run(scenario)


def test_a_call_that_is_too_long_is_ended() -> None:
    async def scenario() -> None:
        desk = Desk(max_call_s=90)
        peer, record = desk.call()
        await desk.sessions.idle.wait()
        assert now_s() == 90
        assert await peer.wait_closed() == "too long"
        assert record.end_reason == "too long"

    run(scenario)


def test_the_first_reason_is_believed() -> None:
    record = CallRecord("w0-a", None)  # type: ignore[arg-type]
    record.end("hung up")
    record.end("server stopping")
    assert record.end_reason == "hung up"


def test_a_drain_waits_for_calls_that_end_by_themselves() -> None:
    async def scenario() -> None:
        desk = Desk()
        peer, record = desk.call()
        drain = asyncio.create_task(desk.sessions.drain(60))
        await asyncio.sleep(10)
        assert (desk.sessions.draining, desk.sessions.free, desk.sessions.running) == (True, 0, 1)
        await peer.close("hung up")
        await drain
        assert now_s() == 10
        assert record.end_reason == "hung up"

    run(scenario)


def test_a_drain_ends_the_other_calls_at_its_limit() -> None:
    async def scenario() -> None:
        desk = Desk()
        _, first = desk.call("w0-a")
        _, second = desk.call("w0-b")
        await desk.sessions.drain(60)
        assert now_s() == 60
        assert desk.sessions.running == 0
        assert {first.end_reason, second.end_reason} == {"server stopping"}

    run(scenario)


def test_a_call_that_ignores_its_closed_line_is_cancelled() -> None:
    cancelled_at_s: list[float] = []

    async def ignores(transport: CallTransport, persona: Persona, record: CallRecord) -> None:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            cancelled_at_s.append(now_s())
            raise

    async def scenario() -> None:
        desk = Desk(ignores)
        desk.call()
        await asyncio.sleep(1)
        await desk.sessions.end_all("server stopping")
        assert cancelled_at_s == [1 + CLOSE_GRACE_S]
        assert (desk.sessions.running, desk.ends("server stopping")) == (0, 1)

    run(scenario)


def test_a_line_that_cannot_be_closed_does_not_keep_its_place() -> None:
    async def scenario() -> None:
        desk = Desk()
        peer, _ = desk.call()

        async def breaks(reason: str) -> None:
            raise OSError("socket")

        peer.close = breaks  # type: ignore[method-assign]
        peer.closed.set_result("lost")
        await desk.sessions.idle.wait()
        assert desk.sessions.free == 2
        assert desk.ends("lost") == 1

    run(scenario)


@pytest.mark.parametrize("worker", [0, 7, 63])
def test_a_calls_id_tells_its_worker(worker: int) -> None:
    assert call_owner(id_prefix(worker) + "0123abcd") == worker


@pytest.mark.parametrize(
    "call_id", ["", "w", "w0", "x0-a", "w-a", "w1a-b", "w\u00b2-a", "w99999-a"]
)
def test_an_id_that_is_not_ours_has_no_worker(call_id: str) -> None:
    assert call_owner(call_id) is None
