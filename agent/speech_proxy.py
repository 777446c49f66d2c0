"""The speech service's HTTP door, reached through the daemon's own port.

In: requests for the service's paths, WebSocket ones among them.  Out: the service's answers, as
they come.  Who may ask for what is decided there; the daemon's guard has looked at host and origin.
Knows nothing of what the paths mean.  Loop's thread only.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from tts.errors import Unavailable

PATHS = (
    "/v1/{rest:.*}",
    "/ws/tts",
    "/tts",
    "/speakers",
    "/control",
    "/set_gpt_weights",
    "/set_sovits_weights",
    "/set_refer_audio",
    "/openapi.json",
)
"""What the service answers: its own API, and those of other projects' clients."""

CONNECT_TIMEOUT_S = 2.0
METRICS_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 2.0
_ASKED_FOR_LEAVE = "/v1/models"  # costs nothing, and needs a key where anything does

# RFC 9110, 7.6.1: what is said to the next hop alone.  The lengths are kept.
_HOP = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION, hdrs.KEEP_ALIVE, hdrs.PROXY_AUTHENTICATE, hdrs.PROXY_AUTHORIZATION,
        hdrs.TE, hdrs.TRAILER, hdrs.TRANSFER_ENCODING, hdrs.UPGRADE,
    )
)  # fmt: skip
_ANSWERED_HERE = frozenset(name.lower() for name in (hdrs.SERVER, hdrs.DATE))


class SpeechProxy:
    """Passes requests on to one service."""

    def __init__(self, address: str, *, max_body_bytes: int, key: str | None = None) -> None:
        """`address` is "unix:/path", of a service that asks for the daemon's own keys, or
        "http://host:port" of one that runs elsewhere and is asked with `key`."""
        self._unix = address.removeprefix("unix:") if address.startswith("unix:") else None
        self._url = "http://speech" if self._unix is not None else address.rstrip("/")
        self.checks_keys = self._unix is not None
        """Whether the service knows whom the daemon lets in."""
        self._max_body_bytes = max_body_bytes
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def refusal(self, request: web.Request) -> web.Response | None:
        """Return how the service refuses the request's key or token; None when it is good.

        Raises `Unavailable` when the service is not there.
        """
        headers = {
            name: value
            for name, value in self._passed_on(request).items()
            if name in (hdrs.AUTHORIZATION, "X-API-Key")
        }
        timeout = aiohttp.ClientTimeout(total=CONNECT_TIMEOUT_S)
        async with (
            _explained(),
            self._connected().get(
                f"{self._url}{_ASKED_FOR_LEAVE}", headers=headers, timeout=timeout
            ) as answer,
        ):
            if answer.status == 200:
                return None
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                content_type=answer.content_type,
                headers={hdrs.WWW_AUTHENTICATE: "Bearer"} if answer.status == 401 else None,
            )

    async def metrics(self, token: str | None) -> str | None:
        """Return the service's metrics in Prometheus' words; None when it does not answer."""
        key = self._key or token
        headers = {hdrs.AUTHORIZATION: f"Bearer {key}"} if key else {}
        timeout = aiohttp.ClientTimeout(total=METRICS_TIMEOUT_S)
        try:
            async with self._connected().get(
                f"{self._url}/metrics", headers=headers, timeout=timeout
            ) as answer:
                return await answer.text() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def close(self) -> None:
        """Close the connections.  Idempotent."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back.

        Raises `Unavailable` when the service is not there, 413 for a huge body."""
        length = request.content_length or 0
        if length > self._max_body_bytes:
            raise web.HTTPRequestEntityTooLarge(self._max_body_bytes, length)
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return await self._pass_socket(request)
        return await self._pass_request(request)

    async def _pass_request(self, request: web.Request) -> web.StreamResponse:
        async with (
            _explained(),
            self._connected().request(
                request.method,
                self._at(request),
                headers=self._passed_on(request),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
            ) as answer,
        ):
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP | _ANSWERED_HERE:
                    response.headers.add(name, value)
            await response.prepare(request)
            try:
                async for data in answer.content.iter_any():
                    await response.write(data)
            except aiohttp.ClientError as error:
                # What was sent looks like a whole answer unless the connection breaks.
                if request.transport is not None:
                    request.transport.abort()
                raise ConnectionResetError("the speech service broke off") from error
            await response.write_eof()
            return response

    async def _pass_socket(self, request: web.Request) -> web.StreamResponse:
        wanted = [
            name.strip()
            for name in request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
            if name.strip()
        ]
        headers = {
            name: value
            for name, value in self._passed_on(request).items()
            if not name.lower().startswith(("sec-websocket-", "content-length"))
        }
        try:
            async with (
                _explained(),
                self._connected().ws_connect(
                    self._at(request),
                    headers=headers,
                    protocols=wanted,
                    autoping=False,
                    max_msg_size=0,
                ) as service,
            ):
                chosen = [service.protocol] if service.protocol else []
                client = web.WebSocketResponse(
                    protocols=chosen,
                    autoping=False,
                    timeout=_CLOSE_TIMEOUT_S,
                    max_msg_size=self._max_body_bytes,
                )
                await client.prepare(request)
                await _pump_both(client, service)
                return client
        except aiohttp.WSServerHandshakeError as refusal:
            kind = {401: "unauthenticated", 403: "forbidden"}.get(refusal.status, "unavailable")
            body = {"error": {"code": kind, "message": "the speech service refused the connection"}}
            return web.json_response(body, status=refusal.status)

    def _at(self, request: web.Request) -> URL:
        """The same place at the service, letter by letter."""
        return URL(self._url + request.rel_url.raw_path_qs, encoded=True)

    def _passed_on(self, request: web.Request) -> Mapping[str, str]:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _HOP
        )
        if not request.body_exists:
            # The service would take what somebody else asks next for the body.
            headers.popall(hdrs.CONTENT_LENGTH, None)
        if request.remote:
            headers["X-Forwarded-For"] = request.remote
        if self._key is not None:
            headers[hdrs.AUTHORIZATION] = f"Bearer {self._key}"
        return headers

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = (
                aiohttp.UnixConnector(self._unix, limit=0)
                if self._unix is not None
                else aiohttp.TCPConnector(limit=0)
            )
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """Name the service that cannot be reached; refusals of a handshake are answers."""
    try:
        yield
    except aiohttp.WSServerHandshakeError:
        raise
    except (aiohttp.ClientConnectionError, aiohttp.ServerTimeoutError) as error:
        raise Unavailable("the speech service cannot be reached; it may be starting") from error


async def _pump_both(
    client: web.WebSocketResponse, service: aiohttp.ClientWebSocketResponse
) -> None:
    """Carry messages both ways until one side closes; the other is closed alike."""
    ways = [
        asyncio.create_task(_pump(client, service), name="speech-socket-in"),
        asyncio.create_task(_pump(service, client), name="speech-socket-out"),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for one, other in ((service, client), (client, service)):
            if not one.closed:
                await one.close(code=other.close_code or aiohttp.WSCloseCode.GOING_AWAY)


_Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: _Socket, target: _Socket) -> None:
    """Each message waits until the one before it has left."""
    async for message in source:
        if message.type is aiohttp.WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is aiohttp.WSMsgType.BINARY:
            await target.send_bytes(message.data)
        elif message.type is aiohttp.WSMsgType.PING:
            await target.ping(message.data)
        elif message.type is aiohttp.WSMsgType.PONG:
            await target.pong(message.data)
