"""When a chunk is made: the first early, the others late, none after playback ran dry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engine.chunk_schedule import ChunkSchedule

FRAME_S = 0.02
SCHEDULE = ChunkSchedule()


def due(ready: int, ahead_s: float | None, *, frame_cost_s: float = 0.0, next_s: float = 0.0):
    return SCHEDULE.due(
        ready, ahead_s=ahead_s, cost_s=lambda frames: frames * frame_cost_s, until_next_s=next_s
    )


def test_the_first_chunk_is_made_as_soon_as_it_is_long_enough() -> None:
    assert [due(ready, None) for ready in (0, 5, 6, 7)] == [False, False, True, True]


def test_a_later_chunk_waits_while_enough_is_ahead() -> None:
    assert not due(20, 0.5)
    assert due(20, 0.05)
    assert due(20, -0.3)


@pytest.mark.parametrize(
    ("frame_cost_s", "next_s", "ahead_s", "expected"),
    [
        (0.01, 0.0, 0.26, False),
        (0.01, 0.0, 0.25, True),
        (0.0, 0.1, 0.16, False),
        (0.0, 0.1, 0.15, True),
    ],
)
def test_what_sounding_and_the_next_token_cost_counts(
    frame_cost_s: float, next_s: float, ahead_s: float, expected: bool
) -> None:
    assert due(20, ahead_s, frame_cost_s=frame_cost_s, next_s=next_s) is expected


def test_few_frames_are_not_worth_a_chunk_and_many_are_made_at_once() -> None:
    assert not due(3, -1.0)
    assert due(4, -1.0)
    assert due(50, 100.0)


@given(
    token_s=st.floats(0.001, 0.02),
    frame_cost_s=st.floats(0.0001, 0.008),
    overhead_s=st.floats(0, 0.01),
    reach=st.integers(0, 12),
    tokens=st.integers(20, 400),
)
def test_playback_never_runs_dry_where_the_machine_is_fast_enough(
    token_s: float, frame_cost_s: float, overhead_s: float, reach: int, tokens: int
) -> None:
    """One stream alone, two frames a token; a chunk costs its frames, 12 more and a fixed part."""

    def cost(frames: int) -> float:
        return overhead_s + (frames + 12) * frame_cost_s

    # A second of speech in at most 70 % of one, small first chunks included.
    if 25 * token_s + 50 * frame_cost_s > 0.7 or cost(12) + 6 * token_s > 0.12:
        return
    now = sounded = 0.0
    began: float | None = None
    given_frames = 0
    for token in range(1, tokens + 1):
        now += token_s
        last = token == tokens
        ready = 2 * token - given_frames - (0 if last else reach)
        ahead = None if began is None else sounded - (now - began)
        while ready > 0 and (
            last or SCHEDULE.due(ready, ahead_s=ahead, cost_s=cost, until_next_s=token_s)
        ):
            frames = min(ready, SCHEDULE.most_frames)
            now += cost(frames)
            began = now if began is None else began
            assert now - began <= sounded + 1e-9, "ran dry"
            sounded += frames * FRAME_S
            given_frames += frames
            ready -= frames
            ahead = sounded - (now - began)
    assert given_frames == 2 * tokens


def length(ready: int, ahead_s: float | None, frame_cost_s: float = 0.0) -> int:
    return SCHEDULE.length(ready, ahead_s=ahead_s, cost_s=lambda frames: frames * frame_cost_s)


def test_a_chunk_is_no_longer_than_can_be_made_in_time() -> None:
    assert length(200, None) == 6
    assert length(200, 10.0) == 50
    assert length(30, 10.0) == 30
    assert length(200, 0.25, frame_cost_s=0.01) == 20
    # Nothing can be made in time: the sooner something is there, the better.
    assert length(200, -1.0, frame_cost_s=0.01) == 6
