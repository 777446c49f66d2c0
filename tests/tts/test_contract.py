"""What every door of the TTS service promises, with a scripted engine behind it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace

import pytest

from tests.tts.doors import Door, in_process, over_grpc, over_grpc_mutual_tls, over_grpc_tls
from tests.tts.fake_engine import RATE_HZ, VOICES, FakeEngine, ramp_pcm
from tests.tts.rest import over_rest
from tests.tts.sockets import over_websocket
from tts.config import AudioConfig, ChunksConfig, LimitsConfig, ServiceConfig
from tts.errors import (
    BadRequest,
    EngineFailed,
    Overloaded,
    TextTooLong,
    TtsError,
    VoiceNotFound,
)
from tts.types import SpeechChunk, SynthesisRequest

Open = Callable[[FakeEngine, ServiceConfig], AbstractAsyncContextManager[Door]]
CONFIG = ServiceConfig(
    limits=LimitsConfig(
        max_text_chars=40, max_streams=2, max_queued=1, max_wait_s=0.2, ahead_s=1.0
    ),
    chunks=ChunksConfig(first_ms=40, next_ms=200),
)
REQUEST = SynthesisRequest("Hello there, Ann.", "ann", "en")


REMOTE = [over_grpc, over_grpc_tls, over_grpc_mutual_tls, over_rest, over_websocket]


@pytest.fixture(
    params=[in_process, *(pytest.param(door, marks=pytest.mark.real) for door in REMOTE)]
)
def open_door(request: pytest.FixtureRequest) -> Open:
    return request.param


async def collect(chunks: AsyncIterator[SpeechChunk]) -> list[SpeechChunk]:
    return [chunk async for chunk in chunks]


async def until(condition: Callable[[], bool]) -> None:
    """Give other tasks and threads turns until it holds; a deadlock fails in 10 s."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - threads set it
            await asyncio.sleep(0.005)


def test_chunks_follow_each_other_without_gap_and_the_last_is_final(open_door: Open) -> None:
    async def scenario() -> None:
        async with open_door(FakeEngine(), CONFIG) as door:
            chunks = await collect(door.stream(REQUEST))
        assert b"".join(chunk.pcm for chunk in chunks) == ramp_pcm(1000)
        lengths = [len(chunk.pcm) // 2 for chunk in chunks]
        assert lengths == [40, 200, 260, 200, 100, 200]
        starts = [chunk.first_sample for chunk in chunks]
        assert starts == [sum(lengths[:i]) for i in range(len(lengths))]
        assert [chunk.is_final for chunk in chunks] == [False] * 5 + [True]
        assert {(chunk.sample_rate_hz, chunk.voice) for chunk in chunks} == {(RATE_HZ, "ann")}

    asyncio.run(scenario())


def test_each_mark_comes_once_in_order_with_the_piece_that_says_it(open_door: Open) -> None:
    async def scenario() -> None:
        async with open_door(FakeEngine(), CONFIG) as door:
            chunks = await collect(door.stream(REQUEST))
        marks = [mark for chunk in chunks for mark in chunk.marks]
        spoken = [REQUEST.text[mark.text_start : mark.text_end] for mark in marks]
        assert spoken == ["Hello", "there", "Ann"]
        assert [len(chunk.marks) for chunk in chunks] == [2, 0, 0, 1, 0, 0]
        assert [mark.kind for mark in marks] == ["word"] * 3
        assert marks[-1].end_s == 1.0

    asyncio.run(scenario())


def test_synthesize_is_the_stream_in_one_chunk(open_door: Open) -> None:
    async def scenario() -> None:
        async with open_door(FakeEngine(), CONFIG) as door:
            chunks = await collect(door.stream(REQUEST))
            chunk = await door.synthesize(REQUEST)
        assert chunk.pcm == b"".join(part.pcm for part in chunks)
        assert chunk.marks == tuple(mark for part in chunks for mark in part.marks)
        assert (chunk.first_sample, chunk.is_final) == (0, True)

    asyncio.run(scenario())


def test_voices_are_those_of_the_engine(open_door: Open) -> None:
    async def scenario() -> None:
        async with open_door(FakeEngine(), CONFIG) as door:
            assert await door.voices() == VOICES

    asyncio.run(scenario())


def test_audio_comes_at_the_configured_rate_and_voices_say_so(open_door: Open) -> None:
    async def scenario() -> None:
        config = CONFIG.model_copy(update={"audio": AudioConfig(sample_rate_hz=8000)})
        async with open_door(FakeEngine(), config) as door:
            chunks = await collect(door.stream(REQUEST))
            voices = await door.voices()
        assert {voice.sample_rate_hz for voice in voices} == {8000}
        assert {chunk.sample_rate_hz for chunk in chunks} == {8000}
        assert sum(len(chunk.pcm) // 2 for chunk in chunks) == 8 * 1000
        assert [mark.end_s for chunk in chunks for mark in chunk.marks][-1] == 1.0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (SynthesisRequest("", "ann", "en"), BadRequest, ["text", "''"]),
        (SynthesisRequest(" ?! ", "ann", "en"), BadRequest, ["text", "letter or digit"]),
        (SynthesisRequest("a" * 41, "ann", "en"), TextTooLong, ["41", "40"]),
        (SynthesisRequest("hi", "eve", "en"), VoiceNotFound, ["'eve'", "ann", "bob"]),
        (SynthesisRequest("hi", "bob", "zh"), BadRequest, ["language", "'zh'", "en"]),
        (SynthesisRequest("hi", "ann", "en", emotion="sad"), BadRequest, ["'sad'", "calm, happy"]),
        (SynthesisRequest("hi", "bob", "en", emotion="sad"), BadRequest, ["'bob'", "none to"]),
        (SynthesisRequest("hi", "ann", "en", 2.5), BadRequest, ["speed", "2.5", "0.5 to 2.0"]),
        (SynthesisRequest("hi", "ann", "en", float("nan")), BadRequest, ["speed", "nan"]),
        (SynthesisRequest("hi", "v" * 999, "en"), VoiceNotFound, ["vvv…"]),
        (
            SynthesisRequest("hi", "ann", "en", marks=("viseme", "smile")),
            BadRequest,
            ["marks", "'smile'", "word, phone, viseme"],
        ),
        (SynthesisRequest("hi", "ann", "en", seed=-1), BadRequest, ["seed", "-1", "0 to"]),
        (SynthesisRequest("hi", "ann", "en", top_k=0), BadRequest, ["top_k", "0", "1 to 1025"]),
        (SynthesisRequest("hi", "ann", "en", top_p=1.5), BadRequest, ["top_p", "1.5", "0 to 1"]),
        (
            SynthesisRequest("hi", "ann", "en", temperature=5.5),
            BadRequest,
            ["temperature", "5.5", "0 to 5"],
        ),
        (
            SynthesisRequest("hi", "ann", "en", repetition_penalty=0.01),
            BadRequest,
            ["repetition_penalty", "0.01", "0.1 to 10"],
        ),
    ],
)
def test_a_bad_request_names_field_value_and_what_is_allowed(
    open_door: Open, request_: SynthesisRequest, error: type[TtsError], words: list[str]
) -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with open_door(engine, CONFIG) as door:
            with pytest.raises(TtsError) as caught:
                await collect(door.stream(request_))
            with pytest.raises(error):
                await door.synthesize(request_)
        assert type(caught.value) is error
        assert [word for word in words if word not in str(caught.value)] == []
        assert engine.steps == []

    asyncio.run(scenario())


def test_how_a_request_is_to_be_sampled_reaches_the_engine(open_door: Open) -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        asked = replace(
            REQUEST, seed=2**63 - 1, top_k=1025, top_p=0.5, temperature=0.0, repetition_penalty=1.5
        )
        async with open_door(engine, CONFIG) as door:
            await collect(door.stream(asked))
            await collect(door.stream(REQUEST))
        fields = ("seed", "top_k", "top_p", "temperature", "repetition_penalty")
        sampled = [tuple(getattr(one, field) for field in fields) for one in engine.asked]
        assert sampled == [(2**63 - 1, 1025, 0.5, 0.0, 1.5), (None,) * 5]

    asyncio.run(scenario())


def test_an_engine_that_fails_in_the_middle_fails_the_stream_after_its_audio(
    open_door: Open,
) -> None:
    async def scenario() -> None:
        received: list[SpeechChunk] = []
        async with open_door(FakeEngine(fails_at=1), CONFIG) as door:
            with pytest.raises(EngineFailed, match="scripted"):
                async for chunk in door.stream(REQUEST):
                    received.append(chunk)
        assert sum(len(chunk.pcm) for chunk in received) == 1000
        assert not any(chunk.is_final for chunk in received)

    asyncio.run(scenario())


def test_an_engine_that_raises_anything_is_an_engine_failure(open_door: Open) -> None:
    async def scenario() -> None:
        engine = FakeEngine(fails_at=0, error=KeyError("x"))
        async with open_door(engine, CONFIG) as door:
            with pytest.raises(EngineFailed, match="KeyError"):
                await collect(door.stream(REQUEST))
            engine.fails_at = None
            assert (await door.synthesize(REQUEST)).pcm == ramp_pcm(1000)

    asyncio.run(scenario())


def test_closing_a_stream_stops_the_engine_within_a_step(open_door: Open) -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with open_door(engine, CONFIG) as door:
            async with aclosing(door.stream(REQUEST)) as chunks:
                gate.release()
                await anext(chunks)
            await until(lambda: door.service.streams == 0)
            # The step that was waiting when the stream was closed may still end; no later one.
            gate.release(50)
            await until(lambda: engine.dropped == [REQUEST.text])
        assert len(engine.steps) <= 2

    asyncio.run(scenario())


def test_cancelling_the_reader_stops_the_engine_within_a_step(open_door: Open) -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with open_door(engine, CONFIG) as door:
            gate.release()
            reader = asyncio.create_task(collect(door.stream(REQUEST)), name="reader")
            await until(lambda: len(engine.steps) == 1)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await until(lambda: door.service.streams == 0)
            gate.release(50)
            await until(lambda: engine.dropped == [REQUEST.text])
        assert len(engine.steps) <= 2

    asyncio.run(scenario())


def test_a_reader_that_stops_reading_costs_a_bounded_amount_of_work() -> None:
    """In process only: over gRPC the transport's own window comes on top."""

    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(600,) * 50)
        async with in_process(engine, CONFIG) as door, aclosing(door.stream(REQUEST)) as chunks:
            await anext(chunks)
            await until(lambda: len(engine.steps) == 3)
            await asyncio.sleep(0.05)
            # 600 samples are being read; 1200 wait, more than the second that is allowed.
            assert len(engine.steps) == 3
            assert sum([len(chunk.pcm) // 2 async for chunk in chunks]) == 50 * 600 - 40

    asyncio.run(scenario())


def test_more_streams_than_allowed_are_refused_and_the_running_ones_finish(
    open_door: Open,
) -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100, 100), gate=gate)
        async with open_door(engine, CONFIG) as door:
            running = [
                asyncio.create_task(collect(door.stream(REQUEST)), name=f"r{i}") for i in range(2)
            ]
            await until(lambda: door.service.streams == 2)
            waiting = [
                asyncio.create_task(collect(door.stream(REQUEST)), name=f"w{i}") for i in range(2)
            ]
            refused = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(error) for error in refused] == [Overloaded, Overloaded]
            # One found the queue full, the other waited its time in it.
            assert sorted("waiting" in str(error) for error in refused) == [False, True]
            # When to try again crosses every wire, in whole seconds.
            assert [error.retry_after_s for error in refused if isinstance(error, TtsError)] == [
                1.0,
                1.0,
            ]
            gate.release(100)
            finished = await asyncio.gather(*running)
            assert [len(b"".join(c.pcm for c in chunks)) for chunks in finished] == [400, 400]
            assert len((await door.synthesize(REQUEST)).pcm) == 400

    asyncio.run(scenario())


def test_a_waiting_stream_begins_when_another_ends(open_door: Open) -> None:
    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100,))
        async with open_door(engine, CONFIG) as door:
            three = await asyncio.gather(*(door.synthesize(REQUEST) for _ in range(3)))
        assert [len(chunk.pcm) for chunk in three] == [200, 200, 200]

    asyncio.run(scenario())


@pytest.mark.parametrize("emotion", ["", "calm", "happy"])
def test_the_emotion_reaches_the_engine(open_door: Open, emotion: str) -> None:
    async def scenario() -> None:
        engine = FakeEngine()
        async with open_door(engine, CONFIG) as door:
            await door.synthesize(replace(REQUEST, emotion=emotion))
        assert engine.emotions[-1] == emotion

    asyncio.run(scenario())


def test_noise_characters_do_not_move_marks(open_door: Open) -> None:
    async def scenario() -> None:
        text = "Hi\u200b \x00Ann"
        engine = FakeEngine()
        async with open_door(engine, CONFIG) as door:
            chunk = await door.synthesize(SynthesisRequest(text, "ann", "en"))
        assert engine.steps[0][0] == "Hi   Ann"
        assert [text[m.text_start : m.text_end] for m in chunk.marks] == ["Hi", "Ann"]

    asyncio.run(scenario())
