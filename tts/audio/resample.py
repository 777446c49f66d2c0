"""Sample-rate conversion: of reference clips as upstream does it, and of streams.

In and out: mono float samples [N].  `sinc` equals torchaudio's `Resample` with its defaults, `soxr`
librosa's `resample` with its defaults; the codes and vectors of a voice depend on which was used.
A `ResampledStream` converts what comes in pieces; it belongs to its stream.  Pure, any thread.
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


class ResampledStream:
    """One stream at another rate: fed in pieces it gives what it gives whole, for every split.

    The last piece makes the sum round(N * to / from) samples, halves upwards, for N samples in.
    Nothing is shifted in time, so what comes out lags behind what went in: soxr's high quality
    works in blocks, and up to `HELD_S` of audio waits for the next piece.
    """

    HELD_S = 0.12
    """To 8 kHz; 0.06 s to 16 kHz, 0.05 s to 24 kHz and above."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        """Raises `ValueError` when a rate is not positive."""
        _check(from_hz, to_hz)
        self._converter = (
            None if from_hz == to_hz else libsoxr.ResampleStream(from_hz, to_hz, 1, quality="HQ")
        )

    def feed(self, samples: Samples, *, is_last: bool) -> Samples:
        """What is known of the result after these samples; nothing may follow the last."""
        if self._converter is None:
            return samples
        converted: Samples = self._converter.resample_chunk(
            samples.astype(np.float32), last=is_last
        )
        return converted


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
