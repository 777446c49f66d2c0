"""What every HTTP request goes through before its operation's handler, and its failures after it.

In order: failures take the one form; who asks from where; with which key; how large a body.  Each
is a middleware of aiohttp that knows nothing of the others.  Loop's thread only.
"""

from collections.abc import Callable
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from loguru import logger

from tts.access import Access, bearer
from tts.config import HttpConfig
from tts.context import ANYONE, Caller
from tts.errors import BadRequest, Forbidden, SlowReader, TtsError
from tts.servers.failures import (
    BODY_TOO_LARGE,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNSUPPORTED_MEDIA_TYPE,
    HttpRefusal,
    error_body,
    refusal,
    status_and_headers,
)
from tts.servers.operations import Handler, Operation
from tts.servers.origin import may_ask, names_loopback, origin_behind

CALLER = web.RequestKey("caller", Caller)
TIMEOUT_S = web.RequestKey("timeout_s", float)
"""The caller's own deadline; missing: none."""
MAX_BODY_BYTES = web.RequestKey("max_body_bytes", int)
OPERATIONS = web.AppKey("operations", dict[web.AbstractRoute, Operation])
"""The operation of each route."""
FAILED = web.RequestKey("failed", str)
"""The code of a failure that a handler has answered by itself, in its dialect's own form."""
_CORS: web.RequestKey[dict[str, str]] = web.RequestKey("cors", dict[str, str])
_BEGUN = web.RequestKey("begun", web.StreamResponse)
"""The answer, from when its first bytes leave."""

KEY_HEADER = "X-API-Key"
KEY_QUERY = "key"
KEY_SUBPROTOCOL = "parley-key."
"""Before a key among the subprotocols of a WebSocket, for browsers, which can set no header."""
TIMEOUT_HEADER = "X-Request-Timeout"
MAX_TIMEOUT_S = 3600.0

COMMON_HEADERS = {"Server": "parley", "X-Content-Type-Options": "nosniff"}
_EXPOSED_HEADERS = "Retry-After, Location, X-Voice, X-Sample-Rate"
"""What a page of another site may read of an answer besides its content."""
_PREFLIGHT_HEADERS = {
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST, PUT, PATCH, DELETE",
    hdrs.ACCESS_CONTROL_MAX_AGE: "600",
}

Refused = Callable[[str, str], None]
"""Told (tag of the operation, code) of every failure."""


def operation_of(request: web.Request) -> Operation | None:
    """What is asked for; None where the path or the method is none of ours."""
    return request.app[OPERATIONS].get(request.match_info.route)


def failures(refused: Refused) -> Middleware:
    """Give every failure the one JSON form; a defect is logged and never shown.

    Of an answer that has begun nothing can be taken back: its connection is cut, which its reader
    can tell from an end.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = operation_of(request)
        tag = operation.tag if operation else "http"
        try:
            answer = await handler(request)
            if FAILED in request:
                refused(tag, request[FAILED])
            return answer
        except (TtsError, HttpRefusal) as error:
            failure: TtsError | HttpRefusal = error
        except web.HTTPException as error:
            failure = _own(request, error)
        except ConnectionError:
            raise
        except Exception:
            logger.bind(method=request.method, path=request.path).exception("request failed")
            failure = TtsError("the service failed; its log says why")
        refused(tag, failure.code)
        begun: web.StreamResponse | None = request.get(_BEGUN)
        if begun is None:
            return failure_response(request, failure)
        _cut(request, failure)
        return begun  # aiohttp cannot end it any more, and lets the connection go

    return middleware


def failure_response(request: web.Request, failure: TtsError | HttpRefusal) -> web.Response:
    """A failure as a whole answer."""
    status, headers = status_and_headers(failure)
    response = web.json_response(error_body(failure), status=status, headers=headers)
    if not request.content.is_eof():
        # Whoever is still sending a body that nobody reads has to begin anew.
        response.force_close()
    return response


def _own(request: web.Request, error: web.HTTPException) -> HttpRefusal:
    """A failure of aiohttp's as one of ours."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return refusal(
            METHOD_NOT_ALLOWED,
            f"method {error.method[:20]}: allowed are {allowed}",
            headers={hdrs.ALLOW: allowed},
        )
    if isinstance(error, web.HTTPNotFound):
        return refusal(NOT_FOUND, f"no such path: {request.path[:200]}")
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return refusal(BODY_TOO_LARGE, error.text or error.reason)
    return HttpRefusal(error.status, "bad_request", error.text or error.reason)


def _cut(request: web.Request, failure: TtsError | HttpRefusal) -> None:
    """End the connection: what was written still goes out, unless its reader takes nothing."""
    transport = request.transport
    if transport is None:
        return
    if isinstance(failure, SlowReader):
        transport.abort()
    else:
        transport.close()


def guard(config: HttpConfig, *, loopback_only: bool, any_host: bool) -> Middleware:
    """Let in who comes from where it may come, and answer the questions browsers ask before.

    `loopback_only`: the door listens for this machine alone.  `any_host`: the Host header need not
    name this machine: there are keys, or the door is a Unix socket.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if loopback_only and not any_host and not names_loopback(request.host):
            raise Forbidden(f"host {request.host[:200]!r}: this machine only is served")
        origin = request.headers.get(hdrs.ORIGIN)
        page = origin_behind(request.headers) if origin is None and not any_host else origin
        if page is not None and not may_ask(
            page,
            request.host,
            allowed_origins=config.allowed_origins,
            loopback_only=loopback_only,
        ):
            raise Forbidden(f"origin {page[:200]!r} may not ask; see http.allowed_origins")
        if origin is None:
            return await handler(request)
        cors: dict[str, str] = {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: _EXPOSED_HEADERS,
            hdrs.VARY: hdrs.ORIGIN,
        }
        request[_CORS] = cors
        if (
            request.method == hdrs.METH_OPTIONS
            and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        ):
            # The page may ask: then it may send any header too; clients send many of their own.
            wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "")
            return web.Response(
                status=204,
                headers=_PREFLIGHT_HEADERS | {hdrs.ACCESS_CONTROL_ALLOW_HEADERS: wanted},
            )
        return await handler(request)

    return middleware


def authentication(access: Access) -> Middleware:
    """Find out whose request it is, and whether that caller may do what it asks for.

    Where there are keys, a Unix socket asks for them too: what connects to it is often a proxy, and
    behind that anybody.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = operation_of(request)
        if operation is None or operation.is_open:
            return await handler(request)
        request[CALLER] = caller = _caller(access, request, operation)
        if operation.manages and not caller.may_manage:
            raise Forbidden(f"key {caller.name!r} may not do this: it lacks `may_manage`")
        timeout_s = _timeout_s(request)
        if timeout_s is not None:
            request[TIMEOUT_S] = timeout_s
        return await handler(request)

    return middleware


def _caller(access: Access, request: web.Request, operation: Operation) -> Caller:
    return ANYONE if access.is_open else access.caller(_credential(request, operation))


def _credential(request: web.Request, operation: Operation) -> str | None:
    """The first that is given of: bearer, own header, subprotocol, query."""
    credential = bearer(request.headers.get(hdrs.AUTHORIZATION))
    if credential is None:
        credential = request.headers.get(KEY_HEADER)
    if credential is None:
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "")
        for protocol in (part.strip() for part in offered.split(",")):
            if protocol.startswith(KEY_SUBPROTOCOL):
                return protocol.removeprefix(KEY_SUBPROTOCOL)
    if credential is None and operation.key_in_query:
        credential = request.query.get(KEY_QUERY)
    return credential


def _timeout_s(request: web.Request) -> float | None:
    text = request.headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    try:
        timeout_s = float(text)
    except ValueError:
        timeout_s = 0.0
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise BadRequest(
            f"{TIMEOUT_HEADER} = {text[:80]!r}: seconds, above 0 and up to {MAX_TIMEOUT_S:.0f}"
        ).about(TIMEOUT_HEADER)
    return timeout_s


def bounded(config: HttpConfig) -> Middleware:
    """Refuse a body that is said to be larger than the operation takes, before any of it is read.

    What is not said beforehand is bounded by who reads it, to `request[MAX_BODY_BYTES]`.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        operation = operation_of(request)
        most = (operation.max_body_bytes if operation else None) or config.max_body_bytes
        request[MAX_BODY_BYTES] = most
        if (request.content_length or 0) > most:
            raise refusal(
                BODY_TOO_LARGE, f"body of {request.content_length} bytes: at most {most} are taken"
            )
        coding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        if request.body_exists and coding.lower() != "identity":
            raise refusal(
                UNSUPPORTED_MEDIA_TYPE, f"Content-Encoding {coding[:80]!r}: send it as it is"
            )
        return await handler(request)

    return middleware


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To be told of every answer that begins."""
    request[_BEGUN] = response
    response.headers.update(COMMON_HEADERS)
    response.headers.update(request.get(_CORS, {}))


async def expect_nothing(request: web.Request) -> Any:
    """Leave `Expect: 100-continue` to whoever reads the body, after all the above."""
