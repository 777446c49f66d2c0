"""Where the voice is in a clause of audio, and the clause with measured silence around it.

In and out: float32 samples [N] of one clause.  Engines leave tenths of a second of silence
before and after; the first is heard as latency, the second as a wrong pause.
"""

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.005
QUIET_DB = -42.0
"""Level under the clause's loudest frame below which a frame is silent."""
LEAD_S = 0.010
"""Kept before the first voiced frame: a soft onset lies there."""
FADE_S = 0.003


def voiced_span(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[int, int]:
    """First voiced sample and one past the last; (0, 0) when there is none."""
    frame = max(1, int(sample_rate_hz * FRAME_S))
    count = len(samples) // frame
    if count == 0:
        return 0, 0
    frames = samples[: count * frame].reshape(count, frame).astype(np.float64)
    power = np.mean(frames * frames, axis=1)
    loudest = power.max()
    if not np.isfinite(loudest) or loudest < 1e-10:
        return 0, 0
    voiced = np.flatnonzero(power > loudest * 10 ** (QUIET_DB / 10))
    return int(voiced[0]) * frame, int(voiced[-1] + 1) * frame


def trim(
    samples: NDArray[np.float32], sample_rate_hz: int, *, pause_s: float
) -> tuple[NDArray[np.float32], int, int]:
    """Leave `LEAD_S` before the voice and exactly `pause_s` after it.

    Returns the audio, the number of samples cut from the front (marks move by it) and the index
    one past the last voiced sample in the result.  Audio without voice comes back empty.
    """
    start, end = voiced_span(samples, sample_rate_hz)
    if end == 0:
        return np.zeros(0, np.float32), 0, 0
    cut = max(0, start - int(LEAD_S * sample_rate_hz))
    pause = int(pause_s * sample_rate_hz)
    kept = samples[cut : end + pause].astype(np.float32)
    fade = min(int(FADE_S * sample_rate_hz), len(kept) // 2)
    if fade:
        ramp = np.linspace(0, 1, fade, endpoint=False, dtype=np.float32)
        kept[:fade] *= ramp
        kept[-fade:] *= ramp[::-1]
    missing = end - cut + pause - len(kept)
    return np.concatenate([kept, np.zeros(missing, np.float32)]), cut, end - cut
