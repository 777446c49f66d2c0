"""The caller's voice on its way in: a stream whose length is the caller's clock.

In: RTP packets as they arrive, and the time.  Out: chunks of 20 ms, 16 kHz mono s16le, without
gaps: packets are ordered, decoded, missing ones concealed, absent ones replaced by silence paced
by the given time.  Knows nothing about sockets and reads no clock; called from one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transports.codecs import StreamResampler
from transports.concealment import Concealer
from transports.jitter_buffer import JitterBuffer, Ordered, Packet

Pcm = NDArray[np.int16]

LINE_HZ = 48_000
OUTPUT_HZ = 16_000
CHUNK_SAMPLES = 320  # 20 ms at 16 kHz
ABSENT_AFTER_S = 0.1
# Of the time between two ticks no more than this counts as absence: if the tick itself was late,
# the packets wait in the socket and will come before the next one.
MAX_TICK_S = 0.04
# Made-up silence stays this far behind the clock, so that a packet that comes back in time still
# finds its place free.
SILENCE_LAG_S = 0.02
# A timestamp further ahead than this is a jump of the sender's clock, not a gap: real absence has
# already been filled with silence by then.
MAX_GAP_SAMPLES = LINE_HZ // 2
# A sender whose packets are behind the stream for this long has lost time (it stopped its clock
# while it sent nothing); the stream then goes on from its packets.  A burst of delayed packets is
# over sooner.
LATE_FOR_S = 0.5


@dataclass
class InputCounts:
    """Totals over the call that no part counts by itself."""

    undecodable: int = 0
    """Packets that were not Opus."""
    rebased: int = 0
    """Jumps of the sender's clock."""


class ClockedInput:
    """One caller's voice.  `decode` turns a payload into mono 48 kHz int16, or None if it cannot.

    Nothing comes out before `start`.
    """

    def __init__(self, decode: Callable[[bytes], Pcm | None], *, reorder_packets: int) -> None:
        self.counts = InputCounts()
        self.jitter = JitterBuffer(reorder_packets)
        self.concealer = Concealer()
        self._decode = decode
        self._resampler = StreamResampler(LINE_HZ, OUTPUT_HZ)
        self._pending = np.zeros(0, np.int16)
        self._given_samples = 0  # 48 kHz samples since `start`
        self._anchor: tuple[float, int] | None = None  # time and samples given by then
        self._absent_s = 0.0
        self._ticked_s = 0.0
        self._late_since: float | None = None

    @property
    def started(self) -> bool:
        """Whether the caller's clock runs."""
        return self._anchor is not None

    def start(self, now_s: float) -> None:
        """Let the caller's clock run from here.  Idempotent."""
        if self._anchor is None:
            self._anchor = (now_s, 0)
            self._ticked_s = now_s

    def packet(self, packet: Packet, now_s: float) -> list[bytes]:
        """Take a packet; return the chunks that are complete."""
        ready = self.jitter.add(packet)
        return self._give(self._placed(ready, now_s), now_s)

    def tick(self, now_s: float) -> list[bytes]:
        """Go on with silence if packets have been absent for more than 100 ms."""
        if self._anchor is None:
            return []
        then_s, given = self._anchor
        self._absent_s += min(now_s - max(then_s, self._ticked_s), MAX_TICK_S)
        self._ticked_s = now_s
        if self._absent_s <= ABSENT_AFTER_S:
            return []
        # What still waits for a hole came before the absence, so it does not end it.
        chunks = self._chunks(self._placed(self.jitter.flush(), now_s))
        due = given + round((now_s - then_s - SILENCE_LAG_S) * LINE_HZ)
        if due > self._given_samples:
            chunks += self._chunks(self.concealer.fill(due - self._given_samples))
        return chunks

    def _give(self, pcm: Pcm, now_s: float) -> list[bytes]:
        if self._anchor is None or not len(pcm):
            return []
        chunks = self._chunks(pcm)
        self._anchor = (now_s, self._given_samples)
        self._absent_s = 0.0
        return chunks

    def _placed(self, ready: list[Ordered], now_s: float) -> Pcm:
        parts = [self._place(ordered, now_s) for ordered in ready]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)

    def _place(self, ordered: Ordered, now_s: float) -> Pcm:
        pcm = self._decode(ordered.packet.payload)
        if pcm is None:
            self.counts.undecodable += 1
            return np.zeros(0, np.int16)
        timestamp = ordered.packet.timestamp
        offset = self.concealer.offset(timestamp)
        behind = -offset >= len(pcm) > 0
        if not behind:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = now_s
        lost_time = self._late_since is not None and now_s - self._late_since > LATE_FOR_S
        if ordered.restarted or offset > MAX_GAP_SAMPLES or lost_time:
            if self.concealer.counts.received:
                self.counts.rebased += 1
            self.concealer.rebase(timestamp)
            self._late_since = None
        return self.concealer.feed(pcm, timestamp)

    def _chunks(self, pcm: Pcm) -> list[bytes]:
        self._given_samples += len(pcm)
        resampled = self._resampler.feed(pcm)
        self._pending = np.concatenate([self._pending, resampled])
        whole = len(self._pending) - len(self._pending) % CHUNK_SAMPLES
        ready, self._pending = self._pending[:whole], self._pending[whole:]
        return [chunk.tobytes() for chunk in ready.reshape(-1, CHUNK_SAMPLES)]
