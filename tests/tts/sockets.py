"""A client of the WebSocket door, written with `websockets` alone, and the door for it."""

import asyncio
import itertools
import json
import struct
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect, unix_connect

from tests.tts.doors import Door, running
from tests.tts.fake_engine import FakeEngine
from tests.tts.servers.http_doors import served
from tts.config import Secrets, ServiceConfig
from tts.errors import TtsError, Unavailable
from tts.servers.status import STATUS_OF
from tts.servers.websocket import WebSocketDoor
from tts.service import SynthesisService, whole
from tts.types import Mark, SpeechChunk, SynthesisRequest, Voice
from tts.writing import spoken_while

SUBPROTOCOL = "parley.tts.v1"
CLASS_OF_CODE = {cls.code: cls for cls in STATUS_OF}
HEADER = struct.Struct("<BBHIQ")
Received = dict[str, Any]


def decoded(frame: str | bytes) -> Received:
    """A frame of the server; of audio, what its header says, with the audio as `data`."""
    if isinstance(frame, str):
        return json.loads(frame)
    version, flags, handle, seq, offset = HEADER.unpack_from(frame)
    assert (version, flags & ~1) == (1, 0)
    return {
        "type": "audio",
        "handle": handle,
        "seq": seq,
        "offset": offset,
        "is_final": bool(flags & 1),
        "data": frame[HEADER.size :],
    }


def error_of(message: Received) -> TtsError:
    return CLASS_OF_CODE.get(message["code"], Unavailable)(message["message"])


def spoken(request: SynthesisRequest) -> dict[str, Any]:
    """A request's fields; those that are the voice's own are left out."""
    fields = {
        "voice": request.voice,
        "language": request.language,
        "speed": request.speed,
        "emotion": request.emotion,
        "marks": list(request.marks),
        "seed": request.seed,
        "top_k": request.top_k,
        "top_p": request.top_p,
        "temperature": request.temperature,
        "repetition_penalty": request.repetition_penalty,
    }
    return {name: value for name, value in fields.items() if value is not None}


class SocketClient:
    """One connection that carries any number of requests at once."""

    def __init__(self, service: SynthesisService, connection: ClientConnection) -> None:
        self.service = service
        self._connection = connection
        self._ids = (f"r{number}" for number in itertools.count())
        self._events: dict[str, asyncio.Queue[Received]] = {}
        self._handles: dict[int, str] = {}
        self._voices: asyncio.Queue[Received] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read(), name="socket-client")

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        id = self._new()
        async with aclosing(self._chunks(id)) as chunks:
            await self._send("synthesize", id=id, text=request.text, **spoken(request))
            async for chunk in chunks:
                yield chunk

    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk:
        return whole([chunk async for chunk in self.stream(request)])

    async def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk]:
        id = self._new()
        await self._send("start", id=id, text=request.text, **spoken(request))
        writing = asyncio.create_task(self._write(id, texts), name="socket-client-text")
        try:
            async with aclosing(spoken_while(writing, self._chunks(id))) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            if isinstance(texts, AsyncGenerator):
                await texts.aclose()

    async def voices(self) -> tuple[Voice, ...]:
        await self._send("voices")
        listed = (await self._voices.get())["voices"]
        return tuple(
            Voice(
                **{
                    **voice,
                    "languages": tuple(voice["languages"]),
                    "emotions": tuple(voice["emotions"]),
                }
            )
            for voice in listed
        )

    async def close(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._connection.close()

    def _new(self) -> str:
        """An id of a request, whose events are kept from now on."""
        id = next(self._ids)
        self._events[id] = asyncio.Queue()
        return id

    async def _chunks(self, id: str) -> AsyncGenerator[SpeechChunk]:
        """What comes of a request; leaving it cancels it."""
        queue = self._events[id]
        accepted: Received = {}
        marks: tuple[Mark, ...] = ()
        samples = seq = 0
        is_over = False
        try:
            while True:
                event = await queue.get()
                if event["type"] == "error":
                    is_over = True
                    raise error_of(event)
                assert event["seq"] == seq
                seq += 1
                match event["type"]:
                    case "accepted":
                        accepted = event
                    case "marks":
                        marks = tuple(Mark(**mark) for mark in event["marks"])
                    case "audio":
                        assert event["offset"] == samples
                        samples += len(event["data"]) // 2
                        yield SpeechChunk(
                            pcm=event["data"],
                            sample_rate_hz=accepted["sample_rate_hz"],
                            first_sample=event["offset"],
                            marks=marks,
                            is_final=event["is_final"],
                            voice=accepted["voice"],
                        )
                        marks = ()
                    case "done":
                        is_over = True
                        assert event["samples"] == samples
                        return
        finally:
            del self._events[id]
            if not is_over:
                await self._send("cancel", id=id)

    async def _write(self, id: str, texts: AsyncIterator[str]) -> None:
        async for text in texts:
            await self._send("text", id=id, text=text)
        await self._send("end", id=id)

    async def _send(self, type_: str, **fields: Any) -> None:
        await self._connection.send(json.dumps({"type": type_, **fields}))

    async def _read(self) -> None:
        async for frame in self._connection:
            event = decoded(frame)
            if event["type"] == "voices":
                self._voices.put_nowait(event)
                continue
            if event["type"] == "accepted":
                self._handles[event["handle"]] = event["id"]
            id = event.get("id") or self._handles.get(event.get("handle", -1))
            if id in self._events:
                self._events[id].put_nowait(event)


@asynccontextmanager
async def websocket_door(
    service: SynthesisService,
    config: ServiceConfig,
    *,
    address: str = "127.0.0.1:0",
    secrets: Secrets | None = None,
) -> AsyncIterator[tuple[WebSocketDoor, int]]:
    """A service's WebSocket door, and its port."""
    door = WebSocketDoor(service, config)
    async with served(door.operations(), config, address=address, secrets=secrets) as (_, port):
        try:
            yield door, port
        finally:
            await door.stop(0)


@asynccontextmanager
async def connected(
    port: int, *, key: str | None = None, path: str = "/ws/tts"
) -> AsyncIterator[ClientConnection]:
    """A connection as a browser makes it; its `session` message is yet to be read."""
    protocols: Sequence[Any] = [SUBPROTOCOL, *([f"parley-key.{key}"] if key else [])]
    async with connect(
        f"ws://127.0.0.1:{port}{path}", subprotocols=protocols, max_size=None
    ) as connection:
        assert connection.subprotocol == SUBPROTOCOL
        yield connection


@asynccontextmanager
async def over_websocket(engine: FakeEngine, config: ServiceConfig) -> AsyncIterator[Door]:
    """All requests of a test share one connection, on a Unix socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "s")
        async with (
            running(engine, config) as service,
            websocket_door(service, config, address=f"unix:{path}"),
            unix_connect(
                path,
                "ws://parley/ws/tts",
                subprotocols=[SUBPROTOCOL],
                max_size=None,  # type: ignore[list-item]
            ) as connection,
        ):
            client = SocketClient(service, connection)
            try:
                yield client
            finally:
                await client.close()
