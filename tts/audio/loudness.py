"""A fixed gain for a voice, and a guard that keeps it from clipping.

In and out: float32 samples [N].  Works sample by sample, so a stream needs no look-ahead and cut
anywhere gives what it gives whole.
"""

import numpy as np
from numpy.typing import NDArray

TARGET_LUFS = -20.0
"""Common loudness of all voices, ITU-R BS.1770 integrated."""

KNEE = 0.7
"""Amplitude above which the guard bends the signal; below it nothing changes."""


def amplify(samples: NDArray[np.float32], gain_db: float) -> NDArray[np.float32]:
    """Apply a gain; what would exceed the knee is bent smoothly to stay within -1..1."""
    louder = samples * np.float32(10 ** (gain_db / 20))
    over = np.abs(louder) > KNEE
    if over.any():
        room = 1 - KNEE
        bent = KNEE + room * np.tanh((np.abs(louder[over]) - KNEE) / room)
        louder[over] = np.copysign(bent, louder[over])
    return louder


def to_pcm(samples: NDArray[np.float32]) -> bytes:
    """Signed 16-bit little-endian samples; NaN becomes silence."""
    whole = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    return (np.clip(whole, -1, 1) * 32767).round().astype("<i2").tobytes()
