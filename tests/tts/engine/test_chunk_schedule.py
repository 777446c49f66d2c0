"""When a chunk is made: the first early, the others late, none after playback ran dry."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tts.engine.chunk_schedule import FRAME_S, ChunkSchedule, Effort

SCHEDULE = ChunkSchedule()
FREE = Effort(lambda frames: 0.0, 0.0)


def effort(frame_s: float, *, fixed_s: float = 0.0, drawn_s: float = 0.0) -> Effort:
    return Effort(lambda frames: fixed_s + frames * frame_s, drawn_s)


def due(ready: int, ahead_s: float | None, work: Effort = FREE, next_s: float = 0.0) -> bool:
    return SCHEDULE.due(ready, ahead_s=ahead_s, effort=work, until_next_s=next_s)


def length(ready: int, ahead_s: float | None, work: Effort = FREE) -> int:
    return SCHEDULE.length(ready, ahead_s=ahead_s, effort=work)


@pytest.mark.parametrize(
    ("work", "frames"),
    [
        (FREE, 5),
        # A GPU; a CPU with AMX; two cores without; those and a second thing to do.
        (effort(0.0001, fixed_s=0.003, drawn_s=0.0003), 5),
        (effort(0.0023, fixed_s=0.01, drawn_s=0.0035), 5),
        (effort(0.0065, fixed_s=0.025, drawn_s=0.006), 8),
        (effort(0.0075, fixed_s=0.045, drawn_s=0.0085), 19),
        (effort(0.015, fixed_s=0.02, drawn_s=0.006), 24),
    ],
)
def test_the_first_chunk_lasts_until_the_next_can_be_there(work: Effort, frames: int) -> None:
    assert SCHEDULE.first_frames(work) == frames
    assert [due(ready, None, work) for ready in (frames - 1, frames)] == [False, True]
    assert length(200, None, work) == frames


def test_a_later_chunk_waits_while_enough_is_ahead() -> None:
    assert not due(20, 0.5)
    assert due(20, 0.03)
    assert due(20, -0.3)


@pytest.mark.parametrize(
    ("frame_s", "next_s", "ahead_s", "expected"),
    [
        (0.01, 0.0, 0.24, False),
        (0.01, 0.0, 0.22, True),
        (0.0, 0.1, 0.14, False),
        (0.0, 0.1, 0.12, True),
    ],
)
def test_what_sounding_and_the_next_token_cost_counts(
    frame_s: float, next_s: float, ahead_s: float, expected: bool
) -> None:
    assert due(20, ahead_s, effort(frame_s), next_s) is expected


def test_few_frames_are_not_worth_a_chunk_and_many_are_made_at_once() -> None:
    assert not due(4, -1.0)
    assert due(5, -1.0)
    assert due(24, 100.0)


def test_a_chunk_is_no_longer_than_can_be_made_in_time() -> None:
    assert length(200, 10.0) == 24
    assert length(20, 10.0) == 20
    assert length(200, 0.231, effort(0.01)) == 20
    # Nothing can be made in time: one that is worth its context.
    assert length(200, -1.0, effort(0.01)) == 5


@given(
    token_s=st.floats(0.001, 0.02),
    frame_s=st.floats(0.0001, 0.008),
    fixed_s=st.floats(0, 0.03),
    reach=st.integers(0, 12),
    tokens=st.integers(20, 400),
)
def test_playback_never_runs_dry_where_the_machine_is_fast_enough(
    token_s: float, frame_s: float, fixed_s: float, reach: int, tokens: int
) -> None:
    """One stream alone, two frames a token."""
    work = effort(frame_s, fixed_s=fixed_s, drawn_s=token_s / 2)
    assume(SCHEDULE.first_frames(work) < SCHEDULE.most_frames)
    now = sounded = 0.0
    began: float | None = None
    given_frames = 0
    for token in range(1, tokens + 1):
        now += token_s
        last = token == tokens
        ready = 2 * token - given_frames - (0 if last else reach)
        ahead = None if began is None else sounded - (now - began)
        while ready > 0 and (
            last or SCHEDULE.due(ready, ahead_s=ahead, effort=work, until_next_s=token_s)
        ):
            frames = SCHEDULE.length(ready, ahead_s=ahead, effort=work)
            now += work.frames_s(frames)
            began = now if began is None else began
            assert now - began <= sounded + 1e-9, "ran dry"
            sounded += frames * FRAME_S
            given_frames += frames
            ready -= frames
            ahead = sounded - (now - began)
    assert given_frames == 2 * tokens
