"""The one table between the codes of `tts.errors` and gRPC statuses, read both ways.

In: an error of ours, or a failed call's status and trailing metadata.  Out: the other.  Knows
nothing of servers or clients; safe to use from any thread.
"""

from collections.abc import Iterable

import grpc

from tts.errors import (
    BadRequest,
    EngineFailed,
    Overloaded,
    TextStalled,
    TextTooLong,
    TtsError,
    Unavailable,
    VoiceNotFound,
)

ERROR_CODE_KEY = "parley-error-code"
"""Trailing metadata entry that carries the error's code."""

STATUS_OF: dict[type[TtsError], grpc.StatusCode] = {
    BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    TextTooLong: grpc.StatusCode.OUT_OF_RANGE,
    VoiceNotFound: grpc.StatusCode.NOT_FOUND,
    TextStalled: grpc.StatusCode.DEADLINE_EXCEEDED,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Unavailable: grpc.StatusCode.UNAVAILABLE,
    EngineFailed: grpc.StatusCode.INTERNAL,
    TtsError: grpc.StatusCode.UNKNOWN,
}

_CLASS_OF_CODE = {cls.code: cls for cls in STATUS_OF}
# Statuses that a proxy or another server can only mean as ours; gRPC itself ends a call with
# INTERNAL, UNKNOWN, CANCELLED, ... when the other side died, which is `Unavailable`.
_OURS_BY_CODE_ALONE = (EngineFailed, TextStalled, TtsError)
_CLASS_OF_STATUS = {
    status: cls for cls, status in STATUS_OF.items() if cls not in _OURS_BY_CODE_ALONE
}

Metadata = Iterable[tuple[str, str | bytes]]


def to_status(error: TtsError) -> tuple[grpc.StatusCode, str, tuple[tuple[str, str], ...]]:
    """Status, message and trailing metadata for a refused or failed call."""
    status = next(STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF)
    return status, str(error), ((ERROR_CODE_KEY, error.code),)


def from_status(status: grpc.StatusCode, message: str, trailing: Metadata | None) -> TtsError:
    """The error of ours that a failed call stands for: by its code, else by its status."""
    for key, value in trailing or ():
        if key == ERROR_CODE_KEY and value in _CLASS_OF_CODE:
            return _CLASS_OF_CODE[str(value)](message)
    return _CLASS_OF_STATUS.get(status, Unavailable)(message or status.name)
