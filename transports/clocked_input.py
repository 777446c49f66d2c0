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
# A sender that stopped its clock while it sent nothing comes back behind the stream and stays
# there.  Two packets in a row so far behind, and this far apart, are taken for that, and the
# stream goes on from them; a burst of delayed packets comes closer together and is dropped.
FAR_BEHIND_SAMPLES = LINE_HZ // 10
PACED_S = 0.01


@dataclass
class InputCounts:
    """Totals over the call that no part counts by itself."""

    undecodable: int = 0
    """Packets that were not Opus."""
    rebased: int = 0
    """Jumps of the sender's clock."""


@dataclass
class _Behind:
    """The newest packet, if the stream had gone past it."""

    at_s: float
    run: tuple[int, Pcm]  # Timestamp and samples.


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
        self._behind: _Behind | None = None

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
        # Also a packet that comes too late ends the absence: more silence would overtake the next.
        self._absent_s = 0.0
        pcm = self._placed(self.jitter.add(packet), now_s)
        if self._anchor is None or not len(pcm):
            return []
        chunks = self._chunks(pcm)
        # While a packet waits for a hole, what came out is older than what has arrived.
        if not self.jitter.waits:
            self._anchor = (now_s, self._given_samples)
        return chunks

    def tick(self, now_s: float) -> list[bytes]:
        """Go on with silence if packets have been absent for more than 100 ms."""
        if self._anchor is None:
            return []
        then_s, _ = self._anchor
        self._absent_s += min(now_s - max(then_s, self._ticked_s), MAX_TICK_S)
        self._ticked_s = now_s
        if self._absent_s <= ABSENT_AFTER_S:
            return []
        # What still waits for a hole came before the absence, so it does not end it.
        chunks = self._chunks(self._placed(self.jitter.flush(), now_s))
        return chunks + self._chunks(self.concealer.fill(self._due_samples(now_s)))

    def _due_samples(self, now_s: float) -> int:
        """Return how far the stream is behind the clock."""
        if self._anchor is None:
            return 0
        then_s, given = self._anchor
        due = given + round((now_s - then_s - SILENCE_LAG_S) * LINE_HZ)
        return max(0, due - self._given_samples)

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
        if ordered.restarted or offset > MAX_GAP_SAMPLES:
            return self._rebased([(timestamp, pcm)], now_s)
        if -offset < len(pcm):
            self._behind = None
            return self.concealer.feed(pcm, timestamp)
        return self._place_behind(timestamp, pcm, -offset, now_s)

    def _place_behind(self, timestamp: int, pcm: Pcm, behind: int, now_s: float) -> Pcm:
        """Drop a packet that the stream has gone past, unless its sender has lost time."""
        before, run = self._behind, (timestamp, pcm)
        self._behind = _Behind(now_s, run)
        if before and now_s - before.at_s >= PACED_S and behind >= FAR_BEHIND_SAMPLES:
            return self._rebased([before.run, run], now_s)
        return self.concealer.feed(pcm, timestamp)

    def _rebased(self, runs: list[tuple[int, Pcm]], now_s: float) -> Pcm:
        """Go on from these runs, whatever their timestamps were before."""
        if self.concealer.counts.received:
            self.counts.rebased += 1
        self._behind = None
        parts = [self.concealer.fill(self._due_samples(now_s))]
        self.concealer.rebase(runs[0][0])
        parts += [self.concealer.feed(pcm, timestamp) for timestamp, pcm in runs]
        return np.concatenate(parts)

    def _chunks(self, pcm: Pcm) -> list[bytes]:
        self._given_samples += len(pcm)
        resampled = self._resampler.feed(pcm)
        self._pending = np.concatenate([self._pending, resampled])
        whole = len(self._pending) - len(self._pending) % CHUNK_SAMPLES
        ready, self._pending = self._pending[:whole], self._pending[whole:]
        return [chunk.tobytes() for chunk in ready.reshape(-1, CHUNK_SAMPLES)]
