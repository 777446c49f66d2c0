"""A recording's clipping, speech and noise are measured as they were made."""

import math

import numpy as np
import pytest

from tests.tts.babble import babble
from tts.audio.quality import clipped_share, hear_speech

RATE_HZ = 24000
SPEECH = babble(4.0, RATE_HZ)


def noise(level_db: float, seconds: float = 4.0) -> np.ndarray:
    random = np.random.default_rng(1)
    samples = random.standard_normal(int(seconds * RATE_HZ)) * 10 ** (level_db / 20)
    return samples.astype(np.float32)


def test_a_sound_recording_has_no_clipped_samples_at_any_level() -> None:
    assert [clipped_share(SPEECH * np.float32(gain)) for gain in (1, 0.001, 3)] == [0, 0, 0]


def test_clipped_samples_are_counted_even_when_the_recording_was_made_softer_later() -> None:
    limit = np.float32(np.percentile(np.abs(SPEECH), 95))
    overdriven = np.clip(SPEECH, -limit, limit)
    assert 0.03 < clipped_share(overdriven) < 0.06
    assert clipped_share(overdriven * np.float32(0.1)) == clipped_share(overdriven)


def test_silence_has_nothing_clipped_and_nobody_speaking() -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    assert clipped_share(silence) == 0
    heard = hear_speech(silence, RATE_HZ)
    assert (heard.share, heard.level_db, heard.snr_db) == (0, -math.inf, math.inf)


def test_the_share_of_speech_falls_with_the_silence_around_it() -> None:
    alone = hear_speech(SPEECH, RATE_HZ).share
    padded = np.pad(SPEECH, 2 * RATE_HZ)
    assert alone > 0.8
    assert hear_speech(padded, RATE_HZ).share == pytest.approx(alone / 2, abs=0.05)


@pytest.mark.parametrize("gain_db", [0, -20, -40])
def test_speech_is_heard_and_measured_at_any_level(gain_db: float) -> None:
    here, there = (
        hear_speech(SPEECH * np.float32(10 ** (db / 20)), RATE_HZ) for db in (0, gain_db)
    )
    assert there.share == here.share
    assert there.level_db == pytest.approx(here.level_db + gain_db, abs=0.1)
    assert there.snr_db == pytest.approx(here.snr_db, abs=0.1)


@pytest.mark.parametrize("snr_db", [30, 20, 10])
def test_noise_is_measured_against_the_speech(snr_db: float) -> None:
    level_db = hear_speech(SPEECH, RATE_HZ).level_db
    heard = hear_speech(SPEECH + noise(level_db - snr_db), RATE_HZ)
    assert heard.snr_db == pytest.approx(snr_db, abs=4)


def test_noise_alone_is_no_speech_that_stands_out() -> None:
    assert hear_speech(noise(-20), RATE_HZ).snr_db < 3


def test_less_than_a_frame_cannot_be_heard() -> None:
    with pytest.raises(ValueError, match="470 samples at 24000 Hz do not fill 20 ms"):
        hear_speech(SPEECH[:470], RATE_HZ)
