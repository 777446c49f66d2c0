"""The magnitude spectrogram from which SoVITS hears how a voice sounds.

In: mono samples at 32 kHz.  Out: bins by frames.  Computed in double precision, so that it is the
same on every machine.  Pure, any thread.
"""

import numpy as np
from numpy.typing import NDArray

WINDOW_SAMPLES = 2048
HOP_SAMPLES = 640
BINS = WINDOW_SAMPLES // 2 + 1
_EDGE_SAMPLES = (WINDOW_SAMPLES - HOP_SAMPLES) // 2
_FLOOR = 1e-8


def spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples [N] -> magnitudes [1025, F] with F = floor(N / 640) frames.

    Reflected at both ends, periodic Hann window, sqrt(re^2 + im^2 + 1e-8).  Raises `ValueError`
    when there are too few samples to reflect.
    """
    if samples.ndim != 1 or len(samples) <= _EDGE_SAMPLES:
        raise ValueError(
            f"a spectrogram needs mono samples, more than {_EDGE_SAMPLES} of them;"
            f" these have the shape {samples.shape}"
        )
    padded = np.pad(samples.astype(np.float64), _EDGE_SAMPLES, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_SAMPLES) / WINDOW_SAMPLES)
    bins = np.fft.rfft(frames * hann, axis=-1)
    magnitude = np.sqrt(bins.real**2 + bins.imag**2 + _FLOOR)
    return np.ascontiguousarray(magnitude.T, dtype=np.float32)
