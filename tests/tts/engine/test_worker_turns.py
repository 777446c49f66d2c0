"""The owner thread with an engine that gives works: batches, cancels, errors, playback, waste."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from tests.tts.test_contract import until
from tests.tts.working_engine import WorkingEngine
from tts.config import SchedulerConfig
from tts.engine.speech import Speech
from tts.engine.types import Kind
from tts.engine.worker import EngineWorker
from tts.errors import EngineFailed
from tts.types import SynthesisRequest

PREFILL, TOKEN, SOUND = Kind


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def request(text: str) -> SynthesisRequest:
    return SynthesisRequest(text, "ann", "en")


def with_worker(
    engine: WorkingEngine,
    scenario: Callable[[EngineWorker, Clock], Awaitable[None]],
    *,
    rest_s: float = 60,
) -> None:
    async def run() -> None:
        clock = Clock()
        config = SchedulerConfig(rest_s=rest_s, most_together=8)
        worker = EngineWorker("working", lambda: engine, ahead_s=60, config=config, clock=clock)
        await worker.start()
        try:
            await scenario(worker, clock)
        finally:
            if engine.gate is not None:
                engine.gate.release(1000)
            await worker.stop()
        assert engine.closed
        assert worker.spent.steps_after_cancel == 0

    asyncio.run(run())


async def samples_of(speech: Speech) -> int:
    async with asyncio.timeout(10):
        return sum([len(piece.samples) async for piece in speech])


def test_new_requests_come_to_their_audio_one_after_the_other() -> None:
    engine = WorkingEngine(piece_samples=(10,), tokens=3, gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        holder = worker.speak(request("x"))
        await until(lambda: len(engine.entered) == 1)
        speeches = [worker.speak(request(text)) for text in ("a1", "a2", "b1")]
        engine.gate.release(100)
        assert [await samples_of(one) for one in (holder, *speeches)] == [10, 10, 10, 10]
        assert engine.entered == [
            *((kind, ("x",)) for kind in (PREFILL, TOKEN, TOKEN, TOKEN, SOUND)),
            *((kind, ("a1",)) for kind in (PREFILL, TOKEN, TOKEN, TOKEN, SOUND)),
            *((kind, ("a2",)) for kind in (PREFILL, TOKEN, TOKEN, TOKEN, SOUND)),
            *((kind, ("b1",)) for kind in (PREFILL, TOKEN, TOKEN, TOKEN, SOUND)),
        ]

    with_worker(engine, scenario)


def test_tokens_of_a_stream_join_those_of_a_new_request_of_the_same_model() -> None:
    engine = WorkingEngine(piece_samples=(500, 500), gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        old, other = worker.speak(request("a old")), worker.speak(request("b old"))
        engine.gate.release(8)
        await until(lambda: len(engine.entered) == 9)
        # Both have audio; the next token of one waits at the gate.
        new = worker.speak(request("a new"))
        engine.gate.release(100)
        assert [await samples_of(one) for one in (old, other, new)] == [1000, 1000, 1000]
        runs = engine.entered[9:]
        assert runs[0] == (PREFILL, ("a new",))
        assert runs[1] == (TOKEN, ("a new", "a old"))
        assert {names for kind, names in runs if kind is TOKEN and len(names) > 1} == {
            ("a new", "a old")
        }

    with_worker(engine, scenario)


def test_after_a_cancel_nothing_more_is_done_for_a_member_of_a_batch() -> None:
    engine = WorkingEngine(piece_samples=(500,) * 3, gate=threading.Semaphore(0))

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        one, two = worker.speak(request("a1")), worker.speak(request("a2"))
        engine.gate.release(9)
        await until(lambda: len(engine.entered) == 10)
        assert engine.entered[9] == (TOKEN, ("a2", "a1"))
        await two.aclose()
        resumed = engine.resumed.count("a2")
        engine.gate.release(100)
        assert await samples_of(one) == 1500
        # The step that was under way ended; the request was not even asked on after it.
        assert [names for _, names in engine.entered[10:] if "a2" in names] == []
        assert engine.resumed.count("a2") == resumed
        assert engine.dropped == ["a2"]

    with_worker(engine, scenario)


def test_a_batch_that_fails_fails_its_members_only() -> None:
    engine = WorkingEngine(
        piece_samples=(500, 500),
        gate=threading.Semaphore(0),
        fails=lambda kind, texts: kind is TOKEN and set(texts) == {"a1", "a2"},
    )

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        speeches = [worker.speak(request(text)) for text in ("a1", "a2", "b1")]
        engine.gate.release(1000)
        for speech in speeches[:2]:
            with pytest.raises(EngineFailed, match="engine working failed: RuntimeError: scripted"):
                await samples_of(speech)
        assert await samples_of(speeches[2]) == 1000
        assert await samples_of(worker.speak(request("a3"))) == 1000

    with_worker(engine, scenario)


def test_what_a_work_raises_is_raised_where_its_owner_waits_for_it() -> None:
    failed: list[str] = []

    def once(kind: Kind, texts: Sequence[str]) -> bool:
        failed.extend(texts)
        return len(failed) == 1

    engine = WorkingEngine(piece_samples=(10, 10), fails=once, survives=True)

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        assert await samples_of(worker.speak(request("a"))) == 20

    with_worker(engine, scenario)


def test_a_stream_that_would_run_dry_goes_before_a_new_request() -> None:
    clocks: list[Clock] = []

    def pass_time(kind: Kind) -> None:
        clocks[0].now_s += {PREFILL: 0.3, TOKEN: 0.01, SOUND: 0.05}[kind]

    engine = WorkingEngine(
        piece_samples=(200, 900, 900), gate=threading.Semaphore(0), seconds=pass_time
    )

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        clocks.append(clock)
        old = worker.speak(request("a old"))
        engine.gate.release(4)
        await until(lambda: len(engine.entered) == 5)
        new = worker.speak(request("b new"))
        engine.gate.release(100)
        assert [await samples_of(one) for one in (old, new)] == [2000, 2000]
        # With 0.2 s of audio "old" cannot wait for a prefill of 0.3 s; with 0.9 s more it can.
        assert engine.entered[4:8] == [
            (TOKEN, ("a old",)),
            (TOKEN, ("a old",)),
            (SOUND, ("a old",)),
            (PREFILL, ("b new",)),
        ]
        assert (old.underruns, new.underruns) == (0, 0)

    with_worker(engine, scenario)


def test_a_stream_far_ahead_of_its_playback_rests_until_it_is_played() -> None:
    engine = WorkingEngine(piece_samples=(600,) * 4)

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        speech = worker.speak(request("a"))
        await until(lambda: sum(kind is SOUND for kind, _ in engine.entered) == 2)
        whole = worker.speak(request("b"), played=False)
        # Whoever wants the whole audio need not wait for playback; 1.2 s ahead, "a" rests.
        assert await samples_of(whole) == 2400
        assert sum((SOUND, ("a",)) == run for run in engine.entered) == 2
        clock.now_s += 0.5
        await until(lambda: sum((SOUND, ("a",)) == run for run in engine.entered) == 3)
        clock.now_s += 10
        assert await samples_of(speech) == 2400
        # Time stood still between: nothing came late but the piece after those 10 s.
        assert speech.underruns == 1

    with_worker(engine, scenario, rest_s=1.0)


def test_an_engine_is_told_its_pace_and_what_work_costs() -> None:
    clocks: list[Clock] = []

    def pass_time(kind: Kind) -> None:
        clocks[0].now_s += {PREFILL: 0.5, TOKEN: 0.25, SOUND: 0.125}[kind]

    engine = WorkingEngine(
        piece_samples=(2000, 2000), gate=threading.Semaphore(0), seconds=pass_time
    )

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        clocks.append(clock)
        speech = worker.speak(request("a"))
        await until(lambda: len(engine.entered) == 1)
        pace = engine.paces["a"]
        assert (pace.ahead_s(), pace.cost_s(PREFILL, 1)) == (None, 0.0)
        engine.gate.release(4)
        await until(lambda: len(engine.entered) == 5)
        assert [pace.cost_s(kind, 1) for kind in Kind] == [0.5, 0.25, 0.125]
        assert pace.cost_s(SOUND, 3) == 3 * 0.125
        assert pace.ahead_s() == 2.0
        clock.now_s += 0.5
        assert pace.ahead_s() == 1.5
        engine.gate.release(100)
        assert await samples_of(speech) == 4000

    with_worker(engine, scenario)


def test_engine_time_spent_on_audio_that_was_not_heard_is_counted_as_wasted() -> None:
    clocks: list[Clock] = []

    def pass_time(kind: Kind) -> None:
        clocks[0].now_s += 0.25

    engine = WorkingEngine(
        piece_samples=(4000, 4000), tokens=1, gate=threading.Semaphore(0), seconds=pass_time
    )

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        clocks.append(clock)
        speech = worker.speak(request("a"))
        engine.gate.release(4)
        await anext(speech)
        await until(lambda: len(engine.entered) == 5)
        # 0.75 s went into the first 4 s of audio, 0.25 s into the next; of those 4 s one was heard
        # besides the 0.25 s that passed while the engine worked on.
        clock.now_s += 0.75
        assert (speech.spent_s(), speech.wasted_s()) == (1.0, 0.25)
        await speech.aclose()
        assert speech.wasted_s() == 0.25 + 0.75 * 3 / 4
        assert worker.spent.streams == 0
        engine.gate.release(1)
        await until(lambda: worker.spent.streams == 1)
        # The step under way, of 1 s, was for nothing too.
        assert (worker.spent.spent_s, worker.spent.wasted_s) == (2.0, 1.25 + 0.5625)
        engine.gate.release(100)
        other = worker.speak(request("b"))
        assert await samples_of(other) == 8000
        await other.aclose()
        assert other.wasted_s() == 0
        assert worker.spent.streams == 2
        assert (worker.spent.spent_s, worker.spent.wasted_s) == (3.25, 1.8125)

    with_worker(engine, scenario)


def test_audio_that_nobody_read_is_wasted() -> None:
    def pass_time(kind: Kind) -> None:
        clocks[0].now_s += 0.25

    clocks: list[Clock] = []
    engine = WorkingEngine(piece_samples=(100, 100), tokens=1, seconds=pass_time)

    async def scenario(worker: EngineWorker, clock: Clock) -> None:
        clocks.append(clock)
        speech = worker.speak(request("a"))
        await anext(speech)
        await until(lambda: len(engine.entered) == 5)
        await until(lambda: speech.made_samples == 200)
        await speech.aclose()
        assert (worker.spent.streams, worker.spent.spent_s, worker.spent.wasted_s) == (1, 1.25, 0.5)

    with_worker(engine, scenario)
