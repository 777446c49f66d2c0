"""Turns decoded packets with timestamps into one gapless stream of samples.

In: runs of 48 kHz mono int16 with their RTP timestamps, in order.  Out: samples that follow each
other without gap or overlap.  Knows nothing about packets, clocks or codecs; called from one
thread.

A gap is filled with the last pitch period, repeated and faded: at full level for 10 ms, silent
after 60 ms, as in ITU-T G.711 Appendix I (which also blends in older periods; this does not).
What comes after a gap is cross-faded in over 5 ms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

RATE_HZ = 48_000
HOLD_SAMPLES = RATE_HZ * 10 // 1000
FADED_SAMPLES = RATE_HZ * 60 // 1000
CROSS_FADE_SAMPLES = RATE_HZ * 5 // 1000
MIN_PERIOD = RATE_HZ * 5 // 2000  # 2.5 ms: 400 Hz
MAX_PERIOD = RATE_HZ * 15 // 1000  # 15 ms: 67 Hz
TEMPLATE_SAMPLES = RATE_HZ * 20 // 1000
HISTORY_SAMPLES = TEMPLATE_SAMPLES + MAX_PERIOD


@dataclass
class ConcealmentCounts:
    """Samples at 48 kHz, over the life of the stream."""

    received: int = 0
    """Put into the stream as they came."""
    filled: int = 0
    """Made up, silence included."""
    late: int = 0
    """Dropped because the stream had already gone past them."""


class Concealer:
    """One stream of samples; its position is the number of samples given out."""

    def __init__(self) -> None:
        self.counts = ConcealmentCounts()
        self._next_timestamp: int | None = None
        self._history = np.zeros(HISTORY_SAMPLES, np.int16)
        self._period: Pcm | None = None  # Set while a gap is being filled.
        self._gap_samples = 0

    def offset(self, timestamp: int) -> int:
        """Return how far `timestamp` is ahead of the stream, in samples; negative is behind."""
        if self._next_timestamp is None:
            return 0
        return (timestamp - self._next_timestamp + 2**31) % 2**32 - 2**31

    def rebase(self, timestamp: int) -> None:
        """Say that whatever has this timestamp comes next."""
        self._next_timestamp = timestamp % 2**32

    def feed(self, pcm: Pcm, timestamp: int) -> Pcm:
        """Place a run at its timestamp: fill what is missing before it, drop what is past."""
        if self._next_timestamp is None:
            self.rebase(timestamp)
        offset = self.offset(timestamp)
        parts = []
        if offset > 0:
            parts.append(self.fill(offset))
        elif offset < 0:
            self.counts.late += min(-offset, len(pcm))
            pcm = pcm[-offset:]
        if len(pcm):
            parts.append(self._recovered(pcm))
            self.counts.received += len(pcm)
            self._advance(parts[-1])
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def fill(self, count: int) -> Pcm:
        """Go on for `count` samples without anything received."""
        filled = self._continuation(count)
        self._gap_samples += count
        self.counts.filled += count
        if self._next_timestamp is not None:
            self._next_timestamp = (self._next_timestamp + count) % 2**32
        return filled

    def _advance(self, pcm: Pcm) -> None:
        assert self._next_timestamp is not None
        self._next_timestamp = (self._next_timestamp + len(pcm)) % 2**32
        self._history = np.concatenate([self._history, pcm])[-HISTORY_SAMPLES:]
        self._period = None
        self._gap_samples = 0

    def _recovered(self, pcm: Pcm) -> Pcm:
        if not self._gap_samples:
            return pcm
        count = min(CROSS_FADE_SAMPLES, len(pcm))
        rise = np.arange(1, count + 1) / (count + 1)
        head = pcm[:count] * rise + self._continuation(count) * (1 - rise)
        return np.concatenate([np.round(head).astype(np.int16), pcm[count:]])

    def _continuation(self, count: int) -> Pcm:
        if self._period is None:
            self._period = last_period(self._history)
        start = self._gap_samples
        if start >= FADED_SAMPLES:
            return np.zeros(count, np.int16)
        index = np.arange(start, start + count)
        gain = np.clip((FADED_SAMPLES - index) / (FADED_SAMPLES - HOLD_SAMPLES), 0.0, 1.0)
        repeated = self._period[index % len(self._period)]
        return np.round(repeated * gain).astype(np.int16)


def last_period(history: Pcm) -> Pcm:
    """Return the last pitch period of `history` (int16[1680]), closed so that it loops smoothly.

    The period is the lag of 2.5 to 15 ms at which the last 20 ms look most like what came before
    (normalised cross-correlation).
    """
    x = history.astype(np.float64)
    template = x[-TEMPLATE_SAMPLES:]
    # before[i] is the window that lies MAX_PERIOD - i samples earlier than the template.
    searched = x[:-MIN_PERIOD]
    products = np.correlate(searched, template, mode="valid")
    energy = np.convolve(searched**2, np.ones(TEMPLATE_SAMPLES), mode="valid")
    best = int(np.argmax(products / np.sqrt(energy + 1.0)))
    period = MAX_PERIOD - best
    loop = x[-period:].copy()
    # The end of the loop glides into its beginning over a quarter of the period.
    quarter = period // 4
    rise = np.arange(1, quarter + 1) / (quarter + 1)
    loop[-quarter:] = loop[-quarter:] * (1 - rise) + x[-period - quarter : -period] * rise
    return np.round(loop).astype(np.int16)
