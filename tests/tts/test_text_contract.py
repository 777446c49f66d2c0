"""What every door promises of a text that is spoken while it is being written."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace

import pytest

from tests.tts.doors import (
    CancellableDoor,
    Door,
    in_process,
    over_grpc,
    over_grpc_mutual_tls,
    over_grpc_tls,
)
from tests.tts.fake_engine import ramp_pcm
from tests.tts.reading_engine import WORD_SAMPLES, ReadingEngine
from tests.tts.sockets import over_websocket
from tests.tts.test_contract import CONFIG, collect, until
from tts.config import LimitsConfig, ServiceConfig
from tts.errors import (
    BadRequest,
    EngineFailed,
    TextStalled,
    TextTooLong,
    TtsError,
    VoiceNotFound,
)
from tts.service import whole
from tts.types import SpeechChunk, SynthesisRequest

Open = Callable[[ReadingEngine, ServiceConfig], AbstractAsyncContextManager[Door]]
OpenCancellable = Callable[
    [ReadingEngine, ServiceConfig], AbstractAsyncContextManager[CancellableDoor]
]
REQUEST = SynthesisRequest("", "ann", "en")
TEXT = "Good morning, Ann. How are you?"


REMOTE = [over_grpc, over_grpc_tls, over_grpc_mutual_tls]


@pytest.fixture(
    params=[
        in_process,
        *(pytest.param(door, marks=pytest.mark.real) for door in [*REMOTE, over_websocket]),
    ]
)
def open_door(request: pytest.FixtureRequest) -> Open:
    return request.param


@pytest.fixture(params=REMOTE)
def open_cancellable(request: pytest.FixtureRequest) -> OpenCancellable:
    """Doors that are told to cancel, besides being left."""
    return request.param


class Writer:
    """A text that a test writes bit by bit."""

    def __init__(self, *pieces: str) -> None:
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self.asked = False
        self.closed = False
        self.write(*pieces)

    def write(self, *pieces: str | Exception) -> None:
        for piece in pieces:
            self._pieces.put_nowait(piece)

    def end(self) -> None:
        self._pieces.put_nowait(None)

    async def texts(self) -> AsyncGenerator[str]:
        self.asked = True
        try:
            while (piece := await self._pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed = True


def written(*pieces: str) -> AsyncGenerator[str]:
    """A text whose pieces are there already."""
    writer = Writer(*pieces)
    writer.end()
    return writer.texts()


def with_limits(**limits: float) -> ServiceConfig:
    return CONFIG.model_copy(
        update={"limits": LimitsConfig(**{**CONFIG.limits.model_dump(), **limits})}
    )


def test_audio_goes_out_while_text_comes_in(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good mor", "ning, A")
        async with open_door(engine, CONFIG) as door:
            async with aclosing(door.stream_text(REQUEST, writer.texts())) as chunks:
                first = await anext(chunks)
                assert engine.said == ["Good morning,"]
                writer.write("nn. ")
                writer.write("How are ", "you?")
                writer.end()
                rest = await collect(chunks)
        chunk = whole([first, *rest])
        assert engine.said == ["Good morning,", "Ann.", "How are you?"]
        assert chunk.pcm == ramp_pcm(6 * WORD_SAMPLES)
        words = [TEXT[mark.text_start : mark.text_end] for mark in chunk.marks]
        assert words == ["Good", "morning", "Ann", "How", "are", "you"]
        assert [c.is_final for c in rest] == [False] * (len(rest) - 1) + [True]
        assert engine.dropped == []

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [[TEXT], list(TEXT), ["", TEXT, ""], [TEXT[:7], TEXT[7:]]])
def test_the_pieces_of_a_text_say_what_the_text_says(open_door: Open, pieces: list[str]) -> None:
    async def scenario() -> None:
        async with open_door(ReadingEngine(), CONFIG) as door:
            expected = await door.synthesize(replace(REQUEST, text=TEXT))
            chunks = await collect(door.stream_text(REQUEST, written(*pieces)))
            assert whole(chunks) == expected
            # The request's own text is the beginning.
            begun = replace(REQUEST, text=TEXT[:5])
            assert whole(await collect(door.stream_text(begun, written(TEXT[5:])))) == expected

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (SynthesisRequest("", "eve", "en"), VoiceNotFound, ["'eve'", "ann, bob"]),
        (SynthesisRequest("", "bob", "zh"), BadRequest, ["language", "'zh'"]),
        (SynthesisRequest("", "ann", "en", emotion="sad"), BadRequest, ["'sad'", "calm, happy"]),
        (SynthesisRequest("", "ann", "en", 2.5), BadRequest, ["speed", "2.5", "0.5 to 2.0"]),
        (SynthesisRequest("a" * 41, "ann", "en"), TextTooLong, ["41", "40"]),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_the_text_has_come(
    open_door: Open, request_: SynthesisRequest, error: type[TtsError], words: list[str]
) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer()
        async with open_door(engine, CONFIG) as door:
            with pytest.raises(error) as caught:
                await collect(door.stream_text(request_, writer.texts()))
            assert [word for word in words if word not in str(caught.value)] == []
            await until(lambda: writer.closed or not writer.asked)
        assert engine.said == []

    asyncio.run(scenario())


def test_no_text_is_asked_for_when_the_voice_is_unknown() -> None:
    async def scenario() -> None:
        writer = Writer("Hello.")
        async with in_process(ReadingEngine(), CONFIG) as door:
            with pytest.raises(VoiceNotFound):
                await collect(door.stream_text(replace(REQUEST, voice="eve"), writer.texts()))
        assert not writer.asked

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [[], [""], [" ", "\n"], ["?", "!", "🙂"]])
def test_a_text_without_a_word_is_refused_at_its_end(open_door: Open, pieces: list[str]) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        async with open_door(engine, CONFIG) as door:
            with pytest.raises(BadRequest, match="letter or digit"):
                await collect(door.stream_text(REQUEST, written(*pieces)))
            await until(lambda: door.service.streams == 0)
        assert engine.said == []

    asyncio.run(scenario())


async def failed(
    chunks: AsyncGenerator[SpeechChunk], error: type[Exception], match: str
) -> list[SpeechChunk]:
    """The chunks that came before the error."""
    received: list[SpeechChunk] = []
    with pytest.raises(error, match=match):
        async for chunk in chunks:
            received.append(chunk)
    return received


def test_a_text_that_grows_too_long_is_refused_at_once_even_after_audio(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A")
        async with open_door(engine, CONFIG) as door:
            chunks = door.stream_text(REQUEST, writer.texts())
            first = await anext(chunks)
            writer.write("n" * 25, "n", "never read")
            rest = await failed(chunks, TextTooLong, "41 characters; at most 40")
            await until(lambda: door.service.streams == 0)
            await until(lambda: len(engine.dropped) == 1)
            await until(lambda: writer.closed)
        assert not any(chunk.is_final for chunk in [first, *rest])
        assert engine.said == ["Good morning,"]

    asyncio.run(scenario())


def test_a_text_of_exactly_the_longest_length_is_spoken(open_door: Open) -> None:
    async def scenario() -> None:
        async with open_door(ReadingEngine(), CONFIG) as door:
            chunks = await collect(door.stream_text(REQUEST, written("a" * 20, "b" * 20)))
        assert [(m.text_start, m.text_end) for m in whole(chunks).marks] == [(0, 40)]

    asyncio.run(scenario())


def test_a_text_that_does_not_go_on_is_refused(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A")
        async with open_door(engine, with_limits(text_idle_s=0.1)) as door:
            chunks = door.stream_text(REQUEST, writer.texts())
            received = await failed(chunks, TextStalled, r"no text for 0\.1 s")
            await until(lambda: writer.closed)
            await until(lambda: len(engine.dropped) == 1)
        assert sum(len(chunk.pcm) // 2 for chunk in received) == 2 * WORD_SAMPLES

    asyncio.run(scenario())


def test_closing_the_audio_stops_the_engine_and_closes_the_text(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A")
        async with open_door(engine, CONFIG) as door:
            async with aclosing(door.stream_text(REQUEST, writer.texts())) as chunks:
                await anext(chunks)
            assert writer.closed
            await until(lambda: door.service.streams == 0)
            await until(lambda: len(engine.dropped) == 1)
        assert engine.said == ["Good morning,"]

    asyncio.run(scenario())


def test_cancelling_the_reader_stops_the_engine_and_closes_the_text(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good")
        async with open_door(engine, CONFIG) as door:
            chunks = door.stream_text(REQUEST, writer.texts())
            reader = asyncio.create_task(collect(chunks), name="reader")
            await until(lambda: door.service.streams == 1)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert writer.closed or not writer.asked
            await until(lambda: door.service.streams == 0)
        assert engine.said == []

    asyncio.run(scenario())


def test_a_writer_that_fails_ends_the_audio_with_its_own_error(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A")
        async with open_door(engine, CONFIG) as door:
            chunks = door.stream_text(REQUEST, writer.texts())
            await anext(chunks)
            writer.write(LookupError("the model went away"))
            await failed(chunks, LookupError, "the model went away")
            await until(lambda: door.service.streams == 0)
            await until(lambda: len(engine.dropped) == 1)

    asyncio.run(scenario())


def test_an_engine_that_fails_ends_the_audio_and_closes_the_text(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine(fails_at=1)
        writer = Writer("Good morning, A")
        async with open_door(engine, CONFIG) as door:
            chunks = door.stream_text(REQUEST, writer.texts())
            await anext(chunks)
            writer.write("nn. Yes")
            await failed(chunks, EngineFailed, "scripted")
            await until(lambda: writer.closed)
            await until(lambda: door.service.streams == 0)
            # The next text is none the worse.
            engine.fails_at = None
            assert whole(await collect(door.stream_text(REQUEST, written("Hi.")))).is_final

    asyncio.run(scenario())


def test_a_text_that_is_waited_for_holds_nobody_back(open_door: Open) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good")
        async with open_door(engine, CONFIG) as door:
            waiting = asyncio.create_task(
                collect(door.stream_text(REQUEST, writer.texts())), name="waiting"
            )
            await until(lambda: door.service.streams == 1)
            for _ in range(3):
                assert (await door.synthesize(replace(REQUEST, text="Hi."))).is_final
            writer.write(" morning")
            writer.end()
            assert len(whole(await waiting).pcm) // 2 == 2 * WORD_SAMPLES
        assert engine.said == ["Hi."] * 3 + ["Good morning"]

    asyncio.run(scenario())


def test_a_text_far_ahead_of_the_voice_is_taken_in_whole(open_door: Open) -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = ReadingEngine(gate=gate)
        writer = Writer(*"Good morning, Ann. How are you? Well")
        writer.end()
        async with open_door(engine, CONFIG) as door:
            chunks = asyncio.create_task(
                collect(door.stream_text(REQUEST, writer.texts())), name="reader"
            )
            # The voice has not said a word.
            await until(lambda: writer.closed)
            gate.release(100)
            assert len(whole(await chunks).pcm) // 2 == 7 * WORD_SAMPLES

    asyncio.run(scenario())


def test_noise_characters_in_any_piece_do_not_move_marks(open_door: Open) -> None:
    pieces = ["Hi\u200b", " \x00A", "\ufeffnn\u200d", ", y\u00ades"]

    async def scenario() -> None:
        async with open_door(ReadingEngine(), CONFIG) as door:
            chunk = whole(await collect(door.stream_text(REQUEST, written(*pieces))))
        text = "".join(pieces)
        words = [text[mark.text_start : mark.text_end] for mark in chunk.marks]
        assert words == ["Hi", "A", "nn", "y", "es"]

    asyncio.run(scenario())


def said_last(chunks: list[SpeechChunk]) -> SpeechChunk:
    """The last chunk of a text that was cancelled, and of no other is it so."""
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert [chunk.is_cancelled for chunk in chunks] == [chunk.is_final for chunk in chunks]
    last = chunks[-1]
    assert (last.pcm, last.marks) == (b"", ())
    assert last.first_sample == sum(len(chunk.pcm) // 2 for chunk in chunks)
    return last


@pytest.mark.real
def test_a_cancel_ends_the_audio_and_tells_how_much_there_was(
    open_cancellable: OpenCancellable,
) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A")
        cancel = asyncio.Event()
        async with open_cancellable(engine, CONFIG) as door:
            chunks = []
            async for chunk in door.stream_text(REQUEST, writer.texts(), cancel=cancel):
                chunks.append(chunk)
                cancel.set()
            assert writer.closed
            await until(lambda: door.service.streams == 0)
            await until(lambda: engine.dropped == ["Good morning, A"])
        last = said_last(chunks)
        assert (last.sample_rate_hz, last.voice) == (chunks[0].sample_rate_hz, "ann")
        assert engine.said == ["Good morning,"]

    asyncio.run(scenario())


@pytest.mark.real
def test_a_cancel_after_the_end_of_the_text_stops_the_engine(
    open_cancellable: OpenCancellable,
) -> None:
    async def scenario() -> None:
        text = "One. Two. Three. Four. Five."
        gate = threading.Semaphore(1)
        engine = ReadingEngine(gate=gate)
        cancel = asyncio.Event()
        async with open_cancellable(engine, CONFIG) as door:
            chunks = []
            async for chunk in door.stream_text(REQUEST, written(text), cancel=cancel):
                chunks.append(chunk)
                cancel.set()
            await until(lambda: door.service.streams == 0)
            # The clause that was waiting when the cancel came may still be said; no later one.
            gate.release(50)
            await until(lambda: engine.dropped == [text])
        said_last(chunks)
        assert len(engine.said) <= 2

    asyncio.run(scenario())


@pytest.mark.real
def test_a_cancel_before_any_audio_leaves_none(open_cancellable: OpenCancellable) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer()
        cancel = asyncio.Event()
        async with open_cancellable(engine, CONFIG) as door:
            chunks = door.stream_text(REQUEST, writer.texts(), cancel=cancel)
            reader = asyncio.create_task(collect(chunks), name="reader")
            await until(lambda: door.service.streams == 1)
            cancel.set()
            assert said_last(await reader).first_sample == 0
            await until(lambda: door.service.streams == 0)
        assert (engine.said, writer.closed) == ([], True)

    asyncio.run(scenario())


@pytest.mark.real
def test_a_text_that_could_have_been_cancelled_ends_as_any_other(
    open_cancellable: OpenCancellable,
) -> None:
    async def scenario() -> None:
        async with open_cancellable(ReadingEngine(), CONFIG) as door:
            chunks = door.stream_text(REQUEST, written(TEXT), cancel=asyncio.Event())
            chunk = whole(await collect(chunks))
        assert (chunk.pcm, chunk.is_cancelled) == (ramp_pcm(6 * WORD_SAMPLES), False)

    asyncio.run(scenario())
