"""Sample-rate conversion of reference clips, equal to the two converters that upstream uses.

In and out: mono float samples [N].  `sinc` equals torchaudio's `Resample` with its defaults, `soxr`
librosa's `resample` with its defaults; the codes and vectors of a voice depend on which was used.
Pure, any thread.
"""

import math
from functools import lru_cache

import numpy as np
import soxr as libsoxr
from numpy.typing import NDArray

_SINC_ZEROS = 6
_SINC_ROLLOFF = 0.99

Samples = NDArray[np.float32]


def sinc(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Convert with a Hann-windowed sinc of 6 zero crossings: ceil(N * to / from) samples out.

    Raises `ValueError` when a rate is not positive.
    """
    _check(from_hz, to_hz)
    if from_hz == to_hz:
        return samples
    common = math.gcd(from_hz, to_hz)
    hop, phases = from_hz // common, to_hz // common
    kernels, margin = _sinc_kernels(hop, phases)
    padded = np.pad(samples.astype(np.float32), (margin, margin + hop))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernels.shape[1])[::hop]
    length = -(-len(samples) * phases // hop)
    return (windows @ kernels.T).reshape(-1)[:length]


def soxr(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Convert with soxr's high quality: ceil(N * to / from) samples out.

    Raises `ValueError` when a rate is not positive.
    """
    _check(from_hz, to_hz)
    if from_hz == to_hz:
        return samples
    converted = libsoxr.resample(samples.astype(np.float32), from_hz, to_hz, quality="HQ")
    length = math.ceil(len(samples) * (to_hz / from_hz))  # librosa's rounding, quirk included
    out = np.zeros(length, np.float32)
    out[: len(converted)] = converted[:length]
    return out


@lru_cache(maxsize=8)
def _sinc_kernels(hop: int, phases: int) -> tuple[NDArray[np.float32], int]:
    """One kernel for each output phase, [phases, taps], and the taps before the first sample."""
    cutoff = min(hop, phases) * _SINC_ROLLOFF
    margin = math.ceil(_SINC_ZEROS * hop / cutoff)
    taps = np.arange(-margin, margin + hop) / hop
    # torchaudio rounds the phase to single precision, and a kernel's taps show it.
    phase = (-np.arange(phases, dtype=np.float32) / np.float32(phases)).astype(np.float64)
    at = np.clip((taps + phase[:, None]) * cutoff, -_SINC_ZEROS, _SINC_ZEROS)
    window = np.cos(at * math.pi / _SINC_ZEROS / 2) ** 2
    return (np.sinc(at) * window * (cutoff / hop)).astype(np.float32), margin


def _check(from_hz: int, to_hz: int) -> None:
    if from_hz <= 0 or to_hz <= 0:
        raise ValueError(f"sample rates must be positive, not {from_hz} Hz and {to_hz} Hz")
