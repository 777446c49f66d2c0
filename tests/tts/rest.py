"""A client of the HTTP door that gives chunks: OpenAI's events with the keys that are ours."""

import base64
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.tts.doors import Door, FakeEngine, running
from tests.tts.sockets import spoken
from tts.access import Access
from tts.config import GptSovitsConfig, Secrets, ServiceConfig
from tts.errors import TtsError, Unavailable
from tts.servers.http import HttpDoor
from tts.servers.openai import OpenAiApi
from tts.servers.operations import Operation
from tts.servers.status import STATUS_OF
from tts.servers.voices import VoicesApi
from tts.service import SynthesisService, whole
from tts.types import Mark, SpeechChunk, SynthesisRequest, Voice
from tts.voices.managing import VoiceManager
from tts.voices.workshop import Workshop

CLASS_OF_CODE = {cls.code: cls for cls in STATUS_OF}


class OverRest:
    """A caller of one service."""

    def __init__(self, service: SynthesisService, session: aiohttp.ClientSession) -> None:
        self.service = service
        self._session = session

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        body = {
            "model": "parley",
            "input": request.text,
            **spoken(request),
            "response_format": "pcm",
            "stream_format": "sse",
            "sample_rate_hz": 0,
        }
        async with self._session.post("/v1/audio/speech", json=body) as response:
            if response.status != 200:
                raise error_of((await response.json())["error"])
            async for event in events(response.content):
                if event["type"] == "error":
                    raise error_of(event["error"])
                if event["type"] == "speech.audio.delta":
                    yield chunk_of(event)

    async def synthesize(self, request: SynthesisRequest) -> SpeechChunk:
        return whole([chunk async for chunk in self.stream(request)])

    async def voices(self) -> tuple[Voice, ...]:
        async with self._session.get("/v1/voices") as response:
            listed = (await response.json())["voices"]
        return tuple(
            Voice(
                id=voice["id"],
                languages=tuple(voice["languages"]),
                sample_rate_hz=voice["sample_rate_hz"],
                engine=voice["engine"],
                description=voice["description"],
                emotions=tuple(voice["emotions"]),
            )
            for voice in listed
        )

    def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk]:
        raise NotImplementedError("a REST request has its whole text")


async def events(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The events of a stream, each a line of data and an empty line."""
    async for line in content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def chunk_of(event: dict[str, Any]) -> SpeechChunk:
    return SpeechChunk(
        pcm=base64.b64decode(event["audio"]),
        sample_rate_hz=event["sample_rate_hz"],
        first_sample=event["first_sample"],
        marks=tuple(Mark(**mark) for mark in event["marks"]),
        is_final=event["is_final"],
        voice=event["voice"],
    )


def error_of(error: dict[str, Any]) -> TtsError:
    return CLASS_OF_CODE.get(error["code"], Unavailable)(error["message"])


@asynccontextmanager
async def http_door(
    service: SynthesisService,
    config: ServiceConfig,
    address: str,
    folder: Path,
    *,
    secrets: Secrets | None = None,
    more: Sequence[Operation] = (),
) -> AsyncIterator[int]:
    """A service's HTTP door with the dialect of OpenAI and the voices; yields its port."""
    secrets = secrets or Secrets()
    cloned = GptSovitsConfig(voices_dir=folder / "voices", pretrained_dir=folder / "pretrained")
    manager = VoiceManager(cloned, service, Workshop(cloned), weights_dir=None)
    door = HttpDoor(
        config,
        Access(config.access, secrets),
        [
            *OpenAiApi(service, config).operations(),
            *VoicesApi(manager, config.http).operations(),
            *more,
        ],
        is_ready=lambda: True,
        metrics=lambda: "",
    )
    try:
        port = await door.start(address)
        door.ready()
        yield port
    finally:
        await manager.stop()
        await door.stop(0)


@asynccontextmanager
async def over_rest(engine: FakeEngine, config: ServiceConfig) -> AsyncIterator[Door]:
    """On a Unix socket."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with (
            running(engine, config) as service,
            http_door(service, config, f"unix:{folder / 's'}", folder),
            aiohttp.ClientSession(
                "http://parley", connector=aiohttp.UnixConnector(str(folder / "s"))
            ) as session,
        ):
            yield OverRest(service, session)
