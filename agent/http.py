"""The HTTP door: signalling, the page, health and metrics.

In: requests of browsers, of pipecat's SmallWebRTC clients and of operators.  Out: calls started
in `Sessions`, JSON answers, and for every refusal {"error": {"code", "message", "field"?}}.  A
request that belongs to another worker is passed on through `Siblings`, one for the speech service
through `SpeechProxy`.  Knows nothing of what
happens inside a call, nor which transport answers the offer.  Loop's thread only.
"""

import asyncio
import hmac
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast

from aiohttp import hdrs, web
from loguru import logger
from pydantic import AliasChoices, BaseModel, Field

from agent.config import ServerConfig
from agent.metrics import CONTENT_TYPE, Metrics, merge
from agent.persona import Persona
from agent.sessions import NotAdmitted, RunningCall, Sessions, call_owner
from agent.siblings import Siblings
from agent.speech_proxy import PATHS as SPEECH_PATHS
from agent.speech_proxy import SpeechProxy
from agent.tables import ConfigError, fit, unknown
from agent.transcriptions import PATH as TRANSCRIPTIONS
from agent.transcriptions import Transcribe, Transcriptions
from transports.base import CallTransport
from transports.offer import OfferRefused
from tts.errors import TtsError
from tts.servers.origin import is_loopback, may_ask, names_loopback, origin_behind
from tts.servers.status import status_of

BODY_TIMEOUT_S = 10.0
"""A request's body must have arrived by then."""
ANSWER_TIMEOUT_S = 10.0
"""An offer must have been answered by then."""
RETRY_AFTER_S = 5
SPARE_PART = "llm"
"""A call can be taken without it: the agent says that it cannot think, and recovers with it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = TypeVar("Body", bound=BaseModel)

_TOKEN_PATHS = ("/api/", "/start", "/sessions/", "/metrics")
"""What a token guards.  The page itself is open: it is where a person types the token in."""
_CORS = web.RequestKey("cors", dict[str, str])
_PRIVATE = web.AppKey("private", bool)
"""Set on the application that only siblings reach: it passes nothing on."""
_PREFLIGHT_HEADERS = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST, PATCH",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "authorization, content-type",
    hdrs.ACCESS_CONTROL_MAX_AGE: "600",
}

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; media-src 'self' blob: mediastream:; "
        "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self)",
    "Cache-Control": "no-cache",
}
COMMON_HEADERS = {
    "Server": "parley",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class ApiError(Exception):
    """A refusal with its status and stable code; `field` names the offending one."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


class Candidate(BaseModel):
    """A trickled ICE candidate; an empty `candidate` says that no more follow."""

    candidate: str = Field(max_length=2000)
    sdp_mid: str | None = Field(None, validation_alias=AliasChoices("sdp_mid", "sdpMid"))
    sdp_mline_index: int | None = Field(
        None, validation_alias=AliasChoices("sdp_mline_index", "sdpMLineIndex")
    )


class Offer(BaseModel):
    """The body of POST /api/offer."""

    sdp: str = Field(min_length=1)
    type: Literal["offer"]
    pc_id: str | None = None
    restart_pc: bool | None = None
    request_data: dict[str, Any] | None = Field(
        None, validation_alias=AliasChoices("request_data", "requestData")
    )


class Candidates(BaseModel):
    """The body of PATCH /api/offer."""

    pc_id: str
    candidates: list[Candidate] = Field(max_length=100)


class StartRequest(BaseModel):
    """The body of POST /start."""

    transport: Literal["webrtc"] = "webrtc"
    body: dict[str, Any] | None = None


class Peer(CallTransport, Protocol):
    """A caller's line as signalling sees it: `transports.webrtc.WebRtcPeer`.

    Every method may raise `OfferRefused`.
    """

    @property
    def pc_id(self) -> str:
        """Names the call; begins with its worker's `id_prefix`."""

    @property
    def answer(self) -> Mapping[str, str]:
        """The answer to the latest offer: sdp, type, pc_id."""

    async def renegotiate(
        self, offer_sdp: object, offer_type: object, *, restart_pc: bool = False
    ) -> Mapping[str, str]:
        """Answer a further offer of the same caller."""

    async def add_candidates(self, items: object) -> None:
        """Take trickled candidates."""


Accept = Callable[[str, str], Awaitable[Peer]]
"""(sdp, type) -> the line, its answer ready.  Raises `OfferRefused`."""


class Door:
    """Every handler of a worker, and what they need."""

    def __init__(
        self,
        *,
        server: ServerConfig,
        sessions: Sessions,
        personas: Mapping[str, Persona],
        why_silent: Callable[[Persona], str | None],
        default_persona: str,
        accept: Accept,
        ready: Callable[[], Mapping[str, bool]],
        ice_servers: Sequence[Mapping[str, Any]],
        metrics: Metrics,
        web_dir: Path,
        siblings: Siblings,
        speech: SpeechProxy | None,
        transcribe: Transcribe,
    ) -> None:
        """`why_silent` says why a persona cannot speak now; such a one is not offered.  `speech`:
        the speech service's own door, if it has one."""
        self._server = server
        self._sessions = sessions
        self._personas = personas
        self._why_silent = why_silent
        self._default_persona = default_persona
        self._accept = accept
        self._ready = ready
        self._ice_servers = ice_servers
        self._metrics = metrics
        self._web_dir = web_dir
        self._siblings = siblings
        self._speech = speech
        self._transcriptions = Transcriptions(transcribe)
        self._token: str | None = None

    def public_app(self, token: str | None) -> web.Application:
        """Return the application for the daemon's port."""
        self._token = token
        app = self._app([_errors, _guard(self._server, token)])
        app.add_routes(
            [
                web.post("/start", self._start),
                web.get("/metrics", self._all_metrics),
                web.get("/healthz", self._all_health),
                web.get("/readyz", self._all_ready),
                web.post(TRANSCRIPTIONS, self._transcribe),
            ]
        )
        if self._speech is not None:
            app.add_routes([web.route("*", path, self._pass_speech) for path in SPEECH_PATHS])
        app.add_routes(_page_routes(self._web_dir))
        app.on_response_prepare.append(_add_headers)
        return app

    def private_app(self) -> web.Application:
        """Return the application for the worker's own socket, which only siblings reach."""
        app = self._app([_errors])
        app.add_routes(
            [
                web.get("/metrics", self._own_metrics),
                web.get("/healthz", self._own_health),
                web.get("/readyz", self._own_ready),
                web.get("/load", self._load),
            ]
        )
        app[_PRIVATE] = True
        return app

    def _app(self, middlewares: Sequence[Any]) -> web.Application:
        app = web.Application(middlewares=middlewares, client_max_size=self._server.max_body_bytes)
        app.add_routes(
            [
                web.post("/api/offer", self._offer),
                web.patch("/api/offer", self._candidates),
                web.post("/sessions/{session}/api/offer", self._offer),
                web.patch("/sessions/{session}/api/offer", self._candidates),
                web.get("/api/personas", self._list_personas),
                web.get("/api/ice", self._ice),
            ]
        )
        return app

    async def _offer(self, request: web.Request) -> web.StreamResponse:
        try:
            offer = await _body(request, Offer)
            answer = await self._own_or_forward(request, offer.pc_id)
            if answer is None:
                answer = await self._renegotiate(offer) or await self._new_call(request, offer)
            return answer
        except ApiError as error:
            if not _is_private(request):
                self._metrics.offer_refused(error.code)
            raise

    async def _candidates(self, request: web.Request) -> web.StreamResponse:
        patch = await _body(request, Candidates)
        forwarded = await self._own_or_forward(request, patch.pc_id)
        if forwarded is not None:
            return forwarded
        call = self._sessions.find(patch.pc_id)
        if call is None:
            raise ApiError(404, "unknown_call", "no such call, or it is over", "pc_id")
        with _refusals("candidates"):
            await _peer(call).add_candidates([item.model_dump() for item in patch.candidates])
        return web.json_response({"status": "success"})

    async def _own_or_forward(
        self, request: web.Request, call_id: str | None
    ) -> web.Response | None:
        """Pass a request about another worker's call on; None when it is ours to answer."""
        owner = call_owner(call_id) if call_id else None
        if owner is None or _is_private(request) or not self._siblings.has(owner):
            return None
        response = await self._siblings.forward(owner, request, await request.read())
        if response is None and request.method == hdrs.METH_PATCH:
            raise ApiError(404, "unknown_call", "the call ended with its worker", "pc_id")
        return response

    async def _renegotiate(self, offer: Offer) -> web.Response | None:
        """Answer a further offer of a running call; None for one that is not (any more) ours.

        As with pipecat's own server, a caller whose call is gone simply gets a new one.
        """
        call = self._sessions.find(offer.pc_id) if offer.pc_id else None
        if call is None:
            return None
        with _refusals("sdp"):
            async with _answer_in_time():
                answer = await _peer(call).renegotiate(
                    offer.sdp, offer.type, restart_pc=bool(offer.restart_pc)
                )
        return web.json_response(dict(answer))

    async def _new_call(self, request: web.Request, offer: Offer) -> web.Response:
        persona = self._persona(_wanted_persona(request, offer))
        missing = self._missing()
        try:
            if missing and not self._sessions.draining:
                raise NotAdmitted("starting", f"not ready yet: {', '.join(missing)}")
            with self._sessions.reserve():
                with _refusals("sdp"):
                    async with _answer_in_time():
                        peer = await self._accept(offer.sdp, offer.type)
                self._sessions.start(peer.pc_id, peer, persona)
                return web.json_response(dict(peer.answer))
        except NotAdmitted as refusal:
            if not _is_private(request):
                body = await request.read()
                elsewhere = await self._siblings.forward_to_free(request, body)
                if elsewhere is not None:
                    return elsewhere
            raise ApiError(503, refusal.code, str(refusal)) from None

    def _missing(self) -> list[str]:
        """Return the parts without which no call can be taken."""
        return [part for part, ready in self._ready().items() if not ready and part != SPARE_PART]

    def _persona(self, name: object) -> Persona:
        if name is None:
            name = self._default_persona
        persona = self._personas.get(name) if isinstance(name, str) else None
        if persona is None:
            message = unknown(str(name)[:80], "persona", sorted(self._personas))
            raise ApiError(422, "unknown_persona", message, "request_data.persona")
        if (reason := self._why_silent(persona)) is not None:
            message = f"{persona.id} cannot speak: {reason}"
            raise ApiError(422, "voice_unavailable", message, "request_data.persona")
        return persona

    async def _start(self, request: web.Request) -> web.Response:
        """Name a session for clients that ask for one first; the name carries the persona."""
        start = await _body(request, StartRequest) if request.can_read_body else StartRequest()
        persona = self._persona((start.body or {}).get("persona"))
        return web.json_response(
            {"sessionId": persona.id, "iceConfig": {"iceServers": list(self._ice_servers)}}
        )

    async def _list_personas(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "default": self._default_persona,
                "personas": [
                    {
                        "id": persona.id,
                        "name": persona.name,
                        "language": persona.language,
                        "interruption": persona.turns.interruption,
                    }
                    for persona in self._personas.values()
                    if self._why_silent(persona) is None
                ],
            }
        )

    async def _ice(self, request: web.Request) -> web.Response:
        return web.json_response({"iceServers": list(self._ice_servers)})

    async def _pass_speech(self, request: web.Request) -> web.StreamResponse:
        assert self._speech is not None
        if self._token is None:
            # What a page of another site shows or plays is asked for without an Origin.
            _check_origin(self._server, request, origin_behind(request.headers))
        elif not self._speech.checks_keys:
            _check_token(request, self._token)
        return await self._speech.handle(request)

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        """Whoever may have something spoken may have something written down."""
        if self._speech is not None and self._speech.checks_keys:
            refusal = await self._speech.refusal(request)
            if refusal is not None:
                return refusal
        elif self._token is not None:
            _check_token(request, self._token)
        return await self._transcriptions.handle(request)

    async def _load(self, request: web.Request) -> web.Response:
        free = 0 if self._missing() else self._sessions.free
        return web.json_response({"running": self._sessions.running, "free": free})

    async def _own_metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self._metrics.render())

    async def _own_health(self, request: web.Request) -> web.Response:
        return web.json_response(self._health())

    async def _own_ready(self, request: web.Request) -> web.Response:
        return web.json_response(self._readiness())

    async def _all_metrics(self, request: web.Request) -> web.Response:
        others = await self._siblings.get_all("/metrics")
        texts = [self._metrics.render(), *(text for text in others.values() if text)]
        if self._speech is not None and (spoken := await self._speech.metrics(self._token)):
            texts.append(spoken)
        return web.Response(text=merge(texts), headers={"Content-Type": CONTENT_TYPE})

    async def _all_health(self, request: web.Request) -> web.Response:
        workers = await self._gather("/healthz", self._health())
        alive = all(state is not None for state in workers.values())
        status = {"status": "ok" if alive else "degraded", "workers": workers}
        return web.json_response(status)

    async def _all_ready(self, request: web.Request) -> web.Response:
        workers = await self._gather("/readyz", self._readiness())
        ready = any(state is not None and state["ready"] for state in workers.values())
        body = {"ready": ready, "workers": workers}
        return web.json_response(body, status=200 if ready else 503)

    async def _gather(self, path: str, own: Mapping[str, Any]) -> dict[str, Any]:
        """Return every worker's answer by its index; None for one that does not answer."""
        others = await self._siblings.get_all(path)
        states = {index: json.loads(text) if text else None for index, text in others.items()}
        states[self._siblings.own] = own
        return {str(index): states[index] for index in sorted(states)}

    def _health(self) -> dict[str, Any]:
        return {"calls": self._sessions.running, "draining": self._sessions.draining}

    def _readiness(self) -> dict[str, Any]:
        parts = dict(self._ready())
        return {"ready": all(parts.values()) and not self._sessions.draining, "parts": parts}


def _page_routes(web_dir: Path) -> list[web.RouteDef]:
    """Return a route for each file of the page, and "/" for its index."""

    def serve(path: Path) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return web.FileResponse(path)

        return handler

    files = {f"/{path.name}": path for path in sorted(web_dir.iterdir()) if path.is_file()}
    return [web.get(route, serve(path)) for route, path in files.items()] + [
        web.get("/", serve(web_dir / "index.html"))
    ]


def _is_private(request: web.Request) -> bool:
    return _PRIVATE in request.app


def _peer(call: RunningCall) -> Peer:
    """Return a call's line; every line of this door's calls came from `Accept`."""
    return cast(Peer, call.transport)


@contextmanager
def _refusals(field: str) -> Iterator[None]:
    try:
        yield
    except OfferRefused as refusal:
        raise ApiError(400, refusal.code, refusal.message, field) from None


def _wanted_persona(request: web.Request, offer: Offer) -> object:
    """The persona named in the offer, else by the session's name, else None."""
    wanted = (offer.request_data or {}).get("persona")
    return wanted if wanted is not None else request.match_info.get("session")


@asynccontextmanager
async def _answer_in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            yield
    except TimeoutError:
        message = "the offer could not be answered in time"
        raise ApiError(503, "answer_timeout", message) from None


async def _body(request: web.Request, model: type[Body]) -> Body:
    """Read and check a JSON body; raises `ApiError` for everything that is wrong with it."""
    if request.content_type != "application/json":
        message = f'content type "{request.content_type}"; must be "application/json"'
        raise ApiError(415, "unsupported_media_type", message)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            data = json.loads(await request.read())
    except TimeoutError:
        raise ApiError(408, "body_timeout", "the body did not arrive in time") from None
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "malformed_json", f"the body is not JSON: {error}") from None
    try:
        return fit(model, data, "body")
    except ConfigError as error:
        problem = error.problems[0]
        message = "; ".join(f"{p.key}: {p.message}" if p.key else p.message for p in error.problems)
        raise ApiError(422, "bad_request", message, problem.key or None) from None


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every failure the one JSON form; a defect is logged and never shown."""
    try:
        return await handler(request)
    except ApiError as error:
        return _error_response(error)
    except TtsError as error:
        refusal = ApiError(status_of(error).http, error.code, str(error))
        after_s = error.retry_after_s
        return _error_response(
            refusal, {hdrs.RETRY_AFTER: str(math.ceil(after_s))} if after_s else {}
        )
    except web.HTTPRequestEntityTooLarge as error:
        return _error_response(ApiError(413, "body_too_large", error.text or ""))
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refusal = ApiError(405, "method_not_allowed", f"{error.method}; allowed: {allowed}")
        return _error_response(refusal, {hdrs.ALLOW: allowed})
    except web.HTTPNotFound:
        return _error_response(ApiError(404, "not_found", f"no such path: {request.path[:200]}"))
    except web.HTTPException as error:
        return _error_response(ApiError(error.status, "http_error", error.reason))
    except ConnectionError:
        raise
    except Exception:
        logger.bind(method=request.method, path=request.path).exception("request failed")
        return _error_response(ApiError(500, "internal", "the server failed; its log says why"))


def _error_response(
    error: ApiError, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    body = {"code": error.code, "message": str(error)}
    if error.field is not None:
        body["field"] = error.field
    headers = dict(headers or {})
    if error.status == 503:
        headers.setdefault(hdrs.RETRY_AFTER, str(RETRY_AFTER_S))
    if error.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return web.json_response({"error": body}, status=error.status, headers=headers)


def _guard(server: ServerConfig, token: str | None) -> Any:
    """Return the middleware that says who may ask: host, origin, token, in this order.

    On loopback there is usually no token, and any web page the user visits can send requests
    there: so the page's origin must be one that may call, and the Host header must name this
    machine, which defeats a foreign name that was rebound to 127.0.0.1.
    """
    loopback = is_loopback(server.host)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if loopback and not names_loopback(request.host):
            message = f'host "{request.host[:200]}"; the daemon serves this machine only'
            raise ApiError(403, "foreign_host", message)
        origin = request.headers.get(hdrs.ORIGIN)
        _check_origin(server, request, origin)
        cors: dict[str, str] = {}
        if origin is not None:
            cors = {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.VARY: hdrs.ORIGIN}
        request[_CORS] = cors
        if request.method == hdrs.METH_OPTIONS and origin is not None:
            return web.Response(status=204, headers=cors | _PREFLIGHT_HEADERS)
        if token is not None and request.path.startswith(_TOKEN_PATHS):
            _check_token(request, token)
        return await handler(request)

    return guard


def _check_origin(server: ServerConfig, request: web.Request, origin: str | None) -> None:
    if origin is not None and not may_ask(
        origin,
        request.host,
        allowed_origins=server.allowed_origins,
        loopback_only=is_loopback(server.host),
    ):
        message = f'origin "{origin[:200]}" may not call; see server.allowed_origins'
        raise ApiError(403, "foreign_origin", message)


def _check_token(request: web.Request, token: str) -> None:
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if not given:
        raise ApiError(401, "token_required", "send the header Authorization: Bearer <token>")
    if scheme.lower() != "bearer" or not hmac.compare_digest(
        given.strip().encode(), token.encode()
    ):
        raise ApiError(401, "wrong_token", "the bearer token is not the daemon's")


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(COMMON_HEADERS)
    response.headers.update(request.get(_CORS, {}))
    if response.content_type == "text/html" or request.path.endswith(".js"):
        response.headers.update(PAGE_HEADERS)
