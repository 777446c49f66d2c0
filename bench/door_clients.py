"""Callers of the service through each of its doors.

In: a port, and a text.  Out: PCM as it comes, each caller with its door's own client library.
`Refused` tells what the service answered instead.
"""

import base64
import json
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from bench.door_server import Server
from tts.client import TtsClient
from tts.errors import TtsError
from tts.types import SynthesisRequest

VOICE, LANGUAGE, RATE_HZ = "heart", "en", 24_000
_FRAME = struct.Struct("<BBHIQ")
"""Before the audio of a binary message: see docs/protocols/websocket.md."""
_WAV_HEADER_BYTES = 44


class Refused(Exception):
    """The service's code for why not."""


class Caller(Protocol):
    """Whoever wants something said."""

    def speak(self, text: str) -> AsyncGenerator[bytes]:
        """PCM of the text, 24 kHz mono, as it comes.  Raises `Refused`."""

    async def close(self) -> None:
        """End the connection."""


@dataclass
class Grpc:
    """`StreamSynthesize`."""

    server: Server
    _client: TtsClient = field(init=False)

    def __post_init__(self) -> None:
        self._client = TtsClient(f"127.0.0.1:{self.server.grpc_port}")

    async def speak(self, text: str) -> AsyncGenerator[bytes]:
        """See `Caller`."""
        expected = 0
        request = SynthesisRequest(text, VOICE, LANGUAGE)
        try:
            async with aclosing(self._client.stream(request)) as chunks:
                async for chunk in chunks:
                    if chunk.first_sample != expected:
                        raise RuntimeError(f"sample {chunk.first_sample} came, not {expected}")
                    expected += len(chunk.pcm) // 2
                    yield chunk.pcm
        except TtsError as error:
            raise Refused(error.code) from error

    async def close(self) -> None:
        """See `Caller`."""
        await self._client.close()


@dataclass
class _Http:
    server: Server
    _session: aiohttp.ClientSession = field(init=False)

    def __post_init__(self) -> None:
        self._session = aiohttp.ClientSession(
            base_url=f"http://127.0.0.1:{self.server.http_port}",
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """See `Caller`."""
        await self._session.close()

    async def _checked(self, answer: aiohttp.ClientResponse) -> None:
        if answer.status != 200:
            body = await answer.json()
            raise Refused(body.get("error", {}).get("code") or str(answer.status))


class Rest(_Http):
    """`POST /v1/audio/speech`, raw PCM."""

    async def speak(self, text: str) -> AsyncGenerator[bytes]:
        """See `Caller`."""
        body = {"model": "tts-1", "voice": VOICE, "input": text, "response_format": "pcm"}
        async with self._session.post("/v1/audio/speech", json=body) as answer:
            await self._checked(answer)
            async for data in answer.content.iter_any():
                yield data


class Sse(_Http):
    """`POST /v1/audio/speech`, PCM in events."""

    async def speak(self, text: str) -> AsyncGenerator[bytes]:
        """See `Caller`."""
        body = {
            **{"model": "tts-1", "voice": VOICE, "input": text},
            **{"response_format": "pcm", "stream_format": "sse"},
        }
        async with self._session.post("/v1/audio/speech", json=body) as answer:
            await self._checked(answer)
            while line := await answer.content.readline():
                if line.startswith(b"data: {"):
                    event = json.loads(line[len("data: ") :])
                    if event["type"] == "speech.audio.delta":
                        yield base64.b64decode(event["audio"])
                    elif event["type"] == "error":
                        raise Refused(event["error"]["code"])


class ApiV2(_Http):
    """`GET /tts` as GPT-SoVITS' own server has it, WAV while it is made."""

    async def speak(self, text: str) -> AsyncGenerator[bytes]:
        """See `Caller`."""
        query = {
            **{"text": text, "text_lang": LANGUAGE, "ref_audio_path": VOICE},
            **{"prompt_lang": LANGUAGE, "streaming_mode": "true", "media_type": "wav"},
        }
        async with self._session.get("/tts", params=query) as answer:
            await self._checked(answer)
            await answer.content.readexactly(_WAV_HEADER_BYTES)
            async for data in answer.content.iter_any():
                yield data


class WebSocket(_Http):
    """`/ws/tts`; the connection is opened with the first request and kept."""

    _socket: aiohttp.ClientWebSocketResponse | None = None
    _asked = 0

    @property
    def is_closed(self) -> bool:
        """Whether the service has hung up, which it does after a while of silence."""
        return self._socket is not None and self._socket.closed

    async def open(self) -> None:
        """Connect, if not yet."""
        if self._socket is None:
            self._socket = await self._session.ws_connect(
                "/ws/tts", protocols=["parley.tts.v1"], max_msg_size=0
            )

    async def speak(self, text: str) -> AsyncGenerator[bytes]:
        """See `Caller`."""
        await self.open()
        assert self._socket is not None
        self._asked += 1
        await self._socket.send_json(
            {
                **{"type": "synthesize", "id": str(self._asked), "text": text},
                **{"voice": VOICE, "language": LANGUAGE},
            }
        )
        expected = 0
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                first_sample = _FRAME.unpack_from(message.data)[-1]
                if first_sample != expected:
                    raise RuntimeError(f"sample {first_sample} came, not {expected}")
                pcm = message.data[_FRAME.size :]
                expected += len(pcm) // 2
                yield pcm
            elif message.type is aiohttp.WSMsgType.TEXT:
                event = json.loads(message.data)
                if event["type"] == "done":
                    return
                if event["type"] == "error":
                    raise Refused(event["code"])
        raise RuntimeError("the connection ended in the middle of a request")

    async def close(self) -> None:
        """See `Caller`."""
        if self._socket is not None:
            await self._socket.close()
        await super().close()


DOORS: dict[str, Callable[[Server], Caller]] = {
    "grpc": Grpc,
    "websocket": WebSocket,
    "rest": Rest,
    "sse": Sse,
    "api_v2": ApiV2,
}
