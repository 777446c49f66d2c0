"""How good a recording of one speaker is, in numbers.

In: mono float32 samples [N] and their rate.  Out: shares and decibels.  Says what is there, not
what is allowed.  Pure, any thread.
"""

import math
from dataclasses import dataclass

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from tts.audio.resample import soxr

VAD_RATE_HZ = 16000
FRAME_MS = 20
_FRAME_SAMPLES = VAD_RATE_HZ * FRAME_MS // 1000
# Of webrtcvad's 0 to 3: takes breath and hum for silence, and keeps soft consonants.
_VAD_MODE = 2
# The level at which webrtcvad hears best; it is deaf to what is very quiet.
_VAD_PEAK = 0.5
_NEAR_PEAK = 0.985
_CLIPPED_RUN_SAMPLES = 3
# With less of a pause than this, the quietest frames of the whole clip stand for it.
_SHORTEST_PAUSE_FRAMES = 10
_QUIETEST_PERCENT = 5


@dataclass(frozen=True, slots=True)
class Speech:
    """What a recording says of its speaker."""

    share: float
    """Frames in which somebody speaks, of all; 0 to 1."""
    level_db: float
    """Mean power of those frames under full scale, about -25; -inf without any."""
    snr_db: float
    """How far it lies above the pauses; inf when they are digital silence or nobody speaks."""


def clipped_share(samples: NDArray[np.float32]) -> float:
    """Samples in runs of three or more at the recording's peak, of all: what an overdriven
    microphone or converter flattens.  0 for silence."""
    peak = float(np.abs(samples).max(initial=0.0))
    if peak == 0.0:
        return 0.0
    edges = np.diff(np.abs(samples) >= _NEAR_PEAK * peak, prepend=False, append=False)
    bounds = np.flatnonzero(edges).reshape(-1, 2)
    lengths = bounds[:, 1] - bounds[:, 0]
    return float(lengths[lengths >= _CLIPPED_RUN_SAMPLES].sum() / len(samples))


def hear_speech(samples: NDArray[np.float32], rate_hz: int) -> Speech:
    """Where somebody speaks, by webrtcvad on frames of 20 ms, and how loud it is against the rest.

    Raises `ValueError` when the samples do not fill one frame.
    """
    heard = soxr(samples, rate_hz, VAD_RATE_HZ)
    count = len(heard) // _FRAME_SAMPLES
    if count == 0:
        raise ValueError(f"{len(samples)} samples at {rate_hz} Hz do not fill {FRAME_MS} ms")
    frames = heard[: count * _FRAME_SAMPLES].reshape(count, _FRAME_SAMPLES)
    spoken = _spoken(frames)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    level_db = _decibels(float(power[spoken].mean())) if spoken.any() else -math.inf
    noise_db = _decibels(_pause_power(power, spoken))
    return Speech(
        share=float(spoken.mean()),
        level_db=level_db,
        snr_db=level_db - noise_db if spoken.any() else math.inf,
    )


def _spoken(frames: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether somebody speaks, frame by frame."""
    vad = webrtcvad.Vad(_VAD_MODE)
    gain = _VAD_PEAK / max(float(np.abs(frames).max()), 1e-9)
    pcm = (np.clip(frames * gain, -1, 1) * 32767).astype("<i2")
    return np.array([vad.is_speech(frame.tobytes(), VAD_RATE_HZ) for frame in pcm], bool)


def _pause_power(power: NDArray[np.float64], spoken: NDArray[np.bool_]) -> float:
    """Power of the pauses: their median, since words begin and fade out in some of them."""
    pauses = power[~spoken]
    if len(pauses) >= _SHORTEST_PAUSE_FRAMES:
        return float(np.median(pauses))
    return float(np.percentile(power, _QUIETEST_PERCENT))


def _decibels(power: float) -> float:
    return 10 * math.log10(power) if power > 0 else -math.inf
