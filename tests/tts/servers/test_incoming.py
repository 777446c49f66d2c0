"""Messages of a caller who writes while it is spoken, from a list instead of a wire."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tts.errors import BadRequest, TextStalled
from tts.servers import incoming
from tts.servers.incoming import MAX_WAITING, IncomingText, cancelled_after, listening, opening
from tts.servers.messages import text_to_wire
from tts.servers.proto import tts_pb2
from tts.types import Mark, SpeechChunk

END = tts_pb2.TextMessage(end=True)
CANCEL = tts_pb2.TextMessage(cancel=True)
OPENING = tts_pb2.TextMessage(request=tts_pb2.SynthesizeRequest(voice="ann"))


async def sent(
    *messages: tts_pb2.TextMessage | Exception, stays: bool = False
) -> AsyncGenerator[tts_pb2.TextMessage]:
    """The messages; then the end of the call, unless it `stays` open."""
    for message in messages:
        if isinstance(message, Exception):
            raise message
        yield message
    if stays:
        await asyncio.Event().wait()


async def text_of(text: IncomingText) -> list[str]:
    return [piece async for piece in text.pieces()]


def test_the_pieces_are_those_before_the_end() -> None:
    async def scenario() -> None:
        messages = sent(text_to_wire("a"), text_to_wire(""), END, text_to_wire("b"), OPENING)
        async with listening(messages) as text:
            assert await text_of(text) == ["a", ""]
            assert not text.cancelled.is_set()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "before", [[], [text_to_wire("a")], [text_to_wire("a"), END], [END, text_to_wire("late")]]
)
def test_a_cancel_is_heard_at_any_time(before: list[tts_pb2.TextMessage]) -> None:
    async def scenario() -> None:
        async with listening(sent(*before, CANCEL, stays=True)) as text:
            async with asyncio.timeout(10):
                await text.cancelled.wait()

    asyncio.run(scenario())


def test_a_cancel_is_heard_while_pieces_wait_to_be_taken() -> None:
    async def scenario() -> None:
        pieces = [text_to_wire("a")] * MAX_WAITING
        async with listening(sent(*pieces, CANCEL, stays=True)) as text:
            async with asyncio.timeout(10):
                await text.cancelled.wait()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([OPENING], "each must be `text`, `end` or `cancel`"),
        ([tts_pb2.TextMessage()], "each must be `text`, `end` or `cancel`"),
        ([BadRequest("no message")], "no message"),
        ([], "the text was not ended"),
    ],
)
def test_what_is_out_of_order_is_refused_after_the_pieces_before_it(
    messages: list[tts_pb2.TextMessage], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "_CANCEL_COMES_WITHIN_S", 0.0)

    async def scenario() -> None:
        async with listening(sent(text_to_wire("a"), *messages)) as text:
            pieces = text.pieces()
            assert await anext(pieces) == "a"
            with pytest.raises(BadRequest, match=words):
                await anext(pieces)

    asyncio.run(scenario())


@pytest.mark.parametrize("messages", [[], [END], [CANCEL], [text_to_wire("a")]])
def test_a_text_begins_with_its_request(messages: list[tts_pb2.TextMessage]) -> None:
    async def scenario() -> None:
        with pytest.raises(BadRequest, match="first message must be a `request`"):
            await opening(sent(*messages), within_s=10)
        assert (await opening(sent(OPENING, *messages), within_s=10)).voice == "ann"

    asyncio.run(scenario())


def test_a_caller_who_sends_nothing_is_not_waited_for() -> None:
    async def scenario() -> None:
        with pytest.raises(TextStalled, match=r"no message for 0\.01 s"):
            await opening(sent(stays=True), within_s=0.01)

    asyncio.run(scenario())


def test_what_is_heard_last_tells_how_much_there_was() -> None:
    last = SpeechChunk(b"ab" * 3, 8000, 10, (Mark(0, 1, 0.0, 1.0),), False, "ann")
    assert cancelled_after(last) == SpeechChunk(b"", 8000, 13, (), True, "ann", is_cancelled=True)
    assert cancelled_after(None) == SpeechChunk(b"", 0, 0, (), True, is_cancelled=True)
