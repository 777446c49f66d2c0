"""What is told of a request: audio cut as its client wants, marks before it, progress, the end."""

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.fake_engine import ramp_pcm
from tts.audio.encode import AudioFormat
from tts.servers.wire.telling import Telling
from tts.servers.wire.websocket import Accepted, Audio, Done, Event, Marks, Progress
from tts.types import Mark, SpeechChunk

RATE_HZ = 1000


def chunks(
    *samples: int, marks: tuple[Mark, ...] = (), rate_hz: int = RATE_HZ
) -> list[SpeechChunk]:
    """Chunks of these lengths, one signal together; the marks come with the first."""
    pcm = ramp_pcm(sum(samples))
    starts = [sum(samples[:index]) for index in range(len(samples))]
    return [
        SpeechChunk(
            pcm=pcm[2 * start : 2 * (start + count)],
            sample_rate_hz=rate_hz,
            first_sample=start,
            marks=marks if index == 0 else (),
            is_final=index == len(samples) - 1,
            voice="ann",
        )
        for index, (start, count) in enumerate(zip(starts, samples, strict=True))
    ]


def told(telling: Telling, given: list[SpeechChunk]) -> list[Event]:
    return [event for chunk in given for event in telling.feed(chunk)]


def test_chunks_are_told_as_they_are_cut_with_their_marks_before_them() -> None:
    words = (Mark(0, 2, 0.0, 0.1), Mark(3, 6, 0.25, 0.4))
    telling = Telling("pcm", None)
    given = chunks(40, 200, 60, marks=words)
    assert told(telling, given) == [
        Accepted("ann", RATE_HZ, "pcm"),
        Marks(words),
        Audio(given[0].pcm, 0, False),
        Audio(given[1].pcm, 40, False),
        Audio(given[2].pcm, 240, True),
        Progress(6, 0.3),
    ]
    assert telling.done(5.0) == Done(300, 0.3, 5.0, False)


def test_progress_counts_the_words_that_have_begun() -> None:
    words = (Mark(0, 2, 0.0, 0.4), Mark(3, 6, 0.6, 1.4), Mark(7, 9, 1.5, 2.0))
    phones = (Mark(0, 9, 0.0, 0.1, "phone"),)
    events = told(Telling("pcm", None), chunks(*[100] * 20, marks=words + phones))
    progress = [event for event in events if isinstance(event, Progress)]
    assert progress == [Progress(2, 0.5), Progress(6, 1.0), Progress(6, 1.5), Progress(9, 2.0)]


@given(st.lists(st.integers(0, 300), min_size=1, max_size=8), st.integers(10, 200))
def test_cut_anew_the_audio_is_the_same_in_frames_of_one_length(
    samples: list[int], chunk_ms: int
) -> None:
    frames = [
        event
        for event in told(Telling("pcm", chunk_ms), chunks(*samples))
        if isinstance(event, Audio)
    ]
    assert b"".join(frame.data for frame in frames) == ramp_pcm(sum(samples))
    lengths = [len(frame.data) // 2 for frame in frames]
    assert lengths[:-1] == [chunk_ms] * (len(frames) - 1)
    assert lengths[-1] <= chunk_ms
    assert [frame.offset for frame in frames] == [sum(lengths[:i]) for i in range(len(lengths))]
    assert [frame.is_final for frame in frames] == [False] * (len(frames) - 1) + [True]


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "aac", "flac"])
@pytest.mark.parametrize("chunk_ms", [None, 30])
def test_compressed_the_frames_are_one_file(format: AudioFormat, chunk_ms: int | None) -> None:
    events = told(Telling(format, chunk_ms), chunks(960, 4800, 4800, 3000, rate_hz=24_000))
    assert events[0] == Accepted("ann", 24_000, format)
    frames = [event for event in events if isinstance(event, Audio)]
    lengths = [len(frame.data) for frame in frames]
    assert [frame.offset for frame in frames] == [sum(lengths[:i]) for i in range(len(lengths))]
    assert [frame.is_final for frame in frames] == [False] * (len(frames) - 1) + [True]
    with av.open(io.BytesIO(b"".join(frame.data for frame in frames))) as file:
        seconds = sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
    # A codec may pad its first and its last frame.
    assert abs(seconds - 13_560 / 24_000) < 0.1
