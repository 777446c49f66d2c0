"""The speech service through the daemon's port: real HTTP on both sides, a scripted service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from agent.speech_proxy import SpeechProxy
from tests.agent.doors import Client, FakeWorker, bearer


class Service:
    """What the proxy reaches; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.gone = asyncio.Event()
        self.go_on = asyncio.Event()
        self.key: str | None = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 20)
        app.add_routes(
            [
                web.post("/v1/audio/speech", self._speech),
                web.get("/v1/models", self._models),
                web.get("/tts", self._drip),
                web.get("/v1/broken", self._broken),
                web.get("/ws/tts", self._socket),
                web.get("/metrics", self._metrics),
            ]
        )
        return app

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        headers = {"Retry-After": "7", "X-Voice": "ann", "Server": "inner"}
        return web.Response(status=429, text="later", headers=headers)

    async def _models(self, request: web.Request) -> web.StreamResponse:
        good = self.key is None or request.headers.get("Authorization") == f"Bearer {self.key}"
        return web.json_response(
            {"error": {"code": "x"}} if not good else {}, status=200 if good else 401
        )

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"first")
            await self.go_on.wait()
            await response.write(b"second")
        finally:
            self.gone.set()
        return response

    async def _broken(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("key") == "wrong":
            return web.Response(status=401)
        socket = web.WebSocketResponse(protocols=["parley.tts.v1"])
        await socket.prepare(request)
        async for message in socket:
            if message.data == "end":
                await socket.close(code=4000, message=b"over")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data.upper())
            else:
                await socket.send_bytes(message.data[::-1])
        return socket

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return web.Response(text="# HELP spoken S.\n# TYPE spoken counter\nspoken 3.0\n")


@asynccontextmanager
async def daemon(
    folder: Path, token: str | None = None
) -> AsyncIterator[tuple[Service, Client, aiohttp.ClientSession]]:
    service = Service()
    runner = web.AppRunner(service.app(), handler_cancellation=True)
    await runner.setup()
    await web.UnixSite(runner, str(folder / "s.sock")).start()
    proxy = SpeechProxy(f"unix:{folder / 's.sock'}", max_body_bytes=1000)
    worker = FakeWorker(folder, token=token, speech=proxy)
    try:
        async with worker.open() as client:
            url = client._client.make_url("")
            async with aiohttp.ClientSession(base_url=url) as session:
                yield service, client, session
    finally:
        await proxy.close()
        await runner.cleanup()


def test_a_request_and_its_answer_pass_unchanged(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (service, client, _):
            answer = await client.send(
                "POST",
                "/v1/audio/speech?a=1&b=%20",
                data=b"\x00body",
                headers={"Authorization": "Bearer k", "X-Request-Timeout": "2", "TE": "trailers"},
            )
        assert (answer.status, answer.text) == (429, "later")
        assert (answer.headers["Retry-After"], answer.headers["X-Voice"]) == ("7", "ann")
        assert answer.headers["Server"] == "parley"
        (asked,) = service.asked
        assert asked.path_qs == "/v1/audio/speech?a=1&b=%20"
        assert service.bodies == [b"\x00body"]
        assert asked.headers["Authorization"] == "Bearer k"
        assert asked.headers["X-Request-Timeout"] == "2"
        assert asked.headers["X-Forwarded-For"] == "127.0.0.1"
        assert "TE" not in asked.headers

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_nobodys_request_is_taken_for_the_body_of_another(tmp_path: Path, method: str) -> None:
    """A length was passed on without its body, and the service took what came next for it."""

    async def scenario() -> None:
        async with daemon(tmp_path) as (service, client, session):
            url = client._client.make_url("")
            reader, writer = await asyncio.open_connection(url.host, url.port)
            try:
                hidden = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
                length = f"Host: localhost\r\nContent-Length: {len(hidden)}"
                head = f"{method} /v1/models HTTP/1.1\r\n{length}\r\n\r\n"
                writer.write(head.encode() + hidden)
                status = int((await reader.readline()).split()[1])
                assert status == (200 if method == "GET" else 405)
                for _ in range(3):
                    async with session.get("/v1/models") as answer:
                        assert answer.content_type == "application/json"
            finally:
                writer.close()
                await writer.wait_closed()
        assert service.asked == []

    asyncio.run(scenario())


@pytest.mark.parametrize(("token", "status"), [(None, 403), ("t", 200)])
def test_what_a_foreign_page_shows_is_asked_for_only_with_a_key(
    tmp_path: Path, token: str | None, status: int
) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path, token) as (_, client, _session):
            page = {"Sec-Fetch-Site": "cross-site", "Referer": "http://evil.example/"}
            answer = await client.send("GET", "/v1/models", headers=page)
        assert answer.status == status

    asyncio.run(scenario())


def test_audio_passes_as_it_is_made(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (service, _, session), session.get("/tts") as answer:
            assert await answer.content.readany() == b"first"
            service.go_on.set()
            assert await answer.content.readany() == b"second"

    asyncio.run(scenario())


def test_a_caller_that_leaves_ends_the_service_s_work(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (service, _, session):
            async with session.get("/tts") as answer:
                assert await answer.content.readany() == b"first"
                answer.close()
            async with asyncio.timeout(10):
                await service.gone.wait()
            assert not service.go_on.is_set()

    asyncio.run(scenario())


def test_an_answer_that_breaks_off_does_not_look_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (_, _, session), session.get("/v1/broken") as answer:
            with pytest.raises(aiohttp.ClientError):
                await answer.read()

    asyncio.run(scenario())


def test_a_body_beyond_the_bound_is_refused_unread(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (service, client, _):
            answer = await client.send("POST", "/v1/audio/speech", data=b"x" * 1001)
            assert (answer.status, answer.error["code"]) == (413, "body_too_large")
            assert service.bodies == []

    asyncio.run(scenario())


def test_a_service_that_is_not_there_is_said_to_be_unavailable(tmp_path: Path) -> None:
    async def scenario() -> None:
        proxy = SpeechProxy(f"unix:{tmp_path / 'nobody'}", max_body_bytes=1000)
        async with FakeWorker(tmp_path, speech=proxy).open() as client:
            answer = await client.send("POST", "/v1/audio/speech", data=b"{}")
            assert (answer.status, answer.error["code"]) == (503, "unavailable")
            assert answer.headers["Retry-After"]
        await proxy.close()

    asyncio.run(scenario())


def test_messages_of_a_websocket_pass_both_ways_with_protocol_and_close_code(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (_, _, session):
            protocols = ["parley-key.k", "parley.tts.v1"]
            async with session.ws_connect("/ws/tts?x=1", protocols=protocols) as socket:
                assert socket.protocol == "parley.tts.v1"
                await socket.send_str("hallo")
                assert await socket.receive_str() == "HALLO"
                await socket.send_bytes(b"\x01\x02")
                assert await socket.receive_bytes() == b"\x02\x01"
                await socket.send_str("end")
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert socket.close_code == 4000

    asyncio.run(scenario())


def test_a_refused_websocket_is_refused_alike(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (_, _, session):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect("/ws/tts?key=wrong")
            assert refusal.value.status == 401

    asyncio.run(scenario())


def test_a_foreign_page_may_not_ask_through_the_daemon(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path) as (service, client, _):
            answer = await client.send(
                "POST", "/v1/audio/speech", headers={"Origin": "https://evil.example"}
            )
            assert (answer.status, answer.error["code"]) == (403, "foreign_origin")
            assert service.asked == []

    asyncio.run(scenario())


def test_the_service_s_metrics_stand_among_the_daemon_s(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path, token="t") as (service, client, _):
            text = (await client.get("/metrics", headers=bearer("t"))).text
            assert "spoken 3.0" in text.splitlines()
            assert "parley_calls_in_progress" in text
            assert service.asked[-1].headers["Authorization"] == "Bearer t"

    asyncio.run(scenario())


def test_a_service_elsewhere_is_asked_with_its_key_by_those_who_have_the_daemon_s_token(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        service = Service()
        service.key = "theirs"
        runner = web.AppRunner(service.app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        proxy = SpeechProxy(f"http://127.0.0.1:{port}", max_body_bytes=1000, key="theirs")
        async with FakeWorker(tmp_path, token="ours", speech=proxy).open() as client:
            assert (await client.get("/v1/models")).status == 401
            assert (await client.get("/v1/models", headers=bearer("theirs"))).status == 401
            assert (await client.get("/v1/models", headers=bearer("ours"))).status == 200
            refused = await client.send("POST", "/v1/audio/transcriptions", data=b"x")
            assert refused.status == 401
        await proxy.close()
        await runner.cleanup()

    asyncio.run(scenario())


def test_who_may_not_have_something_spoken_may_not_have_something_written_down(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with daemon(tmp_path, token="t") as (service, client, _):
            service.key = "k"
            refused = await client.send("POST", "/v1/audio/transcriptions", data=b"x")
            assert (refused.status, refused.error["code"]) == (401, "x")
            passed = await client.send(
                "POST", "/v1/audio/transcriptions", data=b"x", headers=bearer("k")
            )
            assert (passed.status, passed.error["code"]) == (400, "bad_request")

    asyncio.run(scenario())
