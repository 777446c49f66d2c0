import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.concealment import (
    CROSS_FADE_SAMPLES,
    FADED_SAMPLES,
    HISTORY_SAMPLES,
    Concealer,
    last_period,
)

FRAME = 960


def tone(hz: float, count: int, start: int = 0, amplitude: float = 8000) -> np.ndarray:
    t = (np.arange(count) + start) / 48_000
    return np.round(amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def test_contiguous_runs_pass_unchanged():
    concealer = Concealer()
    source = tone(200, 10 * FRAME)
    out = [concealer.feed(p, 777 + i * FRAME) for i, p in enumerate(source.reshape(-1, FRAME))]
    assert np.array_equal(np.concatenate(out), source)
    assert concealer.counts.filled == 0


@pytest.mark.parametrize("hz", [70, 100, 220, 390])
def test_lost_packet_of_a_steady_voice_is_hardly_noticed(hz):
    concealer = Concealer()
    source = tone(hz, 20 * FRAME)
    for i in range(10):
        concealer.feed(source[i * FRAME : (i + 1) * FRAME], i * FRAME)
    out = concealer.feed(source[11 * FRAME : 12 * FRAME], 11 * FRAME)
    assert len(out) == 2 * FRAME
    first_10_ms = out[:480].astype(float) - source[10 * FRAME : 10 * FRAME + 480]
    assert np.sqrt(np.mean(first_10_ms**2)) < 0.2 * 8000 / np.sqrt(2)
    # Past the cross-fade it is the packet itself.
    assert np.array_equal(out[FRAME + CROSS_FADE_SAMPLES :], source[11 * FRAME :][240:960])
    assert concealer.counts.filled == FRAME


def test_gap_fades_to_silence_within_60_ms():
    concealer = Concealer()
    concealer.feed(tone(200, 4 * FRAME), 0)
    filled = np.concatenate([concealer.fill(FRAME) for _ in range(5)])
    peaks = [int(np.abs(filled[i : i + 480]).max()) for i in range(0, FADED_SAMPLES, 480)]
    assert peaks[0] > 7000
    assert all(later <= earlier for earlier, later in zip(peaks, peaks[1:], strict=False))
    assert not filled[FADED_SAMPLES:].any()


def test_joins_are_smooth():
    """No step at a join is much larger than the voice's own steps."""
    concealer = Concealer()
    source = tone(210, 40 * FRAME)
    own = int(np.abs(np.diff(source.astype(int))).max())
    kept = [n for n in range(40) if n not in (10, 11, 20, 30, 31, 32, 33)]
    line = np.concatenate(
        [concealer.feed(source[n * FRAME : (n + 1) * FRAME], n * FRAME) for n in kept]
    )
    assert len(line) == len(source)
    assert int(np.abs(np.diff(line.astype(int))).max()) <= 4 * own


def test_silence_is_concealed_by_silence():
    concealer = Concealer()
    concealer.feed(np.zeros(2 * FRAME, np.int16), 0)
    assert not concealer.fill(FRAME).any()


def test_overlap_is_played_once():
    concealer = Concealer()
    source = tone(200, 3 * FRAME)
    first = concealer.feed(source[: 2 * FRAME], 0)
    second = concealer.feed(source[FRAME:], FRAME)
    assert np.array_equal(np.concatenate([first, second]), source)
    assert len(concealer.feed(source[:FRAME], 0)) == 0
    assert concealer.counts.late == 2 * FRAME


def test_timestamp_wraps():
    concealer = Concealer()
    start = 2**32 - FRAME
    source = tone(200, 3 * FRAME)
    out = [
        concealer.feed(p, (start + i * FRAME) % 2**32)
        for i, p in enumerate(source.reshape(-1, FRAME))
    ]
    assert np.array_equal(np.concatenate(out), source)


@pytest.mark.parametrize("hz", [70, 100, 220, 390])
def test_period_of_a_tone_is_found(hz):
    period = len(last_period(tone(hz, HISTORY_SAMPLES)))
    cycles = period * hz / 48_000
    assert abs(cycles - round(cycles)) < 0.02 * max(1, round(cycles))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-2000, 4000), st.sampled_from([120, 480, 960, 2880]))),
    st.integers(0, 2**32 - 1),
)
def test_line_is_as_long_as_the_time_it_covers(steps, origin):
    concealer = Concealer()
    clock = origin
    position = 0
    reached = 0
    for offset, count in steps:
        start = max(position + offset, 0)
        out = concealer.feed(np.ones(count, np.int16), (clock + start) % 2**32)
        if position == 0 and reached == 0:
            clock = clock + start
            start = 0
        position += len(out)
        reached = max(reached, start + count)
        assert position == reached
    counts = concealer.counts
    assert counts.received + counts.filled == position
    assert counts.received + counts.late == sum(count for _, count in steps)
