"""A daemon without models: serves the page, answers offers, and says what a test tells it to.

In: calls of `send`, `tell` and `hang_up` from the test's thread.  Out: what the client sent, over
HTTP (`requests`) and over the data channel (`received`).  Runs its own event loop in a thread.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from aiortc.sdp import candidate_from_sdp

WEB = Path(__file__).parents[2] / "web"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No looser than the daemon's own."""
PERSONAS = [
    {"id": "customer-service-en", "name": "Harbour Bank service desk", "language": "en"},
    {"id": "customer-service-zh", "name": "海湾银行客服", "language": "zh"},
    {"id": "innkeeper-en", "name": "Marta, keeper of the Crooked Lantern", "language": "en"},
    {"id": "innkeeper-zh", "name": "歪灯笼客栈的老板娘", "language": "zh"},
    {"id": "tutor-en", "name": "Pip, a tutor for children", "language": "en"},
    {"id": "tutor-zh", "name": "小皮老师", "language": "zh"},
]
WAIT_S = 20.0


@dataclass
class Request:
    """One HTTP request to the API."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class FakeDaemon:
    """Use as a context manager; `url` is where it listens."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.refusal: tuple[int, str, str] | None = None
        """(status, code, message) with which offers are answered instead."""
        self.personas: list[dict[str, str]] = PERSONAS
        self.requests: list[Request] = []
        self.received: list[Any] = []
        self.url = ""
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._peers: dict[str, RTCPeerConnection] = {}
        self._channel: RTCDataChannel | None = None
        self._thread = threading.Thread(target=self._run, name="fake-daemon")

    def __enter__(self) -> "FakeDaemon":
        self._thread.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT_S)

    def send(self, type_: str, **data: Any) -> None:
        """Send one RTVI message to the client."""
        message = {"label": "rtvi-ai", "type": type_, "id": "0", "data": data}
        self._loop.call_soon_threadsafe(self._send_now, json.dumps(message))

    def tell(self, **data: Any) -> None:
        """Send one message of our own: an RTVI server-message."""
        self.send("server-message", **data)

    def close_channel(self) -> None:
        """Close the data channel without a word."""
        self._loop.call_soon_threadsafe(lambda: self._channel and self._channel.close())

    def wait_for(self, found: Callable[[], bool]) -> None:
        """Block until `found` holds, looking each time something arrives."""
        with self._changed:
            assert self._changed.wait_for(found, WAIT_S), "the client never sent it"

    def messages(self, type_: str) -> list[dict[str, Any]]:
        """RTVI messages of one type received so far."""
        return [m for m in self.received if isinstance(m, dict) and m.get("type") == type_]

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(middlewares=[self._note_request])
        app.router.add_get("/api/personas", self._get_personas)
        app.router.add_get("/api/ice", self._get_ice)
        app.router.add_post("/api/offer", self._post_offer)
        app.router.add_patch("/api/offer", self._patch_offer)
        app.router.add_get("/", self._get_index)
        app.router.add_static("/", WEB)
        app.on_response_prepare.append(self._add_policy)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._ready.set()
        await self._stop.wait()
        for peer in self._peers.values():
            await peer.close()
        await runner.cleanup()

    async def _add_policy(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY

    @web.middleware
    async def _note_request(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        body = await request.json() if request.can_read_body else None
        self._note(
            self.requests, Request(request.method, request.path, dict(request.headers), body)
        )
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(401, "unauthorized", "a bearer token is required")
        return await handler(request)

    async def _get_index(self, _: web.Request) -> web.FileResponse:
        return web.FileResponse(WEB / "index.html")

    async def _get_personas(self, _: web.Request) -> web.Response:
        return web.json_response({"default": self.personas[0]["id"], "personas": self.personas})

    async def _get_ice(self, _: web.Request) -> web.Response:
        return web.json_response({"iceServers": []})

    async def _post_offer(self, request: web.Request) -> web.Response:
        if self.refusal is not None:
            return _error(*self.refusal)
        offer = await request.json()
        peer = RTCPeerConnection()
        pc_id = f"peer-{len(self._peers)}"
        self._peers[pc_id] = peer
        peer.on("datachannel", self._take_channel)
        peer.addTrack(AudioStreamTrack())
        await peer.setRemoteDescription(RTCSessionDescription(offer["sdp"], offer["type"]))
        await peer.setLocalDescription(await peer.createAnswer())
        answer = peer.localDescription
        return web.json_response({"sdp": answer.sdp, "type": answer.type, "pc_id": pc_id})

    async def _patch_offer(self, request: web.Request) -> web.Response:
        body = await request.json()
        for item in body["candidates"]:
            candidate = candidate_from_sdp(item["candidate"].removeprefix("candidate:"))
            candidate.sdpMid = item["sdp_mid"]
            candidate.sdpMLineIndex = item["sdp_mline_index"]
            await self._peers[body["pc_id"]].addIceCandidate(candidate)
        return web.json_response({"status": "success"})

    def _take_channel(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("message", self._take_message)

    def _take_message(self, text: str) -> None:
        message = text if text.startswith("ping") else json.loads(text)
        self._note(self.received, message)
        if isinstance(message, dict) and message["type"] == "client-ready":
            self.send("bot-ready", version="2.1.0", about={"library": "fake"})

    def _send_now(self, text: str) -> None:
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.send(text)

    def _note(self, where: list[Any], item: Any) -> None:
        with self._changed:
            where.append(item)
            self._changed.notify_all()


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
