"""The WebSocket door over real sockets, with `websockets` as its client."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

import tts.servers.websocket as door_module
import tts.servers.websocket_session as session_module
from tests.tts.doors import running
from tests.tts.fake_engine import RATE_HZ, FakeEngine, ramp_pcm
from tests.tts.reading_engine import ReadingEngine
from tests.tts.servers.http_doors import KEY, MANAGER_KEY, WITH_KEYS
from tests.tts.sockets import Received, connected, decoded, websocket_door
from tests.tts.test_contract import CONFIG, until
from tts.config import LimitsConfig, ServiceConfig
from tts.servers.websocket import WebSocketDoor
from tts.service import SynthesisService
from tts.types import Voice

pytestmark = pytest.mark.real

HELLO = {"type": "synthesize", "text": "Hello there, Ann.", "voice": "ann", "language": "en"}


@asynccontextmanager
async def served(
    engine: FakeEngine, config: ServiceConfig = CONFIG
) -> AsyncIterator[tuple[SynthesisService, WebSocketDoor, int]]:
    async with running(engine, config) as service, websocket_door(service, config) as (door, port):
        yield service, door, port


async def send(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def receive(connection: ClientConnection) -> Received:
    async with asyncio.timeout(10):
        return decoded(await connection.recv())


async def opened(connection: ClientConnection) -> str:
    """The session's id, with which every connection begins."""
    message = await receive(connection)
    assert message["type"] == "session"
    return str(message["session"])


async def until_end(connection: ClientConnection, id: str = "a") -> list[Received]:
    """What comes until a request has ended."""
    received = [await receive(connection)]
    while received[-1]["type"] not in ("done", "cancelled", "error"):
        received.append(await receive(connection))
    assert received[-1]["id"] == id
    return received


def pcm_of(messages: list[Received], handle: int | None = None) -> bytes:
    return b"".join(
        message["data"]
        for message in messages
        if message["type"] == "audio" and handle in (None, message["handle"])
    )


def test_one_request_from_its_beginning_to_its_end() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await send(connection, **HELLO, id="a")
            messages = await until_end(connection)
        assert [message["type"] for message in messages] == [
            *("accepted", "marks", "audio", "audio", "audio", "progress"),
            *("marks", "audio", "audio", "audio", "progress", "done"),
        ]
        assert [message["seq"] for message in messages] == list(range(12))
        assert (messages[0]["voice"], messages[0]["sample_rate_hz"]) == ("ann", 1000)
        assert pcm_of(messages) == ramp_pcm(1000)
        done = messages[-1]
        assert (done["samples"], done["audio_s"], done["cached"]) == (1000, 1.0, False)
        assert done["first_packet_ms"] > 0

    asyncio.run(scenario())


def test_what_was_spoken_before_says_so() -> None:
    async def scenario() -> None:
        # Only of a voice that says what it is made of audio is kept.
        engine = FakeEngine(voices=(Voice("ann", ("en",), RATE_HZ, "fake", state="1"),))
        async with served(engine) as (_, _, port), connected(port) as connection:
            await opened(connection)
            for cached in (False, True):
                await send(connection, **HELLO, id="a")
                messages = await until_end(connection)
                assert messages[-1]["cached"] is cached
                assert pcm_of(messages) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_several_requests_at_once_each_get_their_own_audio() -> None:
    async def scenario() -> None:
        config = with_limits(max_streams=8)
        async with served(FakeEngine(), config) as (_, _, port), connected(port) as connection:
            await opened(connection)
            ids = [f"r{number}" for number in range(6)]
            for id in ids:
                await send(connection, **{**HELLO, "text": f"Hello {id}."}, id=id)
            messages, ended = [], 0
            while ended < len(ids):
                messages.append(await receive(connection))
                ended += messages[-1]["type"] == "done"
        handles = {m["id"]: m["handle"] for m in messages if m["type"] == "accepted"}
        assert sorted(handles) == ids
        for id in ids:
            assert pcm_of(messages, handles[id]) == ramp_pcm(1000)

    asyncio.run(scenario())


def with_limits(**limits: Any) -> ServiceConfig:
    return CONFIG.model_copy(
        update={"limits": LimitsConfig(**{**CONFIG.limits.model_dump(), **limits})}
    )


def test_cancelling_one_request_leaves_the_others() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100,) * 4, gate=gate)
        async with served(engine) as (service, _, port), connected(port) as connection:
            await opened(connection)
            for id in "ab":
                await send(connection, **{**HELLO, "text": f"Hello {id}."}, id=id)
            await until(lambda: service.streams == 2)
            await send(connection, type="cancel", id="a")
            assert await receive(connection) == {"type": "cancelled", "id": "a", "seq": 0}
            await until(lambda: service.streams == 1)
            gate.release(100)
            messages = await until_end(connection, "b")
            assert pcm_of(messages) == ramp_pcm(400)
            # A cancel that comes too late is no fault.
            await send(connection, type="cancel", id="b")
            await send(connection, type="ping", t="x")
            assert await receive(connection) == {"type": "pong", "t": "x"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("message", "id", "words"),
    [
        ({"type": "sing", "id": "a"}, None, ["'sing'"]),
        ({**HELLO, "id": "a", "emotoin": "happy"}, "a", ["emotoin", "'emotion'"]),
        ({**HELLO, "id": "a", "voice": "eve"}, "a", ["'eve'", "ann, bob"]),
        ({"type": "cancel", "id": "nobody"}, None, ["'nobody'"]),
        ({"type": "ack", "id": "nobody", "seq": 4}, None, ["'nobody'"]),
        ({"type": "text", "id": "nobody", "text": "hi"}, None, ["'nobody'"]),
        ({"type": "end", "id": "nobody"}, None, ["'nobody'"]),
        (b"\x00\x01", None, ["text frame"]),
        ("{", None, ["JSON"]),
    ],
)
def test_what_is_wrong_gets_an_error_and_the_connection_lives(
    message: dict[str, Any] | bytes | str, id: str | None, words: list[str]
) -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await connection.send(json.dumps(message) if isinstance(message, dict) else message)
            error = await receive(connection)
            assert (error["type"], error.get("id")) == ("error", id)
            assert [word for word in words if word not in error["message"]] == []
            await send(connection, **HELLO, id="a")
            assert pcm_of(await until_end(connection)) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_an_id_in_use_is_refused_and_its_request_goes_on() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with served(FakeEngine(gate=gate)) as (service, _, port), connected(port) as c:
            await opened(c)
            await send(c, **HELLO, id="a")
            await send(c, **HELLO, id="a")
            error = await receive(c)
            assert (error["type"], error["code"], "id" in error) == ("error", "bad_request", False)
            gate.release(100)
            assert pcm_of(await until_end(c)) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_text_that_lacks_a_piece_is_not_spoken_on() -> None:
    async def scenario() -> None:
        async with served(ReadingEngine()) as (service, _, port), connected(port) as connection:
            await opened(connection)
            await send(connection, type="start", id="a", voice="ann", language="en")
            await until(lambda: service.streams == 1)
            await send(connection, type="text", id="a", text=["Hello"])
            error = (await until_end(connection))[-1]
            assert (error["id"], error["code"]) == ("a", "bad_request")
            await until(lambda: service.streams == 0)

    asyncio.run(scenario())


def test_one_request_more_than_a_connection_may_have_is_refused() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        config = with_limits(max_streams=2, max_queued=64, max_wait_s=60)
        async with (
            served(FakeEngine(gate=gate), config) as (_, _, port),
            connected(port) as connection,
        ):
            first = await receive(connection)
            for number in range(first["requests_at_once"] + 1):
                await send(connection, **HELLO, id=str(number))
            error = await receive(connection)
            assert (error["id"], error["code"]) == (str(first["requests_at_once"]), "overloaded")
            assert error["retry_after_s"] > 0

    asyncio.run(scenario())


def test_a_connection_that_is_lost_ends_its_requests_within_a_step() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        engine = FakeEngine(piece_samples=(100,) * 50, gate=gate)
        async with served(engine) as (service, door, port):
            async with connected(port) as connection:
                await opened(connection)
                await send(connection, **HELLO, id="a")
                await until(lambda: service.streams == 1)
                connection.transport.abort()
            await until(lambda: service.streams == 0)
            await until(lambda: len(door.sessions) == 0)
            gate.release(50)
            await until(lambda: engine.dropped == [HELLO["text"]])
        assert len(engine.steps) <= 2

    asyncio.run(scenario())


def test_a_request_in_a_format_is_one_file() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await send(connection, **HELLO, id="a", format="wav", chunk_ms=100)
            messages = await until_end(connection)
            assert messages[0]["format"] == "wav"
            data = pcm_of(messages)
            assert (data[:4], data[44:]) == (b"RIFF", ramp_pcm(1000))
            await send(connection, **HELLO, id="a", format="flac")
            assert pcm_of(await until_end(connection))[:4] == b"fLaC"

    asyncio.run(scenario())


def test_a_deadline_of_its_own_ends_a_request() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with served(FakeEngine(gate=gate)) as (service, _, port), connected(port) as c:
            await opened(c)
            await send(c, **HELLO, id="a", timeout_s=0.05)
            assert (await receive(c))["code"] == "deadline_exceeded"
            await until(lambda: service.streams == 0)

    asyncio.run(scenario())


def test_voices_are_listed() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await send(connection, type="voices")
            voices = (await receive(connection))["voices"]
            assert [voice["id"] for voice in voices] == ["ann", "bob"]
            assert voices[0]["emotions"] == ["calm", "happy"]

    asyncio.run(scenario())


# Lost connections.


async def take(connection: ClientConnection, count: int) -> list[Received]:
    return [await receive(connection) for _ in range(count)]


def test_a_lost_connection_is_resumed_without_a_gap() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, door, port):
            async with connected(port) as first:
                session = await opened(first)
                await send(first, **HELLO, id="a", resumable=True)
                before = await take(first, 5)
                first.transport.abort()
            await until(lambda: len(door.sessions) == 1)
            async with connected(port) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": 4})
                assert await receive(second) == {
                    "type": "resumed",
                    "session": session,
                    "requests": {"a": {"text_chars": 0, "ended": True}},
                }
                after = await until_end(second)
                await send(second, type="ack", id="a", seq=after[-1]["seq"])
                await send(second, type="ping")
                assert (await receive(second))["type"] == "pong"
            await until(lambda: len(door.sessions) == 0)
        assert [message["seq"] for message in before + after] == list(range(12))
        assert pcm_of(before + after) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_connection_that_seems_alive_gives_its_session_to_the_next() -> None:
    async def scenario() -> None:
        async with (
            served(FakeEngine()) as (_, _, port),
            connected(port) as first,
            connected(port) as second,
        ):
            session = await opened(first)
            await send(first, **HELLO, id="a", resumable=True)
            before = await take(first, 3)
            await opened(second)
            await send(second, type="resume", session=session, received={"a": 2})
            assert (await receive(second))["type"] == "resumed"
            after = await until_end(second)
            assert pcm_of(before + after) == ramp_pcm(1000)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await receive(first)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == door_module.CLOSE_RESUMED

    asyncio.run(scenario())


def test_while_its_client_is_away_a_request_is_made_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tts.servers.wire.session.KEEP_BYTES", 4000)

    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(500,) * 40)
        async with served(engine) as (_, door, port):
            async with connected(port) as first:
                session = await opened(first)
                await send(first, **HELLO, id="a", resumable=True)
                before = await take(first, 2)
                first.transport.abort()
            # 4000 bytes are kept, a chunk is being added, 1 s waits at the engine's side.
            await until(lambda: len(engine.steps) >= 5)
            await asyncio.sleep(0.1)
            assert len(engine.steps) <= 10
            async with connected(port) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": 1})
                assert (await receive(second))["type"] == "resumed"
                after = []
                while not after or after[-1]["type"] != "done":
                    after.append(await receive(second))
                    await send(second, type="ack", id="a", seq=after[-1]["seq"])
            messages = before + after
            assert [message["seq"] for message in messages] == list(range(len(messages)))
            assert pcm_of(messages) == ramp_pcm(20_000)

    asyncio.run(scenario())


def test_a_text_that_was_being_written_goes_on_after_the_loss() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (service, door, port):
            async with connected(port) as first:
                session = await opened(first)
                start = {"type": "start", "id": "a", "voice": "ann", "language": "en"}
                await send(first, **start, resumable=True)
                await send(first, type="text", id="a", text="Hello ")
                await until(lambda: service.streams == 1)
                await send(first, type="ping")
                while (await receive(first))["type"] != "pong":
                    pass
                first.transport.abort()
            async with connected(port) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": -1})
                resumed = await receive(second)
                assert resumed["requests"] == {"a": {"text_chars": 6, "ended": False}}
                await send(second, type="text", id="a", text="there, Ann.")
                await send(second, type="end", id="a")
                messages = await until_end(second)
                assert messages[-1]["type"] == "done"
                assert pcm_of(messages) == ramp_pcm(1000)

    asyncio.run(scenario())


def test_a_session_that_waited_too_long_is_over_and_so_says_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "RESUME_WITHIN_S", 0.05)

    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(100,) * 50, gate=threading.Semaphore(0))
        async with served(engine) as (service, door, port):
            async with connected(port) as first:
                session = await opened(first)
                await send(first, **HELLO, id="a", resumable=True)
                await until(lambda: service.streams == 1)
                first.transport.abort()
            await until(lambda: len(door.sessions) == 0)
            await until(lambda: service.streams == 0)
            async with connected(port) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": -1})
                errors = await take(second, 2)
                assert [error["code"] for error in errors] == ["session_lost"] * 2
                assert [error.get("id") for error in errors] == [None, "a"]
                await send(second, type="ping")
                assert (await receive(second))["type"] == "pong"

    asyncio.run(scenario())


def test_a_request_that_never_came_is_named_when_its_session_is_resumed() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port):
            async with connected(port) as first:
                session = await opened(first)
                await send(first, **HELLO, id="a", resumable=True)
                await take(first, 2)
                first.transport.abort()
            async with connected(port) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": 1, "b": -1})
                assert list((await receive(second))["requests"]) == ["a"]
                messages = [await receive(second)]
                while messages[-1].get("id") != "b":
                    messages.append(await receive(second))
                assert messages[-1]["code"] == "session_lost"
                assert "send it again" in messages[-1]["message"]

    asyncio.run(scenario())


def test_a_session_is_its_callers_own() -> None:
    async def scenario() -> None:
        config = WITH_KEYS.model_copy(update={"chunks": CONFIG.chunks})
        async with served(FakeEngine(), config) as (_, door, port):
            async with connected(port, key=KEY) as first:
                session = await opened(first)
                await send(first, **HELLO, id="a", resumable=True)
                await take(first, 2)
                first.transport.abort()
            async with connected(port, key=MANAGER_KEY) as other:
                await opened(other)
                await send(other, type="resume", session=session, received={})
                assert (await receive(other))["code"] == "session_lost"
            async with connected(port, key=KEY) as second:
                await opened(second)
                await send(second, type="resume", session=session, received={"a": 1})
                assert (await receive(second))["type"] == "resumed"

    asyncio.run(scenario())


def test_a_client_that_acknowledges_nothing_is_told_that_it_is_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tts.servers.wire.session.KEEP_BYTES", 2000)

    async def scenario() -> None:
        engine = FakeEngine(piece_samples=(500,) * 10)
        async with (
            served(engine, with_limits(reader_idle_s=0.1)) as (service, _, port),
            connected(port) as connection,
        ):
            await opened(connection)
            await send(connection, **HELLO, id="a", resumable=True)
            messages = await until_end(connection)
            assert messages[-1]["code"] == "slow_reader"
            await until(lambda: service.streams == 0)

    asyncio.run(scenario())


def test_a_client_that_reads_nothing_is_dropped_and_its_work_with_it() -> None:
    async def scenario() -> None:
        # A second of it does not fit any buffer.
        engine = FakeEngine(piece_samples=(200_000,) * 100)
        config = with_limits(reader_idle_s=0.2, ahead_s=60.0)
        async with served(engine, config) as (service, door, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            try:
                writer.write(
                    b"GET /ws/tts HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                )
                await reader.readuntil(b"\r\n\r\n")
                payload = json.dumps({**HELLO, "id": "a", "chunk_ms": 1000}).encode()
                mask = bytes(4)
                writer.write(bytes([0x81, 0x80 | 126]) + len(payload).to_bytes(2) + mask + payload)
                await until(lambda: service.streams == 1)
                await until(lambda: service.streams == 0)
                await until(lambda: len(door.sessions) == 0)
                assert len(engine.steps) < 100
            finally:
                writer.transport.abort()

    asyncio.run(scenario())


# Connections.


@pytest.mark.parametrize("way", ["header", "subprotocol", "query"])
def test_a_key_may_come_in_any_way_a_client_can_send_it(way: str) -> None:
    async def scenario() -> None:
        async with served(FakeEngine(), WITH_KEYS) as (_, _, port), aiohttp.ClientSession() as http:
            url = f"http://127.0.0.1:{port}/ws/tts"
            ways: dict[str, Callable[[], Any]] = {
                "header": lambda: http.ws_connect(url, headers={"Authorization": f"Bearer {KEY}"}),
                "subprotocol": lambda: http.ws_connect(
                    url, protocols=["parley.tts.v1", f"parley-key.{KEY}"]
                ),
                "query": lambda: http.ws_connect(f"{url}?key={KEY}"),
            }
            async with ways[way]() as connection:
                assert json.loads(await connection.receive_str())["type"] == "session"
                assert connection.protocol == ("parley.tts.v1" if way == "subprotocol" else None)

    asyncio.run(scenario())


def test_without_a_key_where_one_is_needed_there_is_no_connection() -> None:
    async def scenario() -> None:
        async with served(FakeEngine(), WITH_KEYS) as (_, _, port):
            for key in (None, "wrong"):
                with pytest.raises(InvalidStatus) as refused:
                    async with connected(port, key=key):
                        pass
                assert refused.value.response.status_code == 401

    asyncio.run(scenario())


def test_what_is_no_websocket_request_is_told_so() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), aiohttp.ClientSession() as http:
            async with http.get(f"http://127.0.0.1:{port}/ws/tts") as answer:
                assert answer.status == 400
                assert "WebSocket" in (await answer.json())["error"]["message"]

    asyncio.run(scenario())


def test_a_message_that_is_too_long_closes_the_connection() -> None:
    async def scenario() -> None:
        async with served(FakeEngine(), WITH_KEYS) as (_, _, port), connected(port, key=KEY) as c:
            await opened(c)
            await c.send("x" * (WITH_KEYS.http.max_body_bytes + 1))
            assert await close_code(c) == 1009

    asyncio.run(scenario())


def test_text_that_is_no_utf8_closes_the_connection() -> None:
    async def scenario() -> None:
        async with served(FakeEngine()) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await connection.send(b"\xff", text=True)
            assert await close_code(connection) == 1007

    asyncio.run(scenario())


async def close_code(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await receive(connection)
    assert closed.value.rcvd is not None
    return int(closed.value.rcvd.code)


def test_a_connection_that_nobody_uses_is_closed_with_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(door_module, "IDLE_S", 0.05)

    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with served(FakeEngine(gate=gate)) as (_, _, port), connected(port) as connection:
            await opened(connection)
            await send(connection, **HELLO, id="a")
            await asyncio.sleep(0.2)
            gate.release(100)
            # It was in use.
            assert pcm_of(await until_end(connection)) == ramp_pcm(1000)
            assert await close_code(connection) == door_module.CLOSE_IDLE

    asyncio.run(scenario())


def test_going_down_the_door_lets_requests_end_and_takes_no_more() -> None:
    async def scenario() -> None:
        gate = threading.Semaphore(0)
        async with (
            served(FakeEngine(gate=gate)) as (service, door, port),
            connected(port) as busy,
            connected(port) as idle,
        ):
            await opened(busy)
            await opened(idle)
            await send(busy, **HELLO, id="a")
            await until(lambda: service.streams == 1)
            stopping = asyncio.create_task(door.stop(10), name="stopping")
            assert await close_code(idle) == 1001
            await send(busy, **HELLO, id="b")
            error = await receive(busy)
            assert (error["id"], error["code"]) == ("b", "unavailable")
            with pytest.raises(InvalidStatus) as refused:
                async with connected(port):
                    pass
            assert refused.value.response.status_code == 503
            gate.release(100)
            assert pcm_of(await until_end(busy)) == ramp_pcm(1000)
            assert await close_code(busy) == 1001
            await stopping

    asyncio.run(scenario())


def test_going_down_cuts_off_what_takes_too_long() -> None:
    async def scenario() -> None:
        async with (
            served(FakeEngine(gate=threading.Semaphore(0))) as (service, door, port),
            connected(port) as connection,
        ):
            await opened(connection)
            await send(connection, **HELLO, id="a", resumable=True)
            await until(lambda: service.streams == 1)
            await door.stop(0.05)
            assert await close_code(connection) == 1001
            await until(lambda: service.streams == 0)
            assert len(door.sessions) == 0

    asyncio.run(scenario())


def test_what_all_clients_together_are_owed_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that ended and were never acknowledged: each of them may hold half a megabyte."""
    monkeypatch.setattr(session_module, "MORE_THAN_STREAMS", 0)
    most = 2 * (CONFIG.limits.max_streams + CONFIG.limits.max_queued)

    async def scenario() -> None:
        async with (
            served(FakeEngine(piece_samples=(100,))) as (_, _, port),
            connected(port) as one,
            connected(port) as two,
        ):
            await opened(one)
            await opened(two)
            for number in range(most):
                await send(one, **HELLO, id=f"r{number}", resumable=True)
                await until_end(one, f"r{number}")
            await send(two, **HELLO, id="a")
            (refused,) = await until_end(two)
            assert (refused["code"], str(most) in refused["message"]) == ("overloaded", True)
            # One that is acknowledged makes room.
            await send(one, type="ack", id="r0", seq=100)
            assert (await receive(one))["type"] == "error"
            await send(one, type="ack", id="r0", seq=4)
            await until_acknowledged(two)

    async def until_acknowledged(connection: ClientConnection) -> None:
        for number in range(1000):
            await send(connection, **HELLO, id=f"b{number}")
            if (await until_end(connection, f"b{number}"))[-1]["type"] == "done":
                return
            await asyncio.sleep(0.005)
        raise AssertionError("no room was made")

    asyncio.run(scenario())
