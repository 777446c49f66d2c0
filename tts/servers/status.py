"""The one table between the codes of `tts.errors` and gRPC and HTTP statuses.

In: an error of ours, or a failed gRPC call's status and trailing metadata.  Out: the other.  Knows
nothing of servers or clients; safe to use from any thread.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

import grpc

from tts.errors import (
    BadRequest,
    ClipRefused,
    DeadlineExceeded,
    EngineFailed,
    Forbidden,
    JobNotFound,
    Overloaded,
    RateLimited,
    SessionLost,
    SlowReader,
    TextStalled,
    TextTooLong,
    TtsError,
    Unauthenticated,
    Unavailable,
    VoiceConflict,
    VoiceNotFound,
)

ERROR_CODE_KEY = "parley-error-code"
"""Trailing metadata entry that carries the error's code."""
RETRY_AFTER_KEY = "retry-after"
"""Trailing metadata entry: whole seconds until trying again may work, where that is known."""

MAX_QUOTED_BYTES = 4000
"""A message crosses gRPC percent-encoded in a header; peers take headers of 8 KiB together."""


class Status(NamedTuple):
    """How an error ends a call."""

    grpc: grpc.StatusCode
    http: int


STATUS_OF: dict[type[TtsError], Status] = {
    BadRequest: Status(grpc.StatusCode.INVALID_ARGUMENT, 400),
    Unauthenticated: Status(grpc.StatusCode.UNAUTHENTICATED, 401),
    Forbidden: Status(grpc.StatusCode.PERMISSION_DENIED, 403),
    VoiceNotFound: Status(grpc.StatusCode.NOT_FOUND, 404),
    JobNotFound: Status(grpc.StatusCode.NOT_FOUND, 404),
    SessionLost: Status(grpc.StatusCode.NOT_FOUND, 410),
    VoiceConflict: Status(grpc.StatusCode.ALREADY_EXISTS, 409),
    ClipRefused: Status(grpc.StatusCode.INVALID_ARGUMENT, 422),
    TextTooLong: Status(grpc.StatusCode.OUT_OF_RANGE, 413),
    TextStalled: Status(grpc.StatusCode.DEADLINE_EXCEEDED, 408),
    SlowReader: Status(grpc.StatusCode.DEADLINE_EXCEEDED, 408),
    DeadlineExceeded: Status(grpc.StatusCode.DEADLINE_EXCEEDED, 504),
    RateLimited: Status(grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    # 503 where everybody is refused, 429 where this caller is, would be purer; clients of the
    # OpenAI dialect wait and try again at both, and load balancers take a server out for 503.
    Overloaded: Status(grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    Unavailable: Status(grpc.StatusCode.UNAVAILABLE, 503),
    EngineFailed: Status(grpc.StatusCode.INTERNAL, 500),
    TtsError: Status(grpc.StatusCode.UNKNOWN, 500),
}

_CLASS_OF_CODE = {cls.code: cls for cls in STATUS_OF}
# Statuses that a proxy or another server can only mean as ours; gRPC itself ends a call with
# INTERNAL, UNKNOWN, CANCELLED, ... when the other side died, which is `Unavailable`.
_OURS_BY_STATUS_ALONE = (
    BadRequest,
    Unauthenticated,
    Forbidden,
    VoiceNotFound,
    VoiceConflict,
    TextTooLong,
    DeadlineExceeded,
    Overloaded,
    Unavailable,
)
_CLASS_OF_STATUS = {STATUS_OF[cls].grpc: cls for cls in _OURS_BY_STATUS_ALONE}

Metadata = Iterable[tuple[str, str | bytes]]


def status_of(error: TtsError) -> Status:
    """How an error ends a call; a subclass that is not in the table as its base."""
    return next(STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF)


def to_status(error: TtsError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str], ...]]:
    """gRPC status, message and trailing metadata for a refused or failed call."""
    trailing = [(ERROR_CODE_KEY, error.code)]
    if error.retry_after_s is not None:
        trailing.append((RETRY_AFTER_KEY, str(math.ceil(error.retry_after_s))))
    return status_of(error).grpc, _fitting(str(error)), tuple(trailing)


def from_status(status: grpc.StatusCode, message: str, trailing: Metadata | None) -> TtsError:
    """The error of ours that a failed call stands for: by its code, else by its status.

    A code of a newer service is the error's `code` all the same.
    """
    entries = {key: value for key, value in trailing or ()}
    code = str(entries.get(ERROR_CODE_KEY, ""))
    cls = _CLASS_OF_CODE.get(code)
    if cls is None:
        cls = _CLASS_OF_STATUS.get(status, Unavailable)
    error = cls(message or status.name)
    if code:
        error.code = code
    after = str(entries.get(RETRY_AFTER_KEY, ""))
    if after.isdecimal():
        error.retry_after_s = float(after)
    return error


def _fitting(message: str) -> str:
    """As much of a message as a call can end with."""
    while len(quote(message, errors="replace")) > MAX_QUOTED_BYTES:
        message = message[: len(message) * 3 // 4] + "…"
    return message
