"""Audio into a file format, piece by piece, so that it can be heard while it is made.

In: mono signed 16-bit little-endian PCM.  Out: bytes of one file, the first of them as soon as the
format allows.  Knows nothing of requests or wires.  One encoder belongs to one stream; its methods
compute: call them in a thread.
"""

from typing import Literal, get_args

AudioFormat = Literal["wav", "mp3", "opus", "ogg", "aac", "flac", "pcm"]
AUDIO_FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)


def content_type(format: str) -> str:
    """What HTTP calls a format."""
    raise NotImplementedError


class Encoder:
    """One file in the making."""

    def __init__(self, format: str, *, from_rate_hz: int, to_rate_hz: int | None = None) -> None:
        """`to_rate_hz` is the file's rate; without: the nearest to its own that the format has.

        Raises `ValueError` for a format or a rate that there is not.
        """
        raise NotImplementedError

    def feed(self, pcm: bytes) -> bytes:
        """The bytes that became certain with more audio; maybe none."""
        raise NotImplementedError

    def flush(self) -> bytes:
        """The rest of the file; nothing may be fed afterwards."""
        raise NotImplementedError
