"""Which voice is meant by the path of a reference clip.

Clients of GPT-SoVITS' own server name a voice by a file on that server.  In: such a path, the
voices, the clips they were made of.  Out: a voice and an emotion, or None.  Paths are compared as
texts and nothing is opened.  Pure; any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from tts.types import Voice


@dataclass(frozen=True, slots=True)
class OwnClip:
    """A reference clip of a voice."""

    voice: str
    emotion: str
    path: str
    """The whole path."""


@dataclass(frozen=True, slots=True)
class Named:
    """A voice, and one of its emotions; empty: its first."""

    voice: str
    emotion: str = ""


def named(path: str, voices: Sequence[Voice], clips: Sequence[OwnClip]) -> Named | None:
    """What a path means, the first of these that fits:

    "anna" or "anna/happy": a voice, in an emotion.  A path that ends like that of a voice's clip,
    ".../anna/happy.wav"; the name of such a clip alone, if no other voice has one of that name.
    "<anything>/anna.wav" or "<anything>/anna/happy.wav": a voice, in an emotion.
    """
    parts = PurePosixPath(path.strip().replace("\\", "/")).parts
    if not parts:
        return None
    emotions = {voice.id: voice.emotions for voice in voices}
    if (found := _by_names(parts, emotions)) is not None:
        return found
    for length in (3, 2, 1):
        tail = parts[-length:]
        fits = {
            Named(clip.voice, clip.emotion)
            for clip in clips
            if clip.voice in emotions and PurePosixPath(clip.path).parts[-length:] == tail
        }
        if len(fits) == 1:
            return fits.pop()
    stem = PurePosixPath(parts[-1]).stem
    return _by_names((*parts[-2:-1], stem), emotions) or _by_names((stem,), emotions)


def _by_names(parts: Sequence[str], emotions: dict[str, tuple[str, ...]]) -> Named | None:
    if len(parts) == 1 and parts[0] in emotions:
        return Named(parts[0])
    if len(parts) == 2 and parts[1] in emotions.get(parts[0], ()):
        return Named(parts[0], parts[1])
    return None
