"""How loud a voice is, the fixed gain that corrects it, and a guard that keeps it from clipping.

In and out: mono float32 samples [N].  `measure_lufs` listens to a whole recording, once for a
voice; `amplify` and `to_pcm` work sample by sample, so a stream needs no look-ahead and cut
anywhere gives what it gives whole.  Pure, any thread.
"""

import loudness
import numpy as np
from numpy.typing import NDArray

TARGET_LUFS = -20.0
"""Common loudness of all voices, ITU-R BS.1770 integrated."""

KNEE = 0.7
"""Amplitude above which the guard bends the signal; below it nothing changes."""

BLOCK_S = 0.4
"""The shortest recording that has a loudness: one block of the measurement."""


def measure_lufs(samples: NDArray[np.float32], rate_hz: int) -> float:
    """Integrated loudness of mono samples [N] to ITU-R BS.1770-4, to 0.1 LU.

    The samples count as one channel: a sine at 997 Hz that fills -1..1 has -3 LUFS.  -inf when
    every block is below the absolute gate of -70 LUFS, as silence is.  Raises `ValueError` when
    there is less than `BLOCK_S` of audio, or a sample is not a finite number.
    """
    if samples.ndim != 1 or len(samples) < BLOCK_S * rate_hz:
        raise ValueError(
            f"loudness needs mono samples, at least {BLOCK_S} s of them; "
            f"these have the shape {samples.shape} at {rate_hz} Hz"
        )
    if not np.isfinite(samples).all():
        raise ValueError("loudness needs finite samples; some of these are NaN or infinite")
    return float(loudness.integrated_loudness(samples.astype(np.float32), rate_hz))


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
