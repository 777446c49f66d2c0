"""The owner thread: turns, bounds, cancelling, ending."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from tests.tts.fake_engine import FakeEngine
from tests.tts.test_contract import until
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed
from tts.types import SynthesisRequest


def request(text: str) -> SynthesisRequest:
    return SynthesisRequest(text, "ann", "en")


def with_worker(
    engine: FakeEngine, scenario: Callable[[EngineWorker], Awaitable[None]], ahead_s: float = 60
) -> None:
    async def run() -> None:
        worker = EngineWorker("fake", lambda: engine, ahead_s=ahead_s)
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
            ("old", 2),
            ("new", 1),
            ("newer", 1),
            ("new", 2),
            ("newer", 2),
        ]

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
