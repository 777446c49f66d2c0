"""A recording as bytes: back to the same, or refused."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.audio_cache.recordings import KEYS, RECORDINGS, recording
from tests.tts.properties import quick
from tts.audio_cache.encoding import Damaged, decode, encode
from tts.audio_cache.recording import Recording

KEY, OTHER_KEY = KEYS[:2]
WHOLE = encode(KEY, recording(200, marks=3), 1.5)


@quick
@given(RECORDINGS, st.floats(0, 1e12))
def test_what_goes_in_comes_out(kept: Recording, made_s: float) -> None:
    assert decode(KEY, encode(KEY, kept, made_s)) == (kept, made_s)


@quick
@given(st.binary(max_size=400))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode(KEY, data)


@quick
@given(st.binary(max_size=400))
def test_foreign_bytes_after_a_right_beginning_are_refused(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode(KEY, WHOLE[:8] + data)


def test_every_cut_is_refused() -> None:
    for length in range(len(WHOLE)):
        with pytest.raises(Damaged):
            decode(KEY, WHOLE[:length])
    with pytest.raises(Damaged):
        decode(KEY, WHOLE + b"\0")


@quick
@given(st.integers(0, 8 * len(WHOLE) - 1))
def test_every_flipped_bit_is_refused(bit: int) -> None:
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        decode(KEY, bytes(flipped))


def test_a_file_under_another_key_is_refused() -> None:
    with pytest.raises(Damaged, match="another request"):
        decode(OTHER_KEY, WHOLE)


@pytest.mark.parametrize(
    ("about", "pcm", "said"),
    [
        (b"[]", b"", "marks cannot be read"),
        (b'{"voice": "ann", "marks": [{"known_sample": 0, "mark": 1}]}', b"", "marks cannot"),
        (b'{"voice": "ann", "marks": []}', b"odd", "lengths do not add up"),
    ],
)
def test_a_right_checksum_over_what_is_none_is_refused(about: bytes, pcm: bytes, said: str) -> None:
    head = struct.pack("<32sdIIQ", bytes.fromhex(KEY), 0.0, 8000, len(about), len(pcm))
    body = head + about + pcm
    with pytest.raises(Damaged, match=said):
        decode(KEY, WHOLE[:8] + hashlib.sha256(body).digest() + body)
