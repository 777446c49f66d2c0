"""A recording gives back what the live stream gave, whatever it is cut into."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.audio.chain import Chain
from tts.audio_cache.recording import Recording
from tts.engine.types import Piece
from tts.types import Mark, SpeechChunk

RATE_HZ = 1000
CHUNK_MS = st.integers(1, 300)
PIECES = st.lists(st.tuples(st.integers(0, 700), st.integers(0, 3)), min_size=1, max_size=5)


def live(pieces: Sequence[tuple[int, int]], first_ms: int, next_ms: int) -> list[SpeechChunk]:
    """What a stream gives whose pieces have so many samples and marks."""
    chain = Chain(
        voice_rate_hz=RATE_HZ,
        sample_rate_hz=RATE_HZ,
        gain_db=0.0,
        first_ms=first_ms,
        next_ms=next_ms,
    )
    chunks: list[SpeechChunk] = []
    told = 0
    for number, (samples, marks) in enumerate(pieces):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, samples).astype(np.float32)
        its = tuple(Mark(i, i + 1, i / 10, i / 10) for i in range(told, told + marks))
        told += marks
        chunks.extend(chain.feed(Piece(noise, its, number == len(pieces) - 1)))
    return chunks


def joined(chunks: Sequence[SpeechChunk]) -> tuple[bytes, list[Mark]]:
    return (
        b"".join(chunk.pcm for chunk in chunks),
        [mark for chunk in chunks for mark in chunk.marks],
    )


@quick
@given(PIECES, CHUNK_MS, CHUNK_MS, CHUNK_MS, CHUNK_MS)
def test_chunks_of_any_length_join_to_what_the_live_stream_gave(
    pieces: list[tuple[int, int]], first_ms: int, next_ms: int, first_again: int, next_again: int
) -> None:
    spoken = live(pieces, first_ms, next_ms)
    again = list(Recording.of(spoken).chunks(first_again, next_again))
    assert joined(again) == joined(spoken)
    assert [chunk.is_final for chunk in again] == [False] * (len(again) - 1) + [True]
    assert all(chunk.cached for chunk in again)
    ends = [chunk.first_sample + len(chunk.pcm) // 2 for chunk in again]
    assert [chunk.first_sample for chunk in again] == [0, *ends[:-1]]


@quick
@given(PIECES, CHUNK_MS, CHUNK_MS, CHUNK_MS, CHUNK_MS)
def test_no_mark_comes_later_than_it_did(
    pieces: list[tuple[int, int]], first_ms: int, next_ms: int, first_again: int, next_again: int
) -> None:
    spoken = live(pieces, first_ms, next_ms)
    again = list(Recording.of(spoken).chunks(first_again, next_again))

    def told_at(chunks: Sequence[SpeechChunk]) -> list[int]:
        return [chunk.first_sample for chunk in chunks for _ in chunk.marks]

    pairs = zip(told_at(again), told_at(spoken), strict=True)
    assert all(now <= then for now, then in pairs)


@quick
@given(st.integers(0, 3000), st.integers(0, 3), CHUNK_MS, CHUNK_MS)
def test_a_stream_of_one_piece_is_given_again_chunk_for_chunk(
    samples: int, marks: int, first_ms: int, next_ms: int
) -> None:
    spoken = live([(samples, marks)], first_ms, next_ms)
    again = Recording.of(spoken).chunks(first_ms, next_ms)
    shown = [(c.pcm, c.first_sample, c.marks, c.is_final) for c in spoken]
    assert [(c.pcm, c.first_sample, c.marks, c.is_final) for c in again] == shown


def test_marks_come_with_the_chunk_that_holds_where_they_became_known() -> None:
    spoken = live([(500, 2), (300, 1), (200, 1)], 40, 200)
    again = list(Recording.of(spoken).chunks(100, 100))
    assert [len(chunk.marks) for chunk in again] == [2, 0, 0, 0, 0, 1, 0, 0, 1, 0]
    assert all(later.first_sample - chunk.first_sample == 100 for chunk, later in pairwise(again))


def test_its_size_counts_samples_and_marks() -> None:
    plain, marked = (Recording.of(live([(500, marks)], 40, 200)) for marks in (0, 3))
    assert plain.size_bytes == 1000
    assert marked.size_bytes == 1000 + 3 * 300
