"""A text that is being written, passed on within the limits; in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from tests.virtual_time import run
from tts.config import LimitsConfig
from tts.errors import BadRequest, TextStalled, TextTooLong
from tts.text.feed import TextFeed
from tts.types import SpeechChunk
from tts.writing import spoken_while, write

LIMITS = LimitsConfig(max_text_chars=10, text_idle_s=30.0)


class Texts:
    """Pieces, each a while after the one before."""

    def __init__(self, *pieces: str, every_s: float = 0.0) -> None:
        self._pieces = pieces
        self._every_s = every_s
        self.read = 0
        self.closed = False

    async def texts(self) -> AsyncGenerator[str]:
        try:
            for piece in self._pieces:
                await asyncio.sleep(self._every_s)
                self.read += 1
                yield piece
        finally:
            self.closed = True


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_pieces_are_passed_on_clean_and_the_text_ends_with_them() -> None:
    async def scenario() -> None:
        feed = TextFeed("Hi\n")
        texts = Texts("a\x00", "", "b")
        await write(texts.texts(), feed, LIMITS)
        assert feed.read()[:2] == ("Hi\na b", True)
        assert texts.closed

    run(scenario())


def test_a_text_may_take_for_ever_as_long_as_it_goes_on() -> None:
    async def scenario() -> None:
        feed = TextFeed()
        await write(Texts(*"abcdefghij", every_s=29.9).texts(), feed, LIMITS)
        assert (feed.text, now_s()) == ("abcdefghij", pytest.approx(299.0))

    run(scenario())


@pytest.mark.parametrize("pieces", [("a", "b"), ("a", *[""] * 200)])
def test_a_text_that_keeps_still_is_given_up_in_time(pieces: Sequence[str]) -> None:
    async def scenario() -> None:
        # The second piece comes after 31 s; empty ones, which are none, every half second.
        texts = Texts(*pieces, every_s=31.0 if len(pieces) == 2 else 0.5)
        feed = TextFeed("x")
        with pytest.raises(TextStalled, match=r"no text for 30\.0 s"):
            await write(texts.texts(), feed, LIMITS)
        assert now_s() == (30.0 if len(pieces) == 2 else 30.5)
        assert texts.closed
        assert not feed.read()[1]

    run(scenario())


def test_a_text_that_grows_too_long_is_left_at_once() -> None:
    async def scenario() -> None:
        texts = Texts("45678", "90", "1", "never read")
        feed = TextFeed("123")
        with pytest.raises(TextTooLong, match="11 characters; at most 10"):
            await write(texts.texts(), feed, LIMITS)
        assert (texts.read, texts.closed) == (3, True)
        assert feed.read()[:2] == ("1234567890", False)

    run(scenario())


def test_a_text_with_nothing_to_say_does_not_end() -> None:
    async def scenario() -> None:
        feed = TextFeed(" ")
        with pytest.raises(BadRequest, match="letter or digit"):
            await write(Texts("?", "!").texts(), feed, LIMITS)
        assert not feed.read()[1]

    run(scenario())


@pytest.mark.parametrize("error", [LookupError, TimeoutError])
def test_what_the_text_raises_comes_out_as_it_is(error: type[Exception]) -> None:
    async def texts() -> AsyncGenerator[str]:
        yield "a"
        raise error("its own")

    async def scenario() -> None:
        with pytest.raises(error, match="its own"):
            await write(texts(), TextFeed(), LIMITS)

    run(scenario())


def chunk(number: int) -> SpeechChunk:
    return SpeechChunk(b"", 1000, number, (), False)


class Chunks:
    """Chunks, one a second."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.closed = False

    async def chunks(self) -> AsyncGenerator[SpeechChunk]:
        try:
            for number in range(self._count):
                await asyncio.sleep(1.0)
                yield chunk(number)
        finally:
            self.closed = True


async def writes(seconds: float, error: Exception | None = None) -> None:
    await asyncio.sleep(seconds)
    if error is not None:
        raise error


async def numbers(chunks: AsyncIterator[SpeechChunk], into: list[int]) -> None:
    async for one in chunks:
        into.append(one.first_sample)


@pytest.mark.parametrize("seconds", [0.0, 2.5, 100.0])
def test_all_chunks_are_given_however_long_writing_takes(seconds: float) -> None:
    async def scenario() -> None:
        writing = asyncio.create_task(writes(seconds), name="writing")
        given: list[int] = []
        await numbers(spoken_while(writing, Chunks(4).chunks()), given)
        assert given == [0, 1, 2, 3]
        assert now_s() == 4.0
        assert writing.done()

    run(scenario())


def test_an_error_of_the_writer_ends_the_chunks_at_once() -> None:
    async def scenario() -> None:
        writing = asyncio.create_task(writes(2.5, TextStalled("why")), name="writing")
        source = Chunks(9)
        given: list[int] = []
        with pytest.raises(TextStalled, match="why"):
            await numbers(spoken_while(writing, source.chunks()), given)
        assert (given, now_s(), source.closed) == ([0, 1], 2.5, True)

    run(scenario())


def test_closing_the_chunks_ends_writing() -> None:
    async def scenario() -> None:
        writing = asyncio.create_task(writes(100.0), name="writing")
        source = Chunks(9)
        async with aclosing(spoken_while(writing, source.chunks())) as chunks:
            await anext(chunks)
        assert (writing.cancelled(), source.closed, now_s()) == (True, True, 1.0)

    run(scenario())


def test_cancelling_the_reader_ends_both() -> None:
    async def scenario() -> None:
        writing = asyncio.create_task(writes(100.0), name="writing")
        source = Chunks(9)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await numbers(spoken_while(writing, source.chunks()), [])
        assert (writing.cancelled(), source.closed, now_s()) == (True, True, 2.5)

    run(scenario())
