"""OpenAI's own client, and the bytes that Dify sends, against the door."""

import asyncio
import base64
import hashlib
import io
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import openai
import pytest

from tests.tts.doors import running
from tests.tts.fake_engine import RATE_HZ, FakeEngine, ramp_pcm
from tests.tts.rest import http_door
from tests.tts.test_contract import until
from tts.config import AccessConfig, KeyConfig, LimitsConfig, Secrets, ServiceConfig
from tts.service import SynthesisService

pytestmark = pytest.mark.real

KEY = "sk-parley"
CONFIG = ServiceConfig(
    limits=LimitsConfig(max_text_chars=60, max_streams=1, max_queued=0, ahead_s=1.0)
)
WITH_KEYS = CONFIG.model_copy(
    update={
        "access": AccessConfig(
            keys=(KeyConfig(name="dify", sha256=hashlib.sha256(KEY.encode()).hexdigest()),)
        )
    }
)
TEXT = "Hello there, Ann."


@asynccontextmanager
async def served(
    engine: FakeEngine, config: ServiceConfig = CONFIG, folder: Path = Path("nowhere")
) -> AsyncIterator[tuple[SynthesisService, int]]:
    async with (
        running(engine, config) as service,
        http_door(service, config, "127.0.0.1:0", folder, secrets=Secrets()) as port,
    ):
        yield service, port


def client(port: int, key: str = KEY) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0, timeout=20
    )


def with_client(
    scenario: Callable[[openai.AsyncOpenAI], Awaitable[None]],
    engine: FakeEngine | None = None,
    config: ServiceConfig = CONFIG,
    key: str = KEY,
) -> None:
    async def run() -> None:
        async with served(engine or FakeEngine(), config) as (_, port), client(port, key) as one:
            await scenario(one)

    asyncio.run(run())


async def refusal(one: openai.AsyncOpenAI, **asked: Any) -> openai.APIStatusError:
    """What the client raises."""
    with pytest.raises(openai.APIStatusError) as caught:
        await one.audio.speech.create(
            **{"model": "tts-1", "input": TEXT, "voice": "ann", **asked}  # type: ignore[arg-type]
        )
    return caught.value


@pytest.mark.parametrize(
    ("format", "codec", "content_type"),
    [
        (None, "mp3float", "audio/mpeg"),
        ("mp3", "mp3float", "audio/mpeg"),
        ("opus", "opus", "audio/ogg"),
        ("aac", "aac", "audio/aac"),
        ("flac", "flac", "audio/flac"),
        ("wav", "pcm_s16le", "audio/wav"),
    ],
)
def test_speech_comes_in_the_format_that_was_asked_for(
    format: str | None, codec: str, content_type: str
) -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        more = {} if format is None else {"response_format": format}
        answer = await one.audio.speech.create(model="tts-1", input=TEXT, voice="ann", **more)  # type: ignore[arg-type]
        assert answer.response.headers["content-type"] == content_type
        assert answer.response.headers["x-voice"] == "ann"
        with av.open(io.BytesIO(answer.content)) as file:
            stream = file.streams.audio[0]
            assert stream.codec_context.name == codec
            samples = sum(frame.samples for frame in file.decode(audio=0))
            # A second of speech, and at most two frames of the codec's own.
            assert 0 <= samples / stream.sample_rate - 1 < 0.4

    with_client(scenario)


def test_pcm_is_24_khz_unless_another_rate_is_asked_for() -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        answer = await one.audio.speech.create(
            model="tts-1", input=TEXT, voice="ann", response_format="pcm"
        )
        assert len(answer.content) == 2 * 24_000
        assert answer.response.headers["x-sample-rate"] == "24000"
        own = await one.audio.speech.create(
            model="tts-1",
            input=TEXT,
            voice="ann",
            response_format="pcm",
            extra_body={"sample_rate_hz": 0},
        )
        assert own.content == ramp_pcm(RATE_HZ)

    with_client(scenario)


def test_the_client_that_blocks_works_too() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, port):

            def ask() -> bytes:
                with openai.OpenAI(
                    base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, max_retries=0
                ) as one:
                    speech = one.audio.speech.create(
                        model="gpt-4o-mini-tts",
                        input=TEXT,
                        voice="alloy",
                        instructions="Speak warmly.",
                        response_format="pcm",
                    )
                    return speech.content

            assert len(await asyncio.to_thread(ask)) == 2 * 24_000

    asyncio.run(scenario())


def test_audio_arrives_while_the_rest_is_not_made_yet() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(500, 500), gate=gate)
        async with (
            served(engine) as (service, port),
            client(port) as one,
        ):
            gate.release()
            async with one.audio.speech.with_streaming_response.create(
                model="tts-1",
                input=TEXT,
                voice="ann",
                response_format="pcm",
                extra_body={"sample_rate_hz": 0},
            ) as answer:
                pieces = answer.iter_bytes()
                first = await anext(pieces)
                assert first == ramp_pcm(1000)[: len(first)]
                assert service.streams == 1 and len(engine.steps) == 1
                gate.release()
                rest = b"".join([piece async for piece in pieces])
            assert first + rest == ramp_pcm(1000)

    asyncio.run(scenario())


def test_leaving_an_answer_drops_the_rest_of_the_work() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with served(engine) as (service, port), client(port) as one:
            gate.release()
            async with one.audio.speech.with_streaming_response.create(
                model="tts-1", input=TEXT, voice="ann", response_format="wav"
            ) as answer:
                await anext(answer.iter_bytes())
            await until(lambda: service.streams == 0)
            gate.release(50)
            await until(lambda: engine.dropped == [TEXT])

    asyncio.run(scenario())


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_reader_that_takes_nothing_is_dropped_and_costs_little_until_then(
    stream_format: str,
) -> None:
    """A second of this voice is 96 kB as `wav` at 48 kHz; all of it would be 24 MB."""

    async def scenario() -> None:
        config = CONFIG.model_copy(
            update={"limits": CONFIG.limits.model_copy(update={"reader_idle_s": 0.3})}
        )
        engine = FakeEngine(piece_samples=(1000,) * 250)
        async with served(engine, config) as (service, port):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            body = json.dumps(
                {
                    "input": TEXT,
                    "voice": "ann",
                    "response_format": "wav",
                    "sample_rate_hz": 48_000,
                    "stream_format": stream_format,
                }
            ).encode()
            writer.write(
                b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            await until(lambda: service.streams == 1)
            await until(lambda: service.streams == 0 and engine.dropped == [TEXT])
            # What the sockets hold, and no more.
            assert len(engine.steps) < 150
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    asyncio.run(scenario())


async def events(answer: Any) -> list[dict[str, Any]]:
    lines = [line async for line in answer.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_events_carry_the_file_and_end_with_what_was_used() -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        async with one.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts",
            input=TEXT,
            voice="ann",
            response_format="flac",
            stream_format="sse",
        ) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            found = await events(answer)
        assert {event["type"] for event in found[:-1]} == {"speech.audio.delta"}
        assert found[-1] == {
            "type": "speech.audio.done",
            "usage": {"input_tokens": 17, "output_tokens": 20, "total_tokens": 37},
        }
        file = b"".join(base64.b64decode(event["audio"]) for event in found[:-1])
        with av.open(io.BytesIO(file)) as opened:
            frames = [frame.to_ndarray().tobytes() for frame in opened.decode(audio=0)]
        assert b"".join(frames) == ramp_pcm(RATE_HZ)
        words = [mark for event in found[:-1] for mark in event["marks"]]
        assert [TEXT[mark["text_start"] : mark["text_end"]] for mark in words] == [
            "Hello",
            "there",
            "Ann",
        ]

    with_client(scenario)


def test_an_error_half_way_ends_events_with_one_and_cuts_a_file_off() -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        ask = one.audio.speech.with_streaming_response.create
        async with ask(model="m", input=TEXT, voice="ann", stream_format="sse") as answer:
            found = await events(answer)
        assert [event["type"] for event in found][-2:] == ["speech.audio.delta", "error"]
        assert found[-1]["error"]["code"] == "engine_failed"
        assert "scripted" in found[-1]["error"]["message"]
        with pytest.raises(Exception, match="(?i)incomplete|closed|connection"):
            async with ask(model="m", input=TEXT, voice="ann", response_format="wav") as answer:
                await answer.read()

    with_client(scenario, FakeEngine(fails_at=1))


@pytest.mark.parametrize(
    ("asked", "cls", "code", "param", "words"),
    [
        ({"voice": "eve"}, openai.NotFoundError, "voice_not_found", "voice", ["'eve'", "ann, bob"]),
        ({"voice": "a/b"}, openai.NotFoundError, "voice_not_found", "voice", ["'a/b'"]),
        ({"speed": 3.0}, openai.BadRequestError, "bad_request", "speed", ["0.5 to 2.0"]),
        ({"input": ""}, openai.BadRequestError, "bad_request", "input", ["letter or digit"]),
        ({"input": "a" * 61}, openai.APIStatusError, "text_too_long", "input", ["61", "60"]),
        (
            {"response_format": "mp4"},
            openai.BadRequestError,
            "bad_request",
            "response_format",
            ["'mp4'", "'flac'"],
        ),
        (
            {"response_format": "opus", "extra_body": {"sample_rate_hz": 32000}},
            openai.BadRequestError,
            "bad_request",
            "sample_rate_hz",
            ["32000", "48000"],
        ),
        (
            {"extra_body": {"emotion": "sad"}},
            openai.BadRequestError,
            "bad_request",
            "emotion",
            ["calm, happy"],
        ),
        (
            {"extra_body": {"language": "fr"}},
            openai.BadRequestError,
            "bad_request",
            "language",
            ["en, zh"],
        ),
        ({"voice": 5}, openai.BadRequestError, "bad_request", "voice", ["voice"]),
    ],
)
def test_a_refusal_is_the_clients_own_error(
    asked: dict[str, Any], cls: type[Exception], code: str, param: str, words: list[str]
) -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        error = await refusal(one, **asked)
        assert isinstance(error, cls)
        assert (error.code, error.param) == (code, param)
        assert [word for word in words if word not in error.message] == []

    with_client(scenario)


def test_a_wrong_key_is_an_authentication_error() -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        error = await refusal(one)
        assert isinstance(error, openai.AuthenticationError)
        assert (error.code, error.type) == ("unauthenticated", "authentication_error")

    with_client(scenario, config=WITH_KEYS, key="sk-wrong")


def test_one_too_many_is_a_rate_limit_error_that_says_when_to_come_again() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(gate=gate)
        async with served(engine) as (service, port), client(port) as one:
            first = asyncio.create_task(
                one.audio.speech.create(model="m", input=TEXT, voice="ann"), name="first"
            )
            await until(lambda: service.streams == 1)
            error = await refusal(one)
            assert isinstance(error, openai.RateLimitError)
            assert error.code == "overloaded"
            assert int(error.response.headers["retry-after"]) >= 1
            gate.release(10)
            await first

    asyncio.run(scenario())


def test_models_are_listed_and_found() -> None:
    async def scenario(one: openai.AsyncOpenAI) -> None:
        assert [model.id async for model in one.models.list()] == ["parley"]
        assert (await one.models.retrieve("parley")).owned_by == "parley"
        with pytest.raises(openai.NotFoundError, match="parley"):
            await one.models.retrieve("whisper-9")

    with_client(scenario)


# Dify's plugin openai_api_compatible 0.0.63 with dify_plugin 0.10.2 and requests 2.34.2, as
# recorded from a socket: first when its settings are saved, then for an answer.
DIFY = (
    b"POST /v1/audio/speech HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\n"
    b"User-Agent: python-requests/2.34.2\r\n"
    b"Accept-Encoding: gzip, deflate\r\n"
    b"Accept: */*\r\n"
    b"Connection: keep-alive\r\n"
    b"Authorization: Bearer sk-parley\r\n"
    b"Content-Length: %d\r\n"
    b"Content-Type: application/json\r\n"
    b"\r\n"
    b"%b"
)
DIFY_TRIES = b'{"model": "parley", "input": "Test.", "voice": "alloy", "response_format": "mp3"}'
DIFY_SPEAKS = (
    b'{"model": "parley", "input": "\\u4f60\\u597d\\uff0cAnn\\u3002", "voice": "ann", '
    b'"response_format": "mp3"}'
)


@pytest.mark.parametrize("body", [DIFY_TRIES, DIFY_SPEAKS])
def test_what_dify_sends_is_answered_with_mp3(body: bytes) -> None:
    async def scenario() -> None:
        async with served(FakeEngine(), WITH_KEYS) as (service, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(DIFY % (port, len(body), body))
            async with asyncio.timeout(20):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200 OK\r\n")
                assert b"Content-Type: audio/mpeg\r\n" in head
                file = b""
                while (size := int(await reader.readline(), 16)) > 0:
                    file += (await reader.readexactly(size + 2))[:-2]
            writer.close()
            await writer.wait_closed()
        with av.open(io.BytesIO(file), format="mp3") as opened:
            samples = sum(frame.samples for frame in opened.decode(audio=0))
        assert samples >= 8000

    asyncio.run(scenario())


def test_dify_may_leave_after_the_first_bytes_as_it_does_when_it_tries() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(500,) * 20, gate=gate)
        async with served(engine, WITH_KEYS) as (service, port):
            gate.release(2)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(DIFY % (port, len(DIFY_TRIES), DIFY_TRIES))
            async with asyncio.timeout(20):
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(100)
            writer.close()
            await writer.wait_closed()
            await until(lambda: service.streams == 0)

    asyncio.run(scenario())


def test_a_refusal_reaches_dify_as_text_with_a_reason() -> None:
    """It shows the body of any answer that is not 200."""

    async def scenario() -> None:
        async with served(FakeEngine(), WITH_KEYS) as (_, port):
            body = DIFY_TRIES.replace(b"Test.", b"a" * 61)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(DIFY % (port, len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 413 ")
            assert b"at most 60 are allowed" in await reader.readuntil(b"}}")
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())
