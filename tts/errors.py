"""Everything the TTS service refuses or fails with: one class per case, one code each.

How each crosses a wire stands in `tts.servers.status`; docs/protocols/errors.md is for callers.
"""

from typing import Self


class TtsError(Exception):
    """Base of all TTS errors; `code` is stable and goes over the wire."""

    code = "internal"
    retry_after_s: float | None = None
    """When trying again may work, where that is known."""
    field: str | None = None
    """The request's field that is at fault, where it is one."""

    def about(self, field: str) -> Self:
        """The same, with the field that is at fault."""
        self.field = field
        return self


class BadRequest(TtsError):
    """A field is missing or out of range; the message names field, value and what is allowed."""

    code = "bad_request"


class Unauthenticated(TtsError):
    """No key or token was given, or one that is not valid."""

    code = "unauthenticated"


class Forbidden(TtsError):
    """The key is valid and may not do this, or the page of this origin may not ask."""

    code = "forbidden"


class VoiceNotFound(TtsError):
    """No such voice; the message lists the voices there are."""

    code = "voice_not_found"


class VoiceConflict(TtsError):
    """The voice exists already, or cannot be changed while it is as it is."""

    code = "voice_conflict"


class ClipRefused(TtsError):
    """An uploaded clip cannot be a reference; the message has every reason."""

    code = "clip_refused"


class JobNotFound(TtsError):
    """No such job, or it is another caller's, or its result is no longer kept."""

    code = "job_not_found"


class SessionLost(TtsError):
    """No such session to resume, or the request to go on with is not in it."""

    code = "session_lost"


class TextTooLong(TtsError):
    """The text is longer than the service accepts."""

    code = "text_too_long"


class TextStalled(TtsError):
    """A text that was being written did not go on in time."""

    code = "text_stalled"


class DeadlineExceeded(TtsError):
    """The caller's own deadline has passed, or cannot be kept."""

    code = "deadline_exceeded"


class SlowReader(TtsError):
    """The reader took no audio for too long, and was dropped."""

    code = "slow_reader"


class Overloaded(TtsError):
    """At capacity; trying again later may work."""

    code = "overloaded"

    def __init__(self, message: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(Overloaded):
    """The caller's key has used up what it may; trying again later will work."""

    code = "rate_limited"


class Unavailable(TtsError):
    """The service cannot be reached, died while speaking, or gives its engine a rest."""

    code = "unavailable"

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineFailed(TtsError):
    """The engine raised or returned nothing for this text."""

    code = "engine_failed"


class CannotSpeak(EngineFailed):
    """The engine works, and can make no sound of this text or not in this voice: nothing that
    another request need fear."""
