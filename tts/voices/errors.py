"""Why a voice cannot be read, made or used.  Messages name the file, the value, what is allowed."""

from tts import errors
from tts.errors import TtsError


class VoiceError(TtsError):
    """Something is wrong with a voice's files or with what was asked of them."""


class ManifestError(VoiceError, errors.BadRequest):
    """A voice.toml cannot be used; the message names each key, its value and what is allowed."""


class ClipRefused(VoiceError, errors.ClipRefused):
    """A reference clip cannot be used; the message holds every reason, not just the first."""


class MissingPretrained(VoiceError):
    """An official file that this needs is not there; the message says which and how to get it."""


class NotCompiled(VoiceError):
    """A voice's saved state is missing, damaged or of other sources; compiling it again helps."""


class VoiceExists(VoiceError, errors.VoiceConflict):
    """A voice has this id, or this emotion, already; nothing of it was changed."""
