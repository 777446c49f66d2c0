"""The chain's chunks join to the same audio and marks however an engine cuts its pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import Split, holds, law, splits
from tests.tts.properties import quick
from tts.audio.chain import Chain
from tts.audio.loudness import to_pcm
from tts.audio.resample import ResampledStream, soxr
from tts.engine.types import Piece
from tts.types import Mark, SpeechChunk

RATES_HZ = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000]
rates = st.sampled_from(RATES_HZ)


def noise(count: int, level: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(count).standard_normal(count) * level).astype(np.float32)


def spoken(chain: Chain, samples: np.ndarray, split: Split) -> list[SpeechChunk]:
    """The chunks of samples in pieces, each with a mark that bears its number."""
    chunks = []
    for number, (start, end) in enumerate(split):
        mark = Mark(number, number + 1, start / 1000, end / 1000)
        piece = Piece(samples[start:end], (mark,), number == len(split) - 1)
        chunks += list(chain.feed(piece))
    return chunks


def joined(chunks: list[SpeechChunk]) -> np.ndarray:
    return np.frombuffer(b"".join(chunk.pcm for chunk in chunks), "<i2").astype(np.int32)


@quick
@given(st.data(), st.integers(0, 3000), st.integers(1, 100), st.integers(1, 300))
def test_chunks_join_to_the_pieces_whatever_the_sizes(
    data: st.DataObject, count: int, first_ms: int, next_ms: int
) -> None:
    whole = np.arange(count, dtype=np.float32) / 32767
    chain = Chain(
        voice_rate_hz=1000, sample_rate_hz=1000, gain_db=0, first_ms=first_ms, next_ms=next_ms
    )
    split = data.draw(splits(count))
    chunks = spoken(chain, whole, split)
    assert b"".join(c.pcm for c in chunks) == to_pcm(whole)
    position = 0
    for chunk in chunks:
        assert chunk.first_sample == position
        position += len(chunk.pcm) // 2
        assert len(chunk.pcm) // 2 <= max(first_ms, next_ms) + next_ms // 2
    assert [c.is_final for c in chunks] == [False] * (len(chunks) - 1) + [True]
    marks = [mark.text_start for chunk in chunks for mark in chunk.marks]
    assert marks == list(range(len(split)))
    assert all(chunk.pcm for chunk in chunks[:-1])


@law
@given(st.data(), rates, rates, st.integers(0, 4000))
def test_a_stream_at_another_rate_does_not_depend_on_the_cut(
    data: st.DataObject, from_hz: int, to_hz: int, count: int
) -> None:
    samples = noise(count, level=0.6)

    def speak(split: Split) -> np.ndarray:
        chain = Chain(
            voice_rate_hz=from_hz, sample_rate_hz=to_hz, gain_db=3, first_ms=40, next_ms=200
        )
        chunks = spoken(chain, samples, split)
        marks = [mark for chunk in chunks for mark in chunk.marks]
        # In seconds, as the engine gave them, each once and in order.
        assert [(m.text_start, m.start_s, m.end_s) for m in marks] == [
            (number, start / 1000, end / 1000) for number, (start, end) in enumerate(split)
        ]
        assert {chunk.sample_rate_hz for chunk in chunks} == {to_hz}
        return joined(chunks)

    whole = holds(speak, data.draw(splits(count)))
    assert len(whole) == (2 * count * to_hz + from_hz) // (2 * from_hz)
    assert np.abs(whole).max(initial=0) <= 32767


@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_a_converted_stream_is_the_converted_clip(to_hz: int) -> None:
    clip = noise(5000)
    stream = ResampledStream(24000, to_hz)
    pieces = [stream.feed(clip[:1234], is_last=False), stream.feed(clip[1234:], is_last=True)]
    streamed = np.concatenate(pieces)
    expected = soxr(clip, 24000, to_hz)
    assert len(expected) - len(streamed) in (0, 1)
    np.testing.assert_array_equal(streamed, expected[: len(streamed)])


@pytest.mark.parametrize("from_hz", [22050, 24000, 32000, 44100])
@pytest.mark.parametrize("to_hz", RATES_HZ)
def test_a_converter_holds_back_no_more_than_it_says(from_hz: int, to_hz: int) -> None:
    stream = ResampledStream(from_hz, to_hz)
    step, came = from_hz // 1000, 0
    for number in range(1, 500):
        came += len(stream.feed(noise(step), is_last=False))
        held_s = number * step / from_hz - came / to_hz
        assert held_s <= (0.12 if to_hz < 16000 else 0.06 if to_hz < 24000 else 0.05)
    assert ResampledStream.HELD_S == 0.12


def test_a_piece_that_the_converter_keeps_lends_its_marks_to_the_next() -> None:
    chain = Chain(voice_rate_hz=24000, sample_rate_hz=8000, gain_db=0, first_ms=40, next_ms=200)
    samples = noise(6000)
    chunks = spoken(chain, samples, [(0, 100), (100, 6000)])
    assert [[mark.text_start for mark in chunk.marks] for chunk in chunks][0] == [0, 1]
    assert len(joined(chunks)) == 2000


def test_a_request_without_samples_is_one_empty_final_chunk() -> None:
    chain = Chain(voice_rate_hz=24000, sample_rate_hz=8000, gain_db=0, first_ms=40, next_ms=200)
    (chunk,) = spoken(chain, noise(0), [(0, 0)])
    assert (chunk.pcm, chunk.first_sample, chunk.is_final) == (b"", 0, True)
    assert [mark.text_start for mark in chunk.marks] == [0]


def test_what_a_converter_swings_beyond_full_scale_does_not_clip() -> None:
    square = np.sign(np.sin(np.arange(4800) ** 1.4 / 70)).astype(np.float32)
    assert np.abs(soxr(square, 24000, 48000)).max() > 1.05
    chain = Chain(voice_rate_hz=24000, sample_rate_hz=48000, gain_db=0, first_ms=40, next_ms=200)
    audio = joined(spoken(chain, square, [(0, 4800)]))
    # Bent, not cut: the highest samples still differ.
    assert len(np.unique(audio[audio > 0.97 * audio.max()])) > 20
