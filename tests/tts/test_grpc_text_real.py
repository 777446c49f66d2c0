"""The wire of a text that is spoken while it is being written, beyond the common contract."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from loguru import logger

from tests.tts.doors import grpc_door, over_grpc, running
from tests.tts.reading_engine import WORD_SAMPLES, ReadingEngine
from tests.tts.test_contract import CONFIG, collect, until
from tests.tts.test_text_contract import REQUEST, Writer, with_limits
from tts.client import TtsClient
from tts.config import ServiceConfig
from tts.errors import BadRequest, TextTooLong, TtsError, Unavailable
from tts.servers.messages import request_to_wire
from tts.servers.proto import tts_pb2, tts_pb2_grpc
from tts.servers.status import ERROR_CODE_KEY
from tts.service import SynthesisService

pytestmark = pytest.mark.real

OPENING = tts_pb2.TextMessage(request=request_to_wire(REQUEST))
HELLO = tts_pb2.TextMessage(text="Hello.")
END = tts_pb2.TextMessage(end=True)


@asynccontextmanager
async def foreign(
    folder: Path, engine: ReadingEngine, config: ServiceConfig = CONFIG
) -> AsyncIterator[tuple[Any, SynthesisService]]:
    """A client that is not ours, and the service behind the door."""
    address = f"unix:{folder / 's'}"
    async with (
        running(engine, config) as service,
        grpc_door(service, config, address),
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield tts_pb2_grpc.TextToSpeechStub(channel), service


async def samples(call: Any) -> int:
    return sum([len(chunk.pcm) // 2 async for chunk in call])


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "first message must be a `request`"),
        ([tts_pb2.TextMessage()], "first message must be a `request`"),
        ([HELLO, END], "first message must be a `request`"),
        ([OPENING, HELLO, OPENING, END], "each must be `text`, `end` or `cancel`"),
        ([OPENING, HELLO, tts_pb2.TextMessage(), END], "each must be `text`, `end` or `cancel`"),
        ([OPENING, HELLO], "the text was not ended"),
        ([OPENING, END], "letter or digit"),
    ],
)
def test_messages_out_of_order_are_an_invalid_argument(
    tmp_path: Path, messages: list[tts_pb2.TextMessage], words: str
) -> None:
    async def scenario() -> None:
        async with foreign(tmp_path, ReadingEngine()) as (stub, service):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await samples(stub.SynthesizeText(iter(messages)))
            await until(lambda: service.streams == 0)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in caught.value.details()
        assert (ERROR_CODE_KEY, "bad_request") in tuple(caught.value.trailing_metadata())

    asyncio.run(scenario())


def test_a_foreign_client_is_heard_and_what_follows_the_end_is_not_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        async with foreign(tmp_path, engine) as (stub, _):
            messages = [OPENING, HELLO, HELLO, END, HELLO]
            assert await samples(stub.SynthesizeText(iter(messages))) == 1 * WORD_SAMPLES
        assert engine.said == ["Hello.Hello."]

    asyncio.run(scenario())


def test_a_call_without_a_message_ends_in_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = with_limits(text_idle_s=0.1)
        async with foreign(tmp_path, ReadingEngine(), config) as (stub, _):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await samples(stub.SynthesizeText())
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert (ERROR_CODE_KEY, "text_stalled") in tuple(caught.value.trailing_metadata())

    asyncio.run(scenario())


def test_a_cancelled_call_says_nothing_more_and_counts_as_cancelled(tmp_path: Path) -> None:
    ends: list[str] = []

    async def scenario() -> None:
        engine = ReadingEngine()
        async with foreign(tmp_path, engine) as (stub, service):
            for _ in range(20):
                call = stub.SynthesizeText()
                await call.write(OPENING)
                await call.write(tts_pb2.TextMessage(text="Good morning, A"))
                await call.read()
                call.cancel()
                await until(lambda: service.streams == 0)
        assert engine.said == ["Good morning,"] * 20
        assert engine.dropped == ["Good morning, A"] * 20

    sink = logger.add(
        lambda line: ends.append(line.record["extra"]["end"]),
        filter=lambda record: record["message"] == "stream ended",
    )
    try:
        asyncio.run(scenario())
    finally:
        logger.remove(sink)
    assert ends == ["cancelled"] * 20


@pytest.mark.parametrize(
    ("piece", "error"), [("\ud800", BadRequest), ("a" * 1_000_001, TextTooLong)]
)
def test_a_piece_that_no_message_can_carry_ends_the_call(piece: str, error: type[TtsError]) -> None:
    async def scenario() -> None:
        engine = ReadingEngine()
        writer = Writer("Good morning, A", piece)
        async with over_grpc(engine, CONFIG) as door:
            with pytest.raises(error):
                await collect(door.stream_text(REQUEST, writer.texts()))
            assert writer.closed
            await until(lambda: door.service.streams == 0)

    asyncio.run(scenario())


def test_audio_is_waited_for_in_time_once_the_text_has_ended() -> None:
    async def slowly() -> AsyncGenerator[str]:
        await asyncio.sleep(0.5)
        yield "Hello"

    async def scenario() -> None:
        async with over_grpc(ReadingEngine(), CONFIG, first_chunk_timeout_s=0.25) as door:
            chunks = await collect(door.stream_text(REQUEST, slowly()))
            assert chunks[-1].is_final

    asyncio.run(scenario())


def test_a_service_that_says_nothing_in_time_is_unavailable() -> None:
    async def scenario() -> None:
        engine = ReadingEngine(gate=threading.Semaphore(0))
        writer = Writer("Hello.")
        writer.end()
        async with over_grpc(engine, CONFIG, first_chunk_timeout_s=0.1) as door:
            with pytest.raises(Unavailable, match=r"no answer in 0\.1 s"):
                await collect(door.stream_text(REQUEST, writer.texts()))
            await until(lambda: door.service.streams == 0)

    asyncio.run(scenario())


def test_a_service_that_is_not_there_is_unavailable_and_the_text_is_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = TtsClient(f"unix:{tmp_path / 'none'}")
        writer = Writer("Hello.")
        with pytest.raises(Unavailable):
            await collect(client.stream_text(REQUEST, writer.texts()))
        assert writer.closed or not writer.asked
        await client.close()

    asyncio.run(scenario())


def test_a_service_that_dies_while_the_text_is_written_is_unavailable(tmp_path: Path) -> None:
    async def scenario() -> None:
        address = f"unix:{tmp_path / 's'}"
        writer = Writer("Good morning, A")
        client = TtsClient(address)
        async with running(ReadingEngine(), CONFIG) as service:
            async with grpc_door(service, CONFIG, address):
                chunks = client.stream_text(REQUEST, writer.texts())
                await anext(chunks)
            with pytest.raises(Unavailable):
                await collect(chunks)
            assert writer.closed
        await client.close()

    asyncio.run(scenario())
