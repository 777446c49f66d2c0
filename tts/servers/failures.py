"""How a failure looks over HTTP: one JSON form, and statuses from the one table.

In: an error of ours, or a refusal that only HTTP has.  Out: status, headers and the body
{"error": {"code", "message", "type", "param", "field"?}}, which clients of the OpenAI dialect read
too: they show `message`, and keep `code`, `type` and `param`.  Plain values; any thread.
"""

import math
from typing import Any

from aiohttp import hdrs

from tts.errors import TtsError
from tts.servers.status import status_of


class HttpRefusal(Exception):
    """A request that is wrong as HTTP, before anybody knows what it asks for."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


NOT_FOUND = "not_found"
METHOD_NOT_ALLOWED = "method_not_allowed"
BODY_TIMEOUT = "body_timeout"
BODY_TOO_LARGE = "body_too_large"
UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
RANGE_NOT_SATISFIABLE = "range_not_satisfiable"

REFUSALS: dict[str, int] = {
    NOT_FOUND: 404,
    METHOD_NOT_ALLOWED: 405,
    BODY_TIMEOUT: 408,
    BODY_TOO_LARGE: 413,
    UNSUPPORTED_MEDIA_TYPE: 415,
    RANGE_NOT_SATISFIABLE: 416,
}
"""Status of each code that only HTTP has."""


def refusal(code: str, message: str, *, headers: dict[str, str] | None = None) -> HttpRefusal:
    """A refusal by its code."""
    return HttpRefusal(REFUSALS[code], code, message, headers=headers)


def status_and_headers(error: TtsError | HttpRefusal) -> tuple[int, dict[str, str]]:
    """How a failure answers a request of which nothing was answered yet."""
    if isinstance(error, HttpRefusal):
        return error.status, dict(error.headers)
    status = status_of(error).http
    headers: dict[str, str] = {}
    if error.retry_after_s is not None:
        headers[hdrs.RETRY_AFTER] = str(math.ceil(error.retry_after_s))
    if status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
    return status, headers


def error_body(error: TtsError | HttpRefusal) -> dict[str, Any]:
    """The JSON body, also of an error in the middle of a stream of events."""
    status, _ = status_and_headers(error)
    field = error.field if isinstance(error, TtsError) else None
    body: dict[str, Any] = {
        "code": error.code,
        "message": str(error),
        "type": _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
        "param": field,
    }
    if field is not None:
        body["field"] = field
    return {"error": body}


# What clients of the OpenAI dialect know beside the two above.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
