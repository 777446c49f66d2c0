"""Kaldi's log mel filter bank, as the speaker network was trained on.

In: mono samples at 16 kHz.  Out: frames by bins.  Computed in double precision, without dither and
without mean removal.  Pure, any thread.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16000
BINS = 80
FRAME_SAMPLES = 400
HOP_SAMPLES = 160
_FFT_SAMPLES = 512
_PREEMPHASIS = 0.97
_LOWEST_HZ = 20.0
_POVEY_POWER = 0.85
_FLOOR = float(np.finfo(np.float32).eps)


def fbank(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples [N] -> log energies [F, 80], a frame for each 10 ms of which 25 ms are there.

    Raises `ValueError` when the samples do not fill one frame.
    """
    if samples.ndim != 1 or len(samples) < FRAME_SAMPLES:
        raise ValueError(
            f"a filter bank needs mono samples, at least {FRAME_SAMPLES} of them;"
            f" these have the shape {samples.shape}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(samples, FRAME_SAMPLES)[::HOP_SAMPLES]
    frames = windows.astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    # The first sample of a frame is its own predecessor.
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - _PREEMPHASIS * before) * _povey_window()
    power = np.abs(np.fft.rfft(frames, _FFT_SAMPLES, axis=1)) ** 2
    energies = power @ _mel_filters().T
    return np.log(np.maximum(energies, _FLOOR)).astype(np.float32)


@lru_cache(maxsize=1)
def _povey_window() -> NDArray[np.float64]:
    """Hann to the power of 0.85, both ends zero."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES - 1))
    return np.asarray(hann**_POVEY_POWER)


@lru_cache(maxsize=1)
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of equal width on the mel scale, [80, 257]; the last FFT bin belongs to none."""
    low, high = _mel(np.array([_LOWEST_HZ, SAMPLE_RATE_HZ / 2], np.float64))
    step = (high - low) / (BINS + 1)
    left = low + step * np.arange(BINS)[:, None]
    at = _mel(np.arange(_FFT_SAMPLES // 2, dtype=np.float64) * (SAMPLE_RATE_HZ / _FFT_SAMPLES))
    rising = (at - left) / step
    triangles = np.maximum(0.0, np.minimum(rising, 2.0 - rising))
    return np.pad(triangles, ((0, 0), (0, 1)))


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(hz / 700.0)
