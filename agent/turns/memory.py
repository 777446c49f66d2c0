"""The caller's recent audio, addressed by the ear's clock.

In: 16 kHz mono int16 frames, in order and without gaps.  Out: any recent stretch as float32.
Bounded: the oldest audio is dropped.
"""

import numpy as np
from numpy.typing import NDArray

from agent.stt.types import SAMPLE_RATE_HZ


class AudioMemory:
    """The last `keep_s` seconds of one call."""

    def __init__(self, keep_s: float) -> None:
        self._ring: NDArray[np.int16] = np.zeros(int(keep_s * SAMPLE_RATE_HZ), dtype=np.int16)
        self.total_samples = 0
        """Samples received so far."""

    @property
    def now_s(self) -> float:
        """The ear's clock: seconds of audio received."""
        return self.total_samples / SAMPLE_RATE_HZ

    def append(self, pcm: NDArray[np.int16]) -> None:
        """Take the next samples [N]."""
        size = len(self._ring)
        for offset in range(0, len(pcm), size):
            part = pcm[offset : offset + size]
            at = self.total_samples % size
            first = min(len(part), size - at)
            self._ring[at : at + first] = part[:first]
            self._ring[: len(part) - first] = part[first:]
            self.total_samples += len(part)

    def between(self, from_s: float, to_s: float) -> NDArray[np.float32]:
        """The audio [N] between two ear times in -1..1, clipped to what is remembered."""
        oldest = max(0, self.total_samples - len(self._ring))
        first = min(max(int(from_s * SAMPLE_RATE_HZ), oldest), self.total_samples)
        last = min(max(int(to_s * SAMPLE_RATE_HZ), first), self.total_samples)
        index = np.arange(first, last) % len(self._ring)
        return self._ring[index].astype(np.float32) / np.float32(32768)


def quietest_s(audio: NDArray[np.float32], window_s: float = 0.06) -> float:
    """Where in `audio` [N, 16 kHz] the quietest stretch of `window_s` has its middle."""
    size = int(window_s * SAMPLE_RATE_HZ)
    if len(audio) < size:
        return len(audio) / SAMPLE_RATE_HZ
    energy = np.convolve(audio.astype(np.float64) ** 2, np.ones(size), mode="valid")
    return (int(np.argmin(energy)) + size / 2) / SAMPLE_RATE_HZ
