"""The service with a cache: what is spoken once, what is spoken again, what is never kept."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from tests.tts.audio_cache.recordings import KEYS, recording
from tests.tts.fake_engine import RATE_HZ, VOICES, FakeEngine, builders, ramp_pcm
from tests.tts.test_contract import collect, until
from tts.audio_cache import cache as cache_module
from tts.audio_cache.cache import UNDER_WAY_BYTES, AudioCache
from tts.audio_cache.disk import DiskCache
from tts.audio_cache.phrases import Phrase
from tts.config import CacheConfig, ChunksConfig, LimitsConfig, ServiceConfig
from tts.context import CallContext, Caller
from tts.errors import EngineFailed, RateLimited
from tts.service import SynthesisService
from tts.types import SynthesisRequest

ANN = replace(VOICES[0], state="1")
BOB = replace(VOICES[1], state="1")
HELLO = SynthesisRequest("Hello there, Ann.", "ann", "en")
BYE = SynthesisRequest("Good bye.", "ann", "en")
STEPS = [0, 1, 2]


def engine(**changes: Any) -> FakeEngine:
    return FakeEngine(**{"voices": (ANN, BOB), **changes})


@asynccontextmanager
async def running(speaks: FakeEngine, **cache: Any) -> AsyncIterator[SynthesisService]:
    config = ServiceConfig(
        limits=LimitsConfig(max_streams=2, max_queued=0, ahead_s=1.0),
        chunks=ChunksConfig(first_ms=40, next_ms=200),
        cache=CacheConfig(**cache),
    )
    gate, speaks.gate = speaks.gate, None
    service = SynthesisService(config, builders(speaks))
    try:
        await service.start()
        speaks.gate = gate
        speaks.forget()
        yield service
    finally:
        if gate is not None:
            gate.release(1000)
        await service.stop()


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    sink = logger.add(
        lambda message: records.append(
            {"message": message.record["message"], **message.record["extra"]}
        )
    )
    yield records
    logger.remove(sink)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def on_disk(service: SynthesisService, written: int) -> None:
    """Until so many files were written."""
    await until(lambda: service.cache.counts.writes == written)


def test_what_is_asked_for_again_is_the_same_and_makes_no_engine_step() -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks) as service:
            first = await collect(service.stream(HELLO))
            again = await collect(service.stream(HELLO))
            whole = await service.synthesize(HELLO)
            counts = service.cache.counts
        assert speaks.steps == [(HELLO.text, number) for number in STEPS]
        assert b"".join(chunk.pcm for chunk in again) == ramp_pcm(1000)
        assert [m for c in again for m in c.marks] == [m for c in first for m in c.marks]
        assert (whole.pcm, whole.is_final, whole.voice) == (ramp_pcm(1000), True, "ann")
        # As long as a live stream's that has all of it at once.
        assert [len(chunk.pcm) // 2 for chunk in again] == [40, 200, 200, 200, 200, 160]
        assert {chunk.cached for chunk in first} == {False}
        assert {chunk.cached for chunk in [*again, whole]} == {True}
        assert (counts.memory_hits, counts.disk_hits, counts.misses) == (2, 0, 1)

    asyncio.run(scenario())


def test_what_was_spoken_whole_is_streamed_and_what_was_streamed_is_whole() -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks) as service:
            whole = await service.synthesize(HELLO)
            chunks = await collect(service.stream(HELLO))
        assert [number for _, number in speaks.steps] == STEPS
        assert b"".join(chunk.pcm for chunk in chunks) == whole.pcm
        assert tuple(m for c in chunks for m in c.marks) == whole.marks

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "other",
    [
        replace(HELLO, text="Hello there, Ann!"),
        replace(HELLO, voice="bob"),
        replace(HELLO, language="zh"),
        replace(HELLO, speed=1.5),
        replace(HELLO, emotion="happy"),
        replace(HELLO, seed=7),
        replace(HELLO, temperature=0.1),
        replace(HELLO, marks=("phone",)),
    ],
    ids=["text", "voice", "language", "speed", "emotion", "seed", "temperature", "marks"],
)
def test_another_request_is_spoken(other: SynthesisRequest) -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks) as service:
            await service.synthesize(HELLO)
            assert not (await service.synthesize(other)).cached
            assert [number for _, number in speaks.steps] == STEPS * 2

    asyncio.run(scenario())


def test_a_voice_that_is_made_of_something_else_speaks_anew(tmp_path: Path) -> None:
    async def scenario() -> None:
        for state, is_cached in [("1", False), ("1", True), ("2", False), ("1", True)]:
            voice = replace(ANN, state=state)
            async with running(engine(voices=(voice,)), dir=tmp_path) as service:
                assert (await service.synthesize(HELLO)).cached is is_cached

    asyncio.run(scenario())


def test_a_voice_that_does_not_say_what_it_is_made_of_is_not_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        speaks = engine(voices=VOICES)
        async with running(speaks, dir=tmp_path) as service:
            for _ in range(2):
                assert not (await service.synthesize(HELLO)).cached
            assert service.cache.counts.misses == 0
        assert files(tmp_path) == []

    asyncio.run(scenario())


def test_without_memory_and_folder_nothing_is_kept() -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks, memory_mb=0) as service:
            for _ in range(2):
                assert not (await service.synthesize(HELLO)).cached

    asyncio.run(scenario())


def test_the_folder_outlives_the_service_and_what_is_found_there_comes_to_memory(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with running(engine(), dir=tmp_path) as service:
            first = await service.synthesize(HELLO)
        speaks = engine()
        async with running(speaks, dir=tmp_path) as service:
            again = [await service.synthesize(HELLO) for _ in range(2)]
            counts = service.cache.counts
        assert speaks.steps == []
        assert [replace(one, cached=False) for one in again] == [first] * 2
        assert (counts.memory_hits, counts.disk_hits, counts.misses) == (1, 1, 0)
        assert counts.memory_bytes == 2000 + 3 * 300
        assert counts.disk_bytes == sum(path.stat().st_size for path in files(tmp_path))

    asyncio.run(scenario())


def test_without_memory_the_folder_serves(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(engine(), dir=tmp_path, memory_mb=0) as service:
            first = await service.synthesize(HELLO)
            await on_disk(service, 1)
            again = await service.synthesize(HELLO)
            assert replace(again, cached=False) == first
            assert (service.cache.counts.disk_hits, service.cache.counts.memory_bytes) == (1, 0)

    asyncio.run(scenario())


def test_no_text_is_written(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(engine(), dir=tmp_path) as service:
            await service.synthesize(HELLO)
        (file,) = files(tmp_path)
        data = file.read_bytes()
        assert [word for word in (b"Hello", b"there", b"Ann") if word in data] == []

    asyncio.run(scenario())


def test_a_damaged_file_is_spoken_anew_and_written_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running(engine(), dir=tmp_path) as service:
            first = await service.synthesize(HELLO)
        (file,) = files(tmp_path)
        whole = file.read_bytes()
        file.write_bytes(whole[:-1] + b"\xff")
        async with running(engine(), dir=tmp_path) as service:
            assert await service.synthesize(HELLO) == first
            assert service.cache.counts.damaged == 1
        async with running(engine(), dir=tmp_path) as service:
            assert replace(await service.synthesize(HELLO), cached=False) == first

    asyncio.run(scenario())


def test_a_folder_that_cannot_be_had_costs_one_warning_and_no_request(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    async def scenario() -> None:
        folder = tmp_path / "kept"
        folder.write_bytes(b"a file where the folder should be")
        async with running(engine(), dir=folder) as service:
            for request in (HELLO, BYE, HELLO):
                assert len((await service.synthesize(request)).pcm) == 2000
        warned = [line for line in lines if "not kept" in line["message"]]
        assert [line["reason"] for line in warned] == ["File exists"]

    asyncio.run(scenario())


def test_a_folder_that_hangs_costs_one_warning_and_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    async def scenario() -> None:
        hangs, asked = threading.Event(), []

        def read(_: DiskCache, key: str) -> None:
            asked.append(key)
            hangs.wait(10)

        monkeypatch.setattr(DiskCache, "read", read)
        monkeypatch.setattr(cache_module, "LOOK_S", 0.05)
        try:
            async with running(engine(), dir=tmp_path) as service:
                await asyncio.gather(service.synthesize(HELLO), service.synthesize(BYE))
                # Memory serves on, and the folder is left in peace.
                assert (await service.synthesize(HELLO)).cached
                assert not (await service.synthesize(replace(HELLO, seed=1))).cached
                assert len(asked) == 2
        finally:
            hangs.set()
        assert len([line for line in lines if "does not answer" in line["message"]]) == 1

    asyncio.run(scenario())


def test_a_stream_that_is_cut_off_keeps_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        speaks = engine(gate=threading.Semaphore(0))
        assert speaks.gate is not None

        def stepped(steps: int) -> bool:
            return len(speaks.steps) >= steps

        async with running(speaks, dir=tmp_path) as service:
            for cut in ("closed", "cancelled"):
                speaks.gate.release(2)
                stream = service.stream(HELLO)
                if cut == "closed":
                    for _ in range(4):
                        await anext(stream)
                    await stream.aclose()
                else:
                    task = asyncio.create_task(collect(stream), name="reader")
                    steps = len(speaks.steps)
                    await until(partial(stepped, steps + 2))
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                await until(lambda: service.streams == 0)
                speaks.gate.release(1)  # the step that waits at the gate
            assert service.cache.counts.memory_bytes == 0
            assert service.cache.may_hold(0, RATE_HZ, UNDER_WAY_BYTES)
        assert files(tmp_path) == []

    asyncio.run(scenario())


def test_a_stream_that_fails_keeps_nothing() -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks) as service:
            speaks.fails_at = 2
            with pytest.raises(EngineFailed):
                await collect(service.stream(HELLO))
            speaks.fails_at = None
            assert not (await service.synthesize(HELLO)).cached
            assert (await service.synthesize(HELLO)).cached

    asyncio.run(scenario())


def test_probes_patient_callers_and_texts_that_are_being_written_are_not_kept() -> None:
    async def scenario() -> None:
        async def texts() -> AsyncIterator[str]:
            yield " And more."

        async with running(engine()) as service:
            await service.probe()
            await service.synthesize(HELLO, CallContext(patient=True))
            await collect(service.stream_text(HELLO, texts()))
            assert service.cache.counts.memory_bytes == 0
            # But a patient caller is served of it.
            await service.synthesize(HELLO)
            assert (await service.synthesize(HELLO, CallContext(patient=True))).cached

    asyncio.run(scenario())


def test_audio_that_is_too_long_is_spoken_and_not_kept() -> None:
    async def scenario() -> None:
        for longest_s, is_kept in ((0.999, False), (1.0, True)):
            async with running(engine(), longest_s=longest_s) as service:
                chunks = await collect(service.stream(HELLO))
                assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)
                assert (await service.synthesize(HELLO)).cached is is_kept

    asyncio.run(scenario())


def test_a_hit_takes_no_stream_of_the_gate_but_counts_for_its_caller() -> None:
    async def scenario() -> None:
        speaks = engine(gate=threading.Semaphore(0))
        assert speaks.gate is not None
        async with running(speaks) as service:
            speaks.gate.release(3)
            await service.synthesize(HELLO)
            busy = [
                asyncio.create_task(collect(service.stream(replace(BYE, seed=n))), name=f"busy-{n}")
                for n in range(2)
            ]
            await until(lambda: service.streams == 2)
            caller = CallContext(caller=Caller("one", requests_per_minute=1))
            assert (await service.synthesize(HELLO, caller)).cached
            with pytest.raises(RateLimited):
                await service.synthesize(HELLO, caller)
            speaks.gate.release(1000)
            await asyncio.gather(*busy)

    asyncio.run(scenario())


def test_two_equal_requests_at_once_are_both_served() -> None:
    async def scenario() -> None:
        async with running(engine()) as service:
            both = await asyncio.gather(*(service.synthesize(HELLO) for _ in range(2)))
            assert [one.pcm for one in both] == [ramp_pcm(1000)] * 2
            again = await service.synthesize(HELLO)
            assert (again.cached, again.pcm) == (True, ramp_pcm(1000))
            assert service.cache.counts.memory_bytes == 2000 + 3 * 300

    asyncio.run(scenario())


def test_a_hit_gives_others_their_turn_between_its_chunks() -> None:
    async def scenario() -> None:
        async with running(engine()) as service:
            await service.synthesize(HELLO)
            turns = 0

            async def other() -> None:
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(other(), name="other")
            chunks = await collect(service.stream(HELLO))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert turns >= len(chunks) == 6

    asyncio.run(scenario())


def test_streams_under_way_hold_no_more_than_their_bound() -> None:
    cache = AudioCache(CacheConfig())
    assert cache.may_hold(0, RATE_HZ, UNDER_WAY_BYTES)
    with cache.recorder(KEYS[0], "ann") as recorder:
        for chunk in recording(100).chunks(10, 10):
            recorder.add(chunk)
        assert not recorder.is_kept
    cache.let_go(UNDER_WAY_BYTES)
    assert cache.counts.memory_bytes == 0
    with cache.recorder(KEYS[0], "ann") as recorder:
        for chunk in recording(100).chunks(10, 10):
            recorder.add(chunk)
        assert recorder.is_kept
    assert cache.may_hold(0, RATE_HZ, UNDER_WAY_BYTES)


def test_what_another_voice_spoke_instead_is_not_kept() -> None:
    cache = AudioCache(CacheConfig())
    with cache.recorder(KEYS[0], "bob") as recorder:
        for chunk in recording(100).chunks(10, 10):
            recorder.add(chunk)
    assert not recorder.is_kept
    assert cache.counts.memory_bytes == 0


PHRASES = (Phrase(1, HELLO), Phrase(3, BYE), Phrase(4, replace(HELLO, voice="bob")))


def prepared(lines: list[dict[str, Any]]) -> list[tuple[int, int, int]]:
    return [
        (line["made"], line["there_already"], line["left_out"])
        for line in lines
        if line["message"] == "phrases prepared"
    ]


def test_phrases_are_made_once_and_are_there_after_a_restart(
    tmp_path: Path, lines: list[dict[str, Any]]
) -> None:
    async def scenario() -> None:
        for _ in range(2):
            async with running(engine(), dir=tmp_path) as service:
                await service.prepare(PHRASES)
                for phrase in PHRASES:
                    assert (await service.synthesize(phrase.request)).cached
                assert service.cache.counts.misses == 0
        assert prepared(lines) == [(3, 0, 0), (0, 3, 0)]

    asyncio.run(scenario())


def test_phrases_that_cannot_be_made_are_told_by_line_and_the_others_are_made(
    lines: list[dict[str, Any]],
) -> None:
    async def scenario() -> None:
        async with running(engine(), longest_s=1.0) as service:
            bad = Phrase(2, replace(HELLO, voice="eve"))
            worse = Phrase(5, replace(HELLO, text="?!"))
            await service.prepare((bad, *PHRASES, worse))
        told = [(line["line"], line["reason"]) for line in lines if "left out" in line["message"]]
        assert told == [
            (2, "voice = 'eve': there are ann, bob"),
            (5, "text = '?!': it needs at least one letter or digit"),
        ]
        assert prepared(lines) == [(3, 0, 2)]

    asyncio.run(scenario())


def test_phrases_of_a_voice_that_is_not_there_are_told_once(lines: list[dict[str, Any]]) -> None:
    async def scenario() -> None:
        async with running(engine()) as service:
            bad = [Phrase(n, replace(HELLO, text=f"Hello {n}.", voice="eve")) for n in (1, 2, 3)]
            await service.prepare((*bad, *PHRASES))
        assert [line["line"] for line in lines if "left out" in line["message"]] == [1]
        assert prepared(lines) == [(3, 0, 3)]

    asyncio.run(scenario())


def test_a_phrase_that_is_too_long_to_be_kept_is_told(lines: list[dict[str, Any]]) -> None:
    async def scenario() -> None:
        async with running(engine(), longest_s=0.5) as service:
            await service.prepare(PHRASES[:1])
        told = [line["reason"] for line in lines if "left out" in line["message"]]
        assert told == ["its audio is longer than cache.longest_s allows"]

    asyncio.run(scenario())


def test_phrases_wait_while_somebody_is_served_and_give_way_to_who_comes() -> None:
    async def scenario() -> None:
        speaks = engine(gate=threading.Semaphore(0))
        assert speaks.gate is not None
        async with running(speaks) as service:
            first = asyncio.create_task(collect(service.stream(BYE)), name="first")
            await until(lambda: speaks.entered[-1] == (BYE.text, 0))
            preparing = service.prepare(PHRASES[:1], calm_s=0.02)
            task = asyncio.create_task(preparing, name="phrases")
            speaks.gate.release(3)
            await first
            # Now it is the phrase's turn; after its first step somebody else comes.
            await until(lambda: speaks.entered[-1] == (HELLO.text, 0))
            second = asyncio.create_task(
                collect(service.stream(replace(BYE, seed=1))), name="second"
            )
            await until(lambda: service.streams == 1)
            await asyncio.sleep(0)
            speaks.gate.release(1)
            await until(lambda: speaks.entered[-1] == (BYE.text, 0))
            assert speaks.dropped == [HELLO.text]
            speaks.gate.release(3)
            await second
            speaks.gate.release(3)
            await task
            assert [text for text, _ in speaks.steps] == [
                *[BYE.text] * 3,
                HELLO.text,
                *[BYE.text] * 3,
                *[HELLO.text] * 3,
            ]
            assert (await service.synthesize(HELLO)).cached

    asyncio.run(scenario())


def test_phrases_wait_for_the_next_request_of_a_conversation() -> None:
    async def scenario() -> None:
        speaks = engine(gate=threading.Semaphore(0))
        assert speaks.gate is not None
        async with running(speaks) as service:
            talking = asyncio.create_task(collect(service.stream(BYE)), name="talk")
            await until(lambda: service.streams == 1)
            task = asyncio.create_task(service.prepare(PHRASES[:1], calm_s=60), name="phrases")
            await asyncio.sleep(0)
            speaks.gate.release(1000)
            await talking
            for seed in range(20):
                await collect(service.stream(replace(BYE, seed=seed)))
                await asyncio.sleep(0)
            assert {text for text, _ in speaks.steps} == {BYE.text}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())


def test_cancelling_keeps_the_phrases_that_are_made() -> None:
    async def scenario() -> None:
        speaks = engine(gate=threading.Semaphore(0))
        assert speaks.gate is not None
        async with running(speaks) as service:
            task = asyncio.create_task(service.prepare(PHRASES), name="phrases")
            speaks.gate.release(4)
            await until(lambda: (BYE.text, 1) in speaks.entered)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            speaks.gate.release(1000)
            assert (await service.synthesize(HELLO)).cached
            assert not (await service.synthesize(BYE)).cached

    asyncio.run(scenario())


def test_an_engine_that_fails_on_a_phrase_leaves_it_out(lines: list[dict[str, Any]]) -> None:
    async def scenario() -> None:
        speaks = engine()
        async with running(speaks) as service:
            speaks.fails_at = 1
            await service.prepare(PHRASES[:2])
            speaks.fails_at = None
            async with aclosing(service.stream(HELLO)) as chunks:
                assert not (await anext(chunks)).cached
        assert prepared(lines) == [(0, 0, 2)]

    asyncio.run(scenario())


def test_the_voices_of_other_tests_say_nothing_of_themselves() -> None:
    """They ask the same twice, and count the engine's steps."""
    assert [voice.state for voice in VOICES] == ["", ""]
