"""Gain, guard and trimming."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import Split, holds, law, splits
from tts.audio.loudness import KNEE, amplify, to_pcm
from tts.audio.trim import trim, voiced_span

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


@law
@given(st.data(), st.floats(-30, 30))
def test_gain_guard_and_rounding_do_not_depend_on_the_cut(data: st.DataObject, gain: float) -> None:
    samples = np.random.default_rng(3).standard_normal(300).astype(np.float32)

    def speak(split: Split) -> np.ndarray:
        pcm = b"".join(to_pcm(amplify(samples[start:end], gain)) for start, end in split)
        return np.frombuffer(pcm, "<i2").astype(np.int32)

    whole = holds(speak, data.draw(splits(300)))
    # 10 ** x and single precision leave one step of 32767 of room.
    plain = samples * np.float32(10 ** (gain / 20))
    below = np.abs(plain) < KNEE
    assert np.abs(whole[below] - plain[below] * 32767).max(initial=0) <= 1
    assert np.abs(whole).max() <= 32767


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
