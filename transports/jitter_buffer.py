"""Puts packets back into order without making anyone wait longer than needed.

In: packets as they arrive.  Out: packets in order, at once.  A hole is given up once `depth` later
packets have come.  Knows nothing about time, audio or sockets; called from one thread.
"""

from dataclasses import dataclass, field

MAX_DEPTH = 5
DECAY_PACKETS = 1_500  # 30 s of 20 ms packets without a late one lower the depth by one.
JUMP_PACKETS = 500  # 10 s: a sequence number further away than this starts a new stream.
REORDER_MEMORY = 64  # How far back a packet is told apart as "came after its hole was given up".


@dataclass(frozen=True)
class Packet:
    """One RTP packet: 16-bit sequence number, 32-bit timestamp, 32-bit source, payload."""

    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True)
class Ordered:
    """A packet in its turn."""

    packet: Packet
    restarted: bool
    """The stream began anew: the timestamp has nothing to do with the one before."""


@dataclass
class JitterCounts:
    """Packets, over the life of the buffer."""

    received: int = 0
    duplicates: int = 0
    late: int = 0
    """Came after their hole was given up."""
    skipped: int = 0
    """Given up; some of them may have come late."""
    restarts: int = 0


@dataclass
class JitterBuffer:
    """Packets in any order in, packets in order out; never more than `depth` wait.

    `depth` starts at `reorder_packets`, grows by one up to 5 for each packet that came after its
    hole was given up, and shrinks again, by one for each 30 s in which none did.
    """

    reorder_packets: int
    counts: JitterCounts = field(default_factory=JitterCounts)

    def __post_init__(self) -> None:
        self.depth = self.reorder_packets
        self._next: int | None = None  # Extended sequence number, never wraps.
        self._ssrc = 0
        self._waiting: dict[int, Packet] = {}
        self._given_up: set[int] = set()
        self._calm = 0

    @property
    def waits(self) -> bool:
        """Whether a packet waits for a hole before it."""
        return bool(self._waiting)

    def add(self, packet: Packet) -> list[Ordered]:
        """Take a packet; return all that are ready, in order."""
        self.counts.received += 1
        if self._next is None or packet.ssrc != self._ssrc:
            return self._restart(packet)
        distance = (packet.sequence - self._next + 0x8000) % 0x10000 - 0x8000
        if abs(distance) > JUMP_PACKETS:
            return self._restart(packet)
        sequence = self._next + distance
        self._relax()
        if distance < 0:
            self._count_late(sequence)
            return []
        if sequence in self._waiting:
            self.counts.duplicates += 1
            return []
        self._waiting[sequence] = packet
        ready = self._take_consecutive()
        while len(self._waiting) >= self.depth:
            self._give_up_hole()
            ready += self._take_consecutive()
        return ready

    def flush(self) -> list[Ordered]:
        """Return all that wait, giving up every hole before them."""
        ready: list[Ordered] = []
        while self._waiting:
            self._give_up_hole()
            ready += self._take_consecutive()
        return ready

    def _restart(self, packet: Packet) -> list[Ordered]:
        ready = self.flush() if self._next is not None else []
        if self._next is not None:
            self.counts.restarts += 1
        self._ssrc = packet.ssrc
        # The offset keeps numbers positive whatever came before the first packet.
        self._next = packet.sequence + 0x10000 + 1
        self._given_up.clear()
        return [*ready, Ordered(packet, restarted=True)]

    def _take_consecutive(self) -> list[Ordered]:
        assert self._next is not None
        ready = []
        while (packet := self._waiting.pop(self._next, None)) is not None:
            ready.append(Ordered(packet, restarted=False))
            self._next += 1
        return ready

    def _give_up_hole(self) -> None:
        assert self._next is not None
        first = min(self._waiting)
        self.counts.skipped += first - self._next
        self._given_up.update(range(max(self._next, first - REORDER_MEMORY), first))
        self._given_up = {n for n in self._given_up if n >= first - REORDER_MEMORY}
        self._next = first

    def _count_late(self, sequence: int) -> None:
        if sequence not in self._given_up:
            self.counts.duplicates += 1
            return
        self._given_up.discard(sequence)
        self.counts.late += 1
        self.depth = min(self.depth + 1, max(MAX_DEPTH, self.reorder_packets))
        self._calm = 0

    def _relax(self) -> None:
        self._calm += 1
        if self._calm >= DECAY_PACKETS:
            self._calm = 0
            self.depth = max(self.depth - 1, self.reorder_packets)
