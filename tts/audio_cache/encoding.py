"""A recording as the bytes of a file, and back.

A file is: eight bytes that name the format and its version; the SHA-256 of all that follows; the
key; when it was made; rate and lengths; voice and marks as JSON; the samples.  Whatever bytes are
given, the recording that comes out is one that went in (or made to look so on purpose), or
`Damaged` says why there is none.  Pure; any thread.
"""

import hashlib
import struct
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.audio_cache.recording import KnownMark, Recording

MAGIC = b"parley\x00\x01"
"""What every file begins with."""
_DIGEST_BYTES = hashlib.sha256().digest_size
# Key, made_s, sample_rate_hz, bytes of JSON, bytes of samples.
_HEAD = struct.Struct("<32sdIIQ")


class Damaged(Exception):
    """No recording of this format under this key; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class _About:
    voice: str
    marks: tuple[KnownMark, ...]


_ABOUT = TypeAdapter(_About)


def encode(key: str, recording: Recording, made_s: float) -> bytes:
    """The file's bytes; `made_s` is seconds since 1970."""
    about = _ABOUT.dump_json(_About(recording.voice, recording.marks))
    head = _HEAD.pack(
        bytes.fromhex(key), made_s, recording.sample_rate_hz, len(about), len(recording.pcm)
    )
    body = b"".join((head, about, recording.pcm))
    return b"".join((MAGIC, hashlib.sha256(body).digest(), body))


def decode(key: str, data: bytes) -> tuple[Recording, float]:
    """The recording and when it was made.  Raises `Damaged`."""
    view = memoryview(data)
    body = view[len(MAGIC) + _DIGEST_BYTES :]
    if view[: len(MAGIC)] != MAGIC:
        raise Damaged("it is no file of this format")
    if len(body) < _HEAD.size:
        raise Damaged("it ends too early")
    if view[len(MAGIC) : len(MAGIC) + _DIGEST_BYTES] != hashlib.sha256(body).digest():
        raise Damaged("its checksum does not match")
    of_key, made_s, sample_rate_hz, about_bytes, pcm_bytes = _HEAD.unpack_from(body)
    if of_key != bytes.fromhex(key):
        raise Damaged("it is of another request")
    if len(body) != _HEAD.size + about_bytes + pcm_bytes or pcm_bytes % BYTES_PER_SAMPLE:
        raise Damaged("its lengths do not add up")
    try:
        about = _ABOUT.validate_json(bytes(body[_HEAD.size : _HEAD.size + about_bytes]))
    except ValidationError as error:
        raise Damaged("its marks cannot be read") from error
    pcm = bytes(body[_HEAD.size + about_bytes :])
    return Recording(pcm, sample_rate_hz, about.voice, about.marks), made_s
