"""The owner thread: turns, bounds, cancelling, ending."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import pytest

from tests.tts.fake_engine import FakeEngine
from tests.tts.test_contract import until
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed, Overloaded
from tts.types import SynthesisRequest


def request(text: str) -> SynthesisRequest:
    return SynthesisRequest(text, "ann", "en")


def with_worker(
    engine: FakeEngine, scenario: Callable[[EngineWorker], Awaitable[None]], ahead_s: float = 60
) -> None:
    async def run() -> None:
        # Time stands still, so that the order of turns does not hang on how busy the machine is.
        worker = EngineWorker("fake", lambda: engine, ahead_s=ahead_s, clock=lambda: 1.0)
        await worker.start()
        try:
            await scenario(worker)
        finally:
            if engine.gate is not None:
                engine.gate.release(1000)
            await worker.stop()
        assert engine.closed

    asyncio.run(run())


def test_a_new_request_goes_before_the_rest_of_an_old_one() -> None:
    engine = FakeEngine(piece_samples=(10,) * 3, gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker) -> None:
        old = worker.speak(request("old"))
        engine.gate.release()
        await anext(old)
        # The second step of "old" is waiting at the gate when these two arrive.
        await until(lambda: ("old", 1) in engine.entered)
        new, newer = worker.speak(request("new")), worker.speak(request("newer"))
        engine.gate.release(100)
        for speech in (old, new, newer):
            async for _ in speech:
                pass
        assert engine.steps == [
            ("old", 0),
            ("old", 1),
            ("new", 0),
            ("newer", 0),
            # Then whose playback runs dry first: "old" has a piece more than the others.
            ("new", 1),
            ("newer", 1),
            ("old", 2),
            ("new", 2),
            ("newer", 2),
        ]

    with_worker(engine, scenario)


def test_long_work_before_a_first_piece_gives_every_other_step_to_those_that_speak() -> None:
    gate = threading.Semaphore(0)
    engine = FakeEngine(piece_samples=(10,) * 4, gate=gate, before={"slow": [None] * 3})

    async def scenario(worker: EngineWorker) -> None:
        one, two = worker.speak(request("one")), worker.speak(request("two"))
        gate.release(2)
        await until(lambda: ("one", 1) in engine.entered)
        slow, late = worker.speak(request("slow")), worker.speak(request("late"))
        gate.release(100)
        for speech in (one, two, slow, late):
            async for _ in speech:
                pass
        assert engine.steps[:10] == [
            ("one", 0),
            ("two", 0),
            ("one", 1),
            # "late" came after "slow" and waits for its first piece; those that speak do not.
            ("slow", -1),
            ("two", 1),
            ("slow", -2),
            ("one", 2),
            ("slow", -3),
            ("two", 2),
            ("slow", 0),
        ]
        assert engine.steps[10] == ("late", 0)

    with_worker(engine, scenario)


def test_others_speak_while_a_request_waits_and_it_keeps_its_place() -> None:
    loaded: Future[None] = Future()
    gate = threading.Semaphore(0)
    engine = FakeEngine(piece_samples=(10,) * 3, gate=gate, before={"cold": [loaded]})

    async def scenario(worker: EngineWorker) -> None:
        cold, warm = worker.speak(request("cold")), worker.speak(request("warm"))
        gate.release(3)
        async for _ in warm:
            pass
        assert engine.steps == [("cold", -1), ("warm", 0), ("warm", 1), ("warm", 2)]
        other = worker.speak(request("other"))
        await until(lambda: ("other", 0) in engine.entered)
        later = worker.speak(request("later"))
        loaded.set_result(None)
        gate.release(100)
        for speech in (cold, other, later):
            async for _ in speech:
                pass
        assert engine.steps[4:7] == [("other", 0), ("cold", 0), ("later", 0)]

    with_worker(engine, scenario)


def test_a_future_that_is_done_already_costs_one_step() -> None:
    done: Future[None] = Future()
    done.set_result(None)
    engine = FakeEngine(piece_samples=(10,), before={"x": [done, None]})

    async def scenario(worker: EngineWorker) -> None:
        assert [len(piece.samples) async for piece in worker.speak(request("x"))] == [10]
        assert engine.steps == [("x", -1), ("x", -2), ("x", 0)]

    with_worker(engine, scenario)


def test_a_request_cancelled_while_it_waits_is_dropped_at_once() -> None:
    never: Future[None] = Future()
    engine = FakeEngine(before={"cold": [never]})

    async def scenario(worker: EngineWorker) -> None:
        cold = worker.speak(request("cold"))
        await until(lambda: engine.steps == [("cold", -1)])
        await cold.aclose()
        await until(lambda: engine.dropped == ["cold"])
        never.set_result(None)
        async for _ in worker.speak(request("next")):
            pass
        assert [step for step in engine.steps if step[0] == "cold"] == [("cold", -1)]

    with_worker(engine, scenario)


def test_a_request_cancelled_during_its_last_step_leaves_the_others_alone() -> None:
    gate = threading.Semaphore(0)
    engine = FakeEngine(piece_samples=(10,), gate=gate)

    async def scenario(worker: EngineWorker) -> None:
        last = worker.speak(request("last"))
        await until(lambda: engine.entered == [("last", 0)])
        await last.aclose()
        gate.release(2)
        assert [len(piece.samples) async for piece in worker.speak(request("next"))] == [10]

    with_worker(engine, scenario)


def test_stopping_ends_a_request_that_waits() -> None:
    never: Future[None] = Future()
    engine = FakeEngine(before={"cold": [never]})

    async def scenario(worker: EngineWorker) -> None:
        cold = worker.speak(request("cold"))
        await until(lambda: engine.steps == [("cold", -1)])
        await worker.stop()
        with pytest.raises(EngineFailed, match="has stopped"):
            await anext(cold)
        assert engine.dropped == ["cold"]

    with_worker(engine, scenario)


def test_what_a_future_fails_with_reaches_the_one_who_waited() -> None:
    loading: Future[None] = Future()
    engine = FakeEngine(before={"cold": [loading]})

    async def scenario(worker: EngineWorker) -> None:
        cold = worker.speak(request("cold"))
        await until(lambda: engine.steps == [("cold", -1)])
        loading.set_exception(Overloaded("no room"))
        with pytest.raises(Overloaded, match="no room"):
            await anext(cold)
        assert sum([len(piece.samples) async for piece in worker.speak(request("x"))]) == 1000

    with_worker(engine, scenario)


def test_all_work_is_done_on_one_thread() -> None:
    engine = FakeEngine()

    async def scenario(worker: EngineWorker) -> None:
        await asyncio.gather(*(drain(worker, f"r{i}") for i in range(5)))
        assert engine.threads == {"tts-fake"}

    async def drain(worker: EngineWorker, text: str) -> None:
        async for _ in worker.speak(request(text)):
            pass

    with_worker(engine, scenario)


def test_an_unread_stream_rests_and_others_do_not_wait_for_it() -> None:
    engine = FakeEngine(piece_samples=(600,) * 4)

    async def scenario(worker: EngineWorker) -> None:
        unread = worker.speak(request("unread"))
        await until(lambda: len(engine.steps) == 2)
        async for _ in worker.speak(request("read")):
            pass
        assert [step for step in engine.steps if step[0] == "unread"] == [
            ("unread", 0),
            ("unread", 1),
        ]
        assert sum([len(piece.samples) async for piece in unread]) == 2400

    with_worker(engine, scenario, ahead_s=1.0)


def test_a_request_cancelled_before_its_turn_is_never_begun() -> None:
    engine = FakeEngine(piece_samples=(10, 10), gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker) -> None:
        first, second = worker.speak(request("first")), worker.speak(request("second"))
        await second.aclose()
        engine.gate.release(100)
        async for _ in first:
            pass
        async for _ in worker.speak(request("third")):
            pass
        assert {text for text, _ in engine.steps} == {"first", "third"}

    with_worker(engine, scenario)


def test_stopping_ends_every_stream_with_an_error() -> None:
    engine = FakeEngine(piece_samples=(10, 10), gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker) -> None:
        speeches = [worker.speak(request(f"r{i}")) for i in range(3)]
        stopping = asyncio.create_task(worker.stop(), name="stop")
        await asyncio.sleep(0)
        engine.gate.release(100)
        await stopping
        for speech in speeches:
            with pytest.raises(EngineFailed, match="has stopped"):
                async for _ in speech:
                    pass
        with pytest.raises(EngineFailed, match="has stopped"):
            worker.speak(request("late"))

    with_worker(engine, scenario)


def test_an_engine_that_does_not_build_says_why_and_leaves_no_thread() -> None:
    def build() -> FakeEngine:
        raise ImportError("install the extra")

    async def run() -> None:
        worker = EngineWorker("broken", build, ahead_s=1)
        with pytest.raises(ImportError, match="install the extra"):
            await worker.start()
        await worker.stop()
        assert "tts-broken" not in {thread.name for thread in threading.enumerate()}

    asyncio.run(run())


def test_an_engine_without_a_last_piece_is_a_failure() -> None:
    class Endless(FakeEngine):
        def _pieces(self, request_):
            yield from (piece for piece in super()._pieces(request_) if not piece.is_last)

    async def scenario(worker: EngineWorker) -> None:
        with pytest.raises(EngineFailed, match="without a last piece"):
            async for _ in worker.speak(request("x")):
                pass

    with_worker(Endless(), scenario)
