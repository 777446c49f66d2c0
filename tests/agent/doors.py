"""Workers in miniature for the tests of the HTTP door: real HTTP, scripted lines and calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
import numpy as np
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from faster_whisper.transcribe import Segment, TranscriptionInfo, Word
from numpy.typing import NDArray

from agent.config import CallsConfig, ServerConfig
from agent.http import Door, Peer
from agent.metrics import Metrics
from agent.persona import Persona
from agent.sessions import CallRecord, Sessions, id_prefix
from agent.siblings import Siblings, socket_path
from agent.speech_proxy import SpeechProxy
from agent.stt.decoder import Wanted
from agent.transcriptions import Events, Transcribe
from agent.writer import FileWriter
from transports.base import CallTransport
from transports.offer import OfferRefused

OFFER = {"sdp": "v=0", "type": "offer"}


class FakePeer:
    """A line that lives until it is closed."""

    def __init__(self, pc_id: str, sdp: str) -> None:
        self.pc_id = pc_id
        self.sdp = sdp
        self.candidates: list[Any] = []
        self.restarts: list[bool] = []
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def answer(self) -> dict[str, str]:
        return {"sdp": f"answer to {self.sdp}", "type": "answer", "pc_id": self.pc_id}

    async def renegotiate(
        self, offer_sdp: object, offer_type: object, *, restart_pc: bool = False
    ) -> dict[str, str]:
        self.sdp = str(offer_sdp)
        self.restarts.append(restart_pc)
        return self.answer

    async def add_candidates(self, items: object) -> None:
        assert isinstance(items, list)
        if any(item["candidate"] == "nonsense" for item in items):
            raise OfferRefused("malformed_candidate", "candidates[0].candidate is 'nonsense'")
        self.candidates += items

    async def wait_closed(self) -> str:
        return await asyncio.shield(self.closed)

    async def close(self, reason: str) -> None:
        if not self.closed.done():
            self.closed.set_result(reason)


def persona(id: str, language: str = "en") -> Persona:
    values = {"id": id, "name": id.title(), "language": language, "voice": "v", "prompt": "p"}
    return Persona.model_validate(values)


def says(*texts: str, asked: list[tuple[int, Wanted]] | None = None) -> Transcribe:
    """A recogniser that hears these texts, a second each, and keeps what it was asked."""

    async def transcribe(audio: NDArray[np.float32], wanted: Wanted) -> Events:
        if asked is not None:
            asked.append((len(audio), wanted))
        options: Any = None
        yield TranscriptionInfo("en", 1.0, float(len(texts)), 1.0, None, options, options)
        for index, text in enumerate(texts):
            words = [Word(float(index), index + 0.5, f" {text}", 1.0)] if wanted.words else None
            yield Segment(
                index, 0, float(index), index + 0.75, f" {text}", [7], -0.1, 1.0, 0.0, words, 0.0
            )

    return transcribe


@dataclass
class FakeWorker:
    """One worker with a door; calls do nothing but wait for the end of their line."""

    run_dir: Path
    index: int = 0
    count: int = 1
    max_calls: int = 2
    token: str | None = None
    server: Mapping[str, Any] = field(default_factory=dict)
    ready: dict[str, bool] = field(default_factory=lambda: {"models": True})
    peers: list[FakePeer] = field(default_factory=list)
    personas_called: list[str] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    breaks: Exception | None = None
    speech: SpeechProxy | None = None
    transcribe: Transcribe = field(default_factory=lambda: says())

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.index)
        self.writer = FileWriter()
        self.siblings = Siblings(self.run_dir, own=self.index, count=self.count)
        self.sessions = Sessions(
            self._run_call,
            calls=CallsConfig(log_dir=None),
            max_calls=self.max_calls,
            metrics=self.metrics,
            writer=self.writer,
        )
        web_dir = self.run_dir / "web"
        web_dir.mkdir(exist_ok=True)
        (web_dir / "index.html").write_text("<!doctype html><title>Parley</title>")
        (web_dir / "client.js").write_text("export {};")
        self.door = Door(
            server=ServerConfig.model_validate(self.server),
            sessions=self.sessions,
            personas={"anna": persona("anna"), "wei": persona("wei", "zh")},
            why_silent=lambda persona: self.silent.get(persona.id),
            default_persona="anna",
            accept=self._accept,
            ready=lambda: self.ready,
            ice_servers=[{"urls": ["stun:stun.example.org"]}],
            metrics=self.metrics,
            web_dir=web_dir,
            siblings=self.siblings,
            speech=self.speech,
            transcribe=self.transcribe,
        )

    async def _accept(self, sdp: str, type: str) -> Peer:
        if self.breaks is not None:
            raise self.breaks
        if not sdp.startswith("v=0"):
            raise OfferRefused("malformed_sdp", "sdp must be text that begins with 'v=0'")
        peer = FakePeer(f"{id_prefix(self.index)}{len(self.peers)}", sdp)
        self.peers.append(peer)
        return cast(Peer, peer)

    async def _run_call(
        self, transport: CallTransport, persona: Persona, record: CallRecord
    ) -> None:
        self.personas_called.append(persona.id)
        record.end(await transport.wait_closed())

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Client"]:
        """Serve on a port and on the worker's own socket."""
        private = web.AppRunner(self.door.private_app())
        await private.setup()
        await web.UnixSite(private, str(socket_path(self.run_dir, self.index))).start()
        client = TestClient(TestServer(self.door.public_app(self.token)))
        try:
            async with client:
                yield Client(client)
        finally:
            await self.sessions.end_all("test over")
            await private.cleanup()
            await self.siblings.close()
            await self.writer.close()


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = self.json["error"]
        return found


class Client:
    """Sends requests and reads answers."""

    def __init__(self, client: "TestClient[web.Request, web.Application]") -> None:
        self._client = client

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        async with self._client.request(method, path, **options) as response:
            return Answer(response.status, response.headers, await response.text())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.send("GET", path, **options)

    async def offer(self, body: Any = OFFER, path: str = "/api/offer", **options: Any) -> Answer:
        return await self.send("POST", path, json=body, **options)

    async def patch(self, body: Any) -> Answer:
        return await self.send("PATCH", "/api/offer", json=body)


@asynccontextmanager
async def workers(run_dir: Path, count: int, **options: Any) -> AsyncIterator[list[Any]]:
    """Open several workers of one daemon; gives (worker, client) pairs."""
    async with AsyncExitStack() as stack:
        pairs = []
        for index in range(count):
            worker = FakeWorker(run_dir, index=index, count=count, **options)
            pairs.append((worker, await stack.enter_async_context(worker.open())))
        yield pairs


def bearer(token: str) -> dict[str, str]:
    return {aiohttp.hdrs.AUTHORIZATION: f"Bearer {token}"}
