"""Lanes, with gates instead of sleeps: every order below is forced, not hoped for."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from agent.offload import Lane, LaneClosed, LaneFull


class Gate:
    """Work that reports that it began and waits until it may end."""

    def __init__(self, log: list[str], name: str) -> None:
        self._log, self._name = log, name
        self.began = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> str:
        self._log.append(self._name)
        self.began.set()
        assert self.may_end.wait(10)
        return self._name


def on_a_lane(
    test: Callable[[Lane], Coroutine[Any, Any, None]], **limits: int
) -> Callable[[], None]:
    async def body() -> None:
        lane = Lane("test", **limits)
        try:
            await test(lane)
        finally:
            await lane.close()

    return lambda: asyncio.run(body())


async def occupied(lane: Lane, log: list[str]) -> tuple[Gate, asyncio.Task[str]]:
    """The lane's only thread made busy with a gate."""
    gate = Gate(log, "first")
    task = asyncio.create_task(lane.run(gate))
    await asyncio.to_thread(gate.began.wait, 10)
    return gate, task


def test_work_runs_on_a_thread_named_after_the_lane() -> None:
    async def body(lane: Lane) -> None:
        name = await lane.run(lambda: threading.current_thread().name)
        assert name.startswith("test")
        assert name != threading.current_thread().name

    on_a_lane(body)()


def test_what_the_work_raises_reaches_its_caller_and_the_lane_lives_on() -> None:
    async def body(lane: Lane) -> None:
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        assert await lane.run(lambda: 7) == 7

    on_a_lane(body)()


def test_urgent_work_overtakes_patient_work_and_order_of_arrival_holds_among_equals() -> None:
    async def body(lane: Lane) -> None:
        log: list[str] = []
        gate, first = await occupied(lane, log)
        later = [
            asyncio.create_task(lane.run(log.append, name, urgent=urgent))
            for name, urgent in [("p1", False), ("p2", False), ("u1", True), ("u2", True)]
        ]
        await asyncio.sleep(0)
        assert (lane.running, lane.waiting) == (1, 4)
        gate.may_end.set()
        await asyncio.gather(first, *later)
        assert log == ["first", "u1", "u2", "p1", "p2"]
        assert (lane.running, lane.waiting) == (0, 0)

    on_a_lane(body, patient_limit=2)()


def test_patient_work_leaves_a_thread_free_for_urgent_work() -> None:
    async def body(lane: Lane) -> None:
        log: list[str] = []
        gate = Gate(log, "patient")
        patient = asyncio.create_task(lane.run(gate, urgent=False))
        more = asyncio.create_task(lane.run(log.append, "more", urgent=False))
        await asyncio.to_thread(gate.began.wait, 10)
        await lane.run(log.append, "urgent")
        gate.may_end.set()
        await asyncio.gather(patient, more)
        assert log == ["patient", "urgent", "more"]

    on_a_lane(body, threads=2, patient_limit=2)()


def test_work_beyond_a_bound_is_refused_with_the_lane_and_the_bound_named() -> None:
    async def body(lane: Lane) -> None:
        gate, first = await occupied(lane, [])
        waiting = asyncio.create_task(lane.run(lambda: 1, urgent=False))
        await asyncio.sleep(0)
        with pytest.raises(LaneFull, match="'test' has 1 patient jobs"):
            await lane.run(lambda: 2, urgent=False)
        urgent = asyncio.create_task(lane.run(lambda: 3))
        gate.may_end.set()
        assert [await first, await waiting, await urgent] == ["first", 1, 3]

    on_a_lane(body, patient_limit=1)()


def test_work_cancelled_before_it_began_never_runs_and_frees_its_place() -> None:
    async def body(lane: Lane) -> None:
        log: list[str] = []
        gate, first = await occupied(lane, log)
        dropped = asyncio.create_task(lane.run(log.append, "dropped", urgent=False))
        await asyncio.sleep(0)
        dropped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dropped
        kept = asyncio.create_task(lane.run(log.append, "kept", urgent=False))
        await asyncio.sleep(0)
        assert lane.waiting == 1
        gate.may_end.set()
        await asyncio.gather(first, kept)
        assert log == ["first", "kept"]

    on_a_lane(body, patient_limit=1)()


def test_work_cancelled_after_it_began_ends_alone_and_the_lane_stays_usable() -> None:
    async def body(lane: Lane) -> None:
        log: list[str] = []
        gate, first = await occupied(lane, log)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert lane.running == 1, "a thread cannot be interrupted"
        gate.may_end.set()
        assert await lane.run(lambda: "next") == "next"
        assert log == ["first"]

    on_a_lane(body)()


def test_an_error_nobody_waits_for_is_not_reported_as_unseen() -> None:
    async def body(lane: Lane) -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
        began, may_end = threading.Event(), threading.Event()

        def fails() -> None:
            began.set()
            assert may_end.wait(10)
            raise OSError("too late")

        task = asyncio.create_task(lane.run(fails))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        may_end.set()
        await lane.run(lambda: None)
        assert task.cancelled()
        assert complaints == []

    on_a_lane(body)()


def test_closing_fails_what_waits_finishes_what_runs_and_refuses_the_rest() -> None:
    async def body() -> None:
        lane = Lane("test")
        gate, first = await occupied(lane, [])
        waiting = asyncio.create_task(lane.run(lambda: None))
        await asyncio.sleep(0)
        closing = asyncio.create_task(lane.close())
        with pytest.raises(LaneClosed):
            await waiting
        assert not closing.done()
        gate.may_end.set()
        await closing
        assert await first == "first"
        with pytest.raises(LaneClosed):
            await lane.run(lambda: None)
        await lane.close()

    asyncio.run(body())


def test_as_many_jobs_run_at_once_as_there_are_threads() -> None:
    async def body(lane: Lane) -> None:
        gates = [Gate([], str(number)) for number in range(3)]
        tasks = [asyncio.create_task(lane.run(gate)) for gate in gates]
        for gate in gates[:2]:
            await asyncio.to_thread(gate.began.wait, 10)
        assert (lane.running, lane.waiting) == (2, 1)
        assert not gates[2].began.is_set()
        for gate in gates:
            gate.may_end.set()
        assert await asyncio.gather(*tasks) == ["0", "1", "2"]

    on_a_lane(body, threads=2)()
