"""Gain, guard, trimming and the cut into chunks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.audio.chain import Chain
from tts.audio.loudness import KNEE, amplify, to_pcm
from tts.audio.trim import trim, voiced_span
from tts.engine.types import Piece

RATE = 24_000


def tone(seconds: float, level: float = 0.5) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * 200 * t)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_below_the_knee_gain_is_exact_and_above_it_nothing_clips() -> None:
    quiet = np.array([-0.2, 0.0, 0.2], np.float32)
    assert np.array_equal(amplify(quiet, 0.0), quiet)
    loud = amplify(np.linspace(-4, 4, 101, dtype=np.float32), 6.0)
    assert np.abs(loud).max() <= 1.0
    assert np.all(np.diff(loud) >= 0)
    assert np.abs(amplify(np.array([KNEE], np.float32), 0.0) - KNEE)[0] < 1e-6


def test_pcm_of_anything_is_in_range() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 2.0, -2.0, 0.5], np.float32)
    assert np.frombuffer(to_pcm(odd), "<i2").tolist() == [0, 32767, -32767, 32767, -32767, 16384]


def test_silence_around_the_voice_becomes_a_short_lead_and_the_asked_pause() -> None:
    audio = np.concatenate([silence(0.4), tone(0.5), silence(0.3)])
    kept, cut, end = trim(audio, RATE, pause_s=0.12)
    assert cut == int(0.39 * RATE)
    assert end == int(0.51 * RATE)
    assert len(kept) == int(0.63 * RATE)
    assert voiced_span(kept, RATE) == (int(0.01 * RATE), end)


def test_a_missing_pause_is_added() -> None:
    kept, cut, end = trim(tone(0.5), RATE, pause_s=0.25)
    assert (cut, end, len(kept)) == (0, int(0.5 * RATE), int(0.75 * RATE))


@pytest.mark.parametrize("audio", [silence(1.0), silence(0.0), np.zeros(3, np.float32)])
def test_audio_without_voice_comes_back_empty(audio: np.ndarray) -> None:
    kept, cut, end = trim(audio, RATE, pause_s=0.25)
    assert (len(kept), cut, end) == (0, 0, 0)


@quick
@given(
    st.lists(st.integers(0, 900), min_size=1, max_size=6),
    st.integers(1, 100),
    st.integers(1, 300),
)
def test_chunks_join_to_the_pieces_whatever_the_sizes(
    pieces: list[int], first_ms: int, next_ms: int
) -> None:
    chain = Chain(sample_rate_hz=1000, gain_db=0.0, first_ms=first_ms, next_ms=next_ms)
    whole = np.arange(sum(pieces), dtype=np.float32) / 32767
    chunks = []
    start = 0
    for number, length in enumerate(pieces):
        is_last = number == len(pieces) - 1
        chunks += list(chain.feed(Piece(whole[start : start + length], (), is_last)))
        start += length
    assert b"".join(c.pcm for c in chunks) == to_pcm(whole)
    position = 0
    for chunk in chunks:
        assert chunk.first_sample == position
        position += len(chunk.pcm) // 2
        assert len(chunk.pcm) // 2 <= max(first_ms, next_ms) + next_ms // 2
    assert [c.is_final for c in chunks] == [False] * (len(chunks) - 1) + [True]
