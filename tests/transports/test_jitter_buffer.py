from hypothesis import given
from hypothesis import strategies as st

from transports.jitter_buffer import DECAY_PACKETS, MAX_DEPTH, JitterBuffer, Packet


def packet(n: int, ssrc: int = 1) -> Packet:
    return Packet(n % 0x10000, (n * 960) % 2**32, ssrc, str(n).encode())


def feed(buffer: JitterBuffer, numbers: list[int]) -> list[int]:
    return [int(o.packet.payload) for n in numbers for o in buffer.add(packet(n))]


def test_packets_in_order_leave_at_once():
    buffer = JitterBuffer(2)
    for n in range(100):
        assert feed(buffer, [n]) == [n]


def test_overtaken_packet_is_put_back_in_its_place():
    assert feed(JitterBuffer(2), [0, 2, 1, 3]) == [0, 1, 2, 3]


def test_hole_is_given_up_once_two_later_packets_came():
    buffer = JitterBuffer(2)
    assert feed(buffer, [0, 2]) == [0]
    assert feed(buffer, [3]) == [2, 3]
    assert feed(buffer, [4]) == [4]  # No packet waits because of the loss any more.
    assert buffer.counts.skipped == 1


def test_hole_of_several_packets_is_given_up_as_one():
    buffer = JitterBuffer(2)
    assert feed(buffer, [0, 5, 6]) == [0, 5, 6]
    assert buffer.counts.skipped == 4


def test_duplicates_are_dropped_and_counted_whether_waiting_or_gone():
    buffer = JitterBuffer(3)
    assert feed(buffer, [0, 0, 2, 2, 1, 1]) == [0, 1, 2]
    assert buffer.counts.duplicates == 3
    assert buffer.counts.late == 0


def test_late_packet_is_dropped_counted_and_deepens_the_buffer():
    buffer = JitterBuffer(2)
    assert feed(buffer, [0, 2, 3, 1]) == [0, 2, 3]
    assert (buffer.counts.late, buffer.depth) == (1, 3)
    assert feed(buffer, [5, 6, 4]) == [4, 5, 6]  # Two late is now in time.


def test_depth_never_exceeds_five_and_decays_when_calm():
    buffer = JitterBuffer(2)
    n = 0
    for _ in range(10):
        feed(buffer, [n, *range(n + 2, n + 2 + MAX_DEPTH), n + 1])
        n += 2 + MAX_DEPTH
    assert buffer.depth == MAX_DEPTH
    feed(buffer, list(range(n, n + DECAY_PACKETS)))
    assert buffer.depth == MAX_DEPTH - 1
    feed(buffer, list(range(n + DECAY_PACKETS, n + 10 * DECAY_PACKETS)))
    assert buffer.depth == 2


def test_sequence_numbers_wrap():
    buffer = JitterBuffer(2)
    numbers = list(range(65_530, 65_550))
    shuffled = [*numbers[:5], numbers[6], numbers[5], *numbers[7:]]
    assert feed(buffer, shuffled) == numbers
    assert buffer.counts.restarts == 0


def test_sequence_numbers_wrap_again_and_again():
    buffer = JitterBuffer(2)
    for n in range(0, 140_000, 50):
        feed(buffer, [n])
        assert feed(buffer, [n + 1]) == ([n, n + 1] if n else [1])


def test_other_source_restarts_the_stream_after_what_waited():
    buffer = JitterBuffer(2)
    feed(buffer, [0, 2])
    ready = buffer.add(packet(50_000, ssrc=9))
    assert [(int(o.packet.payload), o.restarted) for o in ready] == [(2, False), (50_000, True)]
    assert buffer.counts.restarts == 1


def test_far_jump_restarts_the_stream():
    buffer = JitterBuffer(2)
    feed(buffer, [0])
    (ordered,) = buffer.add(packet(20_000))
    assert ordered.restarted


def test_flush_gives_everything_that_waits():
    buffer = JitterBuffer(4)
    assert feed(buffer, [0, 2, 4]) == [0]
    assert [int(o.packet.payload) for o in buffer.flush()] == [2, 4]
    assert buffer.flush() == []


@given(st.lists(st.integers(0, 65_535), max_size=200), st.integers(1, 6))
def test_any_input_leaves_in_increasing_order_once_each(numbers, depth):
    buffer = JitterBuffer(depth)
    segment: list[int] = []
    given_out = 0
    for number in numbers:
        for ordered in buffer.add(Packet(number, 0, 1, b"")):
            given_out += 1
            if ordered.restarted:
                segment = []
            sequence = ordered.packet.sequence
            if segment:
                assert 0 < (sequence - segment[-1]) % 0x10000 < 0x8000
            segment.append(sequence)
        assert len(buffer._waiting) < buffer.depth
    counts = buffer.counts
    waiting = len(buffer._waiting)
    assert counts.received == given_out + waiting + counts.duplicates + counts.late


@given(st.data())
def test_reordering_within_the_depth_loses_nothing(data):
    """Each packet is overtaken by fewer than `depth` others."""
    numbers = list(range(60))
    for i in range(0, 58, 3):
        numbers[i + 1 : i + 3] = data.draw(st.permutations(numbers[i + 1 : i + 3]))
    buffer = JitterBuffer(2)
    assert feed(buffer, numbers) == list(range(60))
    assert buffer.counts.skipped == 0
