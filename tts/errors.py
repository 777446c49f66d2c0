"""Everything the TTS service refuses or fails with: one class per case, one code each."""


class TtsError(Exception):
    """Base of all TTS errors; `code` is stable and goes over the wire."""

    code = "internal"


class BadRequest(TtsError):
    """A field is missing or out of range; the message names field, value and what is allowed."""

    code = "bad_request"


class VoiceNotFound(TtsError):
    """No such voice; the message lists the voices there are."""

    code = "voice_not_found"


class TextTooLong(TtsError):
    """The text is longer than the service accepts."""

    code = "text_too_long"


class TextStalled(TtsError):
    """A text that was being written did not go on in time."""

    code = "text_stalled"


class Overloaded(TtsError):
    """At capacity; trying again later may work."""

    code = "overloaded"


class Unavailable(TtsError):
    """The service cannot be reached or died while speaking."""

    code = "unavailable"


class EngineFailed(TtsError):
    """The engine raised or returned nothing for this text."""

    code = "engine_failed"
