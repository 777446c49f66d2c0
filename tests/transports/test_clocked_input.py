import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.clocked_input import ClockedInput
from transports.jitter_buffer import Packet

FRAME = 960
TICK_S = 0.02


def decode(payload: bytes) -> np.ndarray | None:
    return np.frombuffer(payload, np.int16) if payload else None


def packet(n: int, value: int = 1000, *, ssrc: int = 1, timestamp: int | None = None) -> Packet:
    pcm = np.full(FRAME, value, np.int16)
    stamp = n * FRAME if timestamp is None else timestamp
    return Packet(n % 2**16, stamp % 2**32, ssrc, pcm.tobytes())


class Line:
    """Packets and ticks on a clock of their own."""

    def __init__(self) -> None:
        self.voice = ClockedInput(decode, reorder_packets=2)
        self.now_s = 100.0
        self.chunks: list[bytes] = []
        self.voice.start(self.now_s)

    def run(self, packets: list[Packet], *, seconds: float = TICK_S) -> None:
        """Deliver packets, then let time pass in ticks."""
        for item in packets:
            self.chunks += self.voice.packet(item, self.now_s)
        for _ in range(round(seconds / TICK_S)):
            self.now_s += TICK_S
            self.chunks += self.voice.tick(self.now_s)

    @property
    def seconds(self) -> float:
        return len(self.chunks) * 0.02

    @property
    def pcm(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.chunks), np.int16)


def test_every_packet_becomes_a_chunk_of_20_ms_at_once():
    line = Line()
    for n in range(50):
        line.run([packet(n)])
        # The filter of the resampler holds 1 ms back.
        assert len(line.chunks) == n
    assert {len(chunk) for chunk in line.chunks} == {640}
    assert line.pcm[1000] == pytest.approx(1000, abs=2)


def test_lost_packet_adds_no_lasting_delay():
    """aiortc's own buffer adds 281 ms for the rest of the call after one lost packet."""
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    before = 10 - len(line.chunks)
    line.run([])  # Packet 10 is lost.
    line.run([packet(11)])
    assert len(line.chunks) == 9  # It waits for one more packet.
    for n in range(12, 30):
        line.run([packet(n)])
        assert n + 1 - len(line.chunks) == before
    assert line.voice.concealer.counts.filled == FRAME


def test_absent_packets_become_silence_at_the_pace_of_the_clock():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=5.0)
    assert line.seconds == pytest.approx(5.2, abs=0.06)
    assert not line.pcm[-16_000:].any()


def test_clock_runs_before_the_first_packet_and_goes_on_with_it():
    line = Line()
    line.run([], seconds=2.0)
    for n in range(50):
        line.run([packet(n)])
    assert line.seconds == pytest.approx(3.0, abs=0.06)
    assert line.voice.concealer.counts.received == 50 * FRAME


def test_time_that_became_silence_is_not_counted_again_when_its_packets_come():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=0.4)
    line.run([packet(n) for n in range(10, 30)])  # All of them at once.
    for n in range(30, 50):
        line.run([packet(n)])
    assert line.seconds == pytest.approx(1.0, abs=0.06)
    assert line.voice.concealer.counts.late > 10 * FRAME


def test_stall_of_this_process_costs_no_speech():
    """Packets that waited in the socket while nothing ran are taken, not replaced by silence."""
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.now_s += 0.5
    line.chunks += line.voice.tick(line.now_s)
    line.run([packet(n) for n in range(10, 36)])
    assert line.voice.concealer.counts.filled == 0
    assert line.voice.concealer.counts.late == 0


def test_pause_of_discontinuous_transmission_is_silence_of_the_same_length():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=0.4)
    for n in range(10, 30):  # Sequence numbers go on, timestamps have moved on.
        line.run([packet(n, timestamp=(n + 20) * FRAME)])
    assert line.seconds == pytest.approx(1.0, abs=0.06)
    assert line.voice.concealer.counts.late <= FRAME


@pytest.mark.parametrize("pause_s", [0.3, 0.5, 5.0])
def test_sender_that_stopped_its_clock_while_silent_loses_nothing_it_says(pause_s):
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=pause_s)
    for n in range(10, 110):
        line.run([packet(n)])
    assert line.voice.counts.rebased == 1
    assert line.seconds == pytest.approx(2.2 + pause_s, abs=0.06)
    assert np.count_nonzero(line.pcm > 500) == pytest.approx(110 * 320, abs=700)


def test_stopped_clock_is_told_even_after_a_burst():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=5.0)
    line.run([packet(10), packet(11), packet(12)])
    for n in range(13, 60):
        line.run([packet(n)])
    assert line.voice.counts.rebased == 1
    assert np.count_nonzero(line.pcm > 500) >= 57 * 320


def test_packets_a_little_later_than_before_the_absence_are_heard_at_once():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=1.0)
    for n in range(58, 110):  # The path has become 40 ms longer.
        line.run([packet(n)])
    assert line.voice.counts.rebased == 0
    assert line.voice.concealer.counts.late <= 4 * FRAME
    assert np.count_nonzero(line.pcm > 500) >= (10 + 52 - 5) * 320


def test_burst_of_long_delayed_packets_is_not_taken_for_lost_time():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    line.run([], seconds=1.0)
    line.run([packet(n) for n in range(10, 60)])
    for n in range(60, 100):
        line.run([packet(n)])
    assert line.voice.counts.rebased == 0
    assert line.seconds == pytest.approx(2.0, abs=0.06)


def test_new_source_goes_on_without_a_gap():
    line = Line()
    for n in range(10):
        line.run([packet(n)])
    for n in range(40):
        line.run([packet(n + 5000, ssrc=2, timestamp=123_456_789 + n * FRAME)])
    assert line.seconds == pytest.approx(1.0, abs=0.06)
    assert line.voice.counts.rebased == 1


def test_jump_of_the_senders_clock_makes_no_silence():
    line = Line()
    line.run([packet(0)])
    line.run([packet(1, timestamp=2**31 - 1)])
    line.run([packet(2, timestamp=2**31 - 1 + FRAME)])
    assert line.voice.concealer.counts.filled == 0


def test_payload_that_is_not_opus_is_counted_and_concealed():
    line = Line()
    for n in range(10):
        line.run([packet(n) if n != 5 else Packet(5, 5 * FRAME, 1, b"")])
    assert line.voice.counts.undecodable == 1
    assert len(line.chunks) == 9


def test_nothing_comes_out_before_the_start():
    voice = ClockedInput(decode, reorder_packets=2)
    assert [c for n in range(10) for c in voice.packet(packet(n), n * 0.02)] == []
    assert voice.tick(10.0) == []
    assert not voice.started


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=100, max_size=200))
def test_callers_clock_keeps_time_under_any_loss_and_delay(fates):
    """A fate is: 0 and 1 lost, 2 to 5 late by so many ticks less one, else in time."""
    line = Line()
    arrivals: dict[int, list[Packet]] = {}
    for n, fate in enumerate(fates):
        if fate >= 2:
            arrivals.setdefault(n + (fate - 1 if fate <= 5 else 0), []).append(packet(n))
    for tick in range(len(fates)):
        line.run(arrivals.get(tick, []))
    line.run([], seconds=1.0)
    # The delay of the last packet (80 ms), the lag of silence (20 ms), less than one chunk.
    assert line.seconds == pytest.approx(len(fates) * 0.02 + 1.0, abs=0.121)
