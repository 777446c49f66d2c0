"""Loudness is measured as the standards ask, and corrected sample by sample.

The signals are those of EBU Tech 3341 (version 4, table 1), made here.  They are stereo with equal
channels; one channel alone measures 3.01 LU less, whatever the signal.
"""

import math

import numpy as np
import pytest

from tts.audio.loudness import measure_lufs

MONO_LU = 10 * math.log10(2)
RATE_HZ = 48000
TOLERANCE_LU = 0.1


def sine(*parts: tuple[float, float], hz: float = 1000, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A tone in parts of (seconds, peak in dB of full scale)."""
    levels = [np.full(round(rate_hz * s), 10 ** (db / 20)) for s, db in parts]
    level = np.concatenate(levels)
    at = np.arange(len(level)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * at)).astype(np.float32)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("case", "parts", "lufs"),
    [
        (1, [(20, -23)], -23),
        (2, [(20, -33)], -33),
        (3, [(10, -36), (60, -23), (10, -36)], -23),
        (4, [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
        (5, [(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
def test_the_signals_of_ebu_tech_3341_measure_what_it_says(
    case: int, parts: list[tuple[float, float]], lufs: float
) -> None:
    measured = measure_lufs(sine(*parts), RATE_HZ)
    assert measured + MONO_LU == pytest.approx(lufs, abs=TOLERANCE_LU), case


@pytest.mark.parametrize("rate_hz", [16000, 22050, 24000, 32000, 44100, 48000])
def test_the_weighting_is_right_at_every_rate(rate_hz: int) -> None:
    """The standard's calibration: 997 Hz at full scale in one channel is -3.01 LKFS."""
    tone = sine((2, 0), hz=997, rate_hz=rate_hz)
    assert measure_lufs(tone, rate_hz) == pytest.approx(-MONO_LU, abs=TOLERANCE_LU)
    # What the standard's filters at 48 kHz do to 100 Hz and 5 kHz.
    low, high = (measure_lufs(sine((2, 0), hz=hz, rate_hz=rate_hz), rate_hz) for hz in (100, 5000))
    assert low + MONO_LU == pytest.approx(-1.82, abs=2 * TOLERANCE_LU)
    assert high + MONO_LU == pytest.approx(3.32, abs=2 * TOLERANCE_LU)


@pytest.mark.parametrize("level", [0.0, 1e-5])
def test_silence_has_no_loudness(level: float) -> None:
    assert measure_lufs(sine((1, 0)) * np.float32(level), RATE_HZ) == -math.inf


def test_twice_the_amplitude_is_six_decibels_more() -> None:
    random = np.random.default_rng(1)
    noise = (random.standard_normal(RATE_HZ) * 0.05).astype(np.float32)
    more = measure_lufs(2 * noise, RATE_HZ) - measure_lufs(noise, RATE_HZ)
    assert more == pytest.approx(20 * math.log10(2), abs=TOLERANCE_LU)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 0.4 s .* \(19199,\) at 48000 Hz"):
        measure_lufs(np.zeros(19199, np.float32), RATE_HZ)
    with pytest.raises(ValueError, match=r"mono samples.* \(2, 48000\)"):
        measure_lufs(np.zeros((2, 48000), np.float32), RATE_HZ)
    with pytest.raises(ValueError, match="NaN or infinite"):
        measure_lufs(np.full(48000, np.nan, np.float32), RATE_HZ)
