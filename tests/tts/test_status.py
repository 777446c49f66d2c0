"""The table between our errors and gRPC statuses."""

from urllib.parse import quote

import grpc
import pytest

from tts import errors
from tts.errors import TtsError
from tts.servers.status import ERROR_CODE_KEY, STATUS_OF, from_status, to_status

# One without a code of its own is told apart in the service, and travels as its base.
CLASSES = [cls for cls in vars(errors).values() if isinstance(cls, type) and "code" in vars(cls)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_comes_back_as_itself(cls: type[TtsError]) -> None:
    status, message, trailing = to_status(cls("why"))
    back = from_status(status, message, trailing)
    assert (type(back), str(back)) == (cls, "why")


def test_every_error_is_in_the_table_with_a_code_of_its_own() -> None:
    assert set(STATUS_OF) == set(CLASSES)
    assert len({cls.code for cls in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("cls", [errors.Overloaded, errors.RateLimited, errors.Unavailable])
def test_when_to_try_again_crosses_the_wire_in_whole_seconds(cls: type[TtsError]) -> None:
    _, message, trailing = to_status(cls("why", retry_after_s=1.2))
    assert from_status(grpc.StatusCode.UNKNOWN, message, trailing).retry_after_s == 2.0


def test_a_subclass_travels_as_its_base() -> None:
    class Worse(errors.Overloaded):
        pass

    assert to_status(Worse("x"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    back = from_status(*to_status(errors.CannotSpeak("x")))
    assert (type(back), back.code) == (errors.EngineFailed, "engine_failed")


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, errors.BadRequest),
        (grpc.StatusCode.NOT_FOUND, errors.VoiceNotFound),
        (grpc.StatusCode.OUT_OF_RANGE, errors.TextTooLong),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.Overloaded),
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.INTERNAL, errors.Unavailable),
        (grpc.StatusCode.UNKNOWN, errors.Unavailable),
        (grpc.StatusCode.CANCELLED, errors.Unavailable),
        (grpc.StatusCode.UNIMPLEMENTED, errors.Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
    ],
)
def test_a_status_without_our_code_is_read_by_the_table(
    status: grpc.StatusCode, cls: type[TtsError]
) -> None:
    assert type(from_status(status, "", None)) is cls
    newer = from_status(status, "", ((ERROR_CODE_KEY, "no such code"),))
    assert (type(newer), newer.code) == (cls, "no such code")


@pytest.mark.parametrize("letter", ["a", " ", "语", "\x00", "\ud800"])
def test_a_message_is_cut_to_what_a_header_can_carry(letter: str) -> None:
    _, message, _ = to_status(errors.VoiceNotFound(letter * 100_000))
    assert 2500 < len(quote(message, errors="replace")) <= 4000
    assert message.endswith("…")
    assert to_status(errors.VoiceNotFound(letter * 10))[1] == letter * 10
