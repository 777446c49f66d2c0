"""Encoded while it is made, decoded again: the same audio, as far as the format keeps it."""

import io
import wave

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tts.audio.encode import (
    AUDIO_FORMATS,
    Encoder,
    content_type,
    file_rate_hz,
    wav_header,
)

RATE_HZ = 24_000
ENCODED = ("mp3", "opus", "ogg", "aac", "flac", "wav")
# Samples, at 24 kHz, that a codec puts before and after: one frame of its own delay and what fills
# the last frame.
MOST_PADDING = {"mp3": 3 * 576, "aac": 2 * 1024, "opus": 0, "ogg": 0, "flac": 0, "wav": 0}


def tone(samples: int, rate_hz: int = RATE_HZ) -> NDArray[np.int16]:
    times = np.arange(samples) / rate_hz
    return (9000 * np.sin(2 * np.pi * 440 * times) * np.hanning(samples)).astype("<i2")


def encoded(
    format: str, samples: NDArray[np.int16], *, cuts: int = 960, to_rate_hz: int | None = None
) -> tuple[bytes, list[int]]:
    """The file, and how long it was after each piece."""
    encoder = Encoder(format, from_rate_hz=RATE_HZ, to_rate_hz=to_rate_hz)
    file, lengths = b"", []
    for start in range(0, len(samples), cuts):
        file += encoder.feed(samples[start : start + cuts].tobytes())
        lengths.append(len(file))
    return file + encoder.flush(), lengths


def decoded(file: bytes) -> tuple[NDArray[np.int16], int]:
    with av.open(io.BytesIO(file)) as container:
        frames = list(container.decode(audio=0))
    resampler = av.AudioResampler("s16", "mono", frames[0].sample_rate)
    parts = [out.to_ndarray()[0] for frame in frames for out in resampler.resample(frame)]
    return np.concatenate(parts), frames[0].sample_rate


@pytest.mark.parametrize("format", ENCODED)
def test_a_file_has_all_of_the_audio_and_only_its_codecs_padding(format: str) -> None:
    samples = tone(RATE_HZ)
    heard, rate_hz = decoded(encoded(format, samples)[0])
    scale = rate_hz / RATE_HZ
    assert 0 <= len(heard) - len(samples) * scale <= MOST_PADDING[format] * scale


@pytest.mark.parametrize("format", ENCODED)
def test_what_is_decoded_is_what_was_fed(format: str) -> None:
    samples = tone(RATE_HZ)
    heard, rate_hz = decoded(encoded(format, samples, to_rate_hz=RATE_HZ)[0])
    if rate_hz != RATE_HZ:  # Opus is decoded at 48 kHz whatever it was made from.
        heard = heard[:: rate_hz // RATE_HZ]
    whole = samples.astype(float)
    after = np.zeros(MOST_PADDING[format] + len(whole))
    after[: len(heard)] = heard[: len(after)]
    most = np.correlate(after, whole, "valid").max()
    assert most / np.dot(whole, whole) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("format", ["wav", "flac"])
@pytest.mark.parametrize("cuts", [1, 77, 960, 100_000])
def test_lossless_formats_keep_every_sample_however_it_is_cut(format: str, cuts: int) -> None:
    samples = tone(5000)
    heard, rate_hz = decoded(encoded(format, samples, cuts=cuts)[0])
    assert rate_hz == RATE_HZ
    assert np.array_equal(heard, samples)


def test_pcm_is_what_was_fed() -> None:
    samples = tone(5000)
    assert encoded("pcm", samples)[0] == samples.tobytes()


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_how_audio_is_cut_does_not_change_the_file(format: str) -> None:
    samples = tone(RATE_HZ)
    if format in ("opus", "ogg"):
        # The stream's number is drawn at random.
        assert np.array_equal(
            decoded(encoded(format, samples, cuts=333)[0])[0],
            decoded(encoded(format, samples, cuts=960)[0])[0],
        )
    else:
        assert encoded(format, samples, cuts=333)[0] == encoded(format, samples, cuts=960)[0]


@pytest.mark.parametrize(
    ("format", "pieces"),
    # Pieces of 40 ms.  MP3 and AAC look ahead by more than one of them.
    [("pcm", 1), ("wav", 1), ("flac", 1), ("opus", 1), ("ogg", 1), ("mp3", 2), ("aac", 3)],
)
def test_bytes_come_as_soon_as_the_format_allows(format: str, pieces: int) -> None:
    _, lengths = encoded(format, tone(RATE_HZ))
    assert [length > 0 for length in lengths[: pieces + 1]] == [False] * (pieces - 1) + [True] * 2
    # And they go on coming; a frame of AAC is a little longer than a piece.
    steps = np.diff(lengths)[pieces:]
    assert (steps[1:] + steps[:-1] > 0).all()


@pytest.mark.parametrize(("format", "rate_hz"), [("wav", 8000), ("pcm", 16000), ("flac", 48000)])
def test_audio_is_converted_to_the_rate_that_was_asked_for(format: str, rate_hz: int) -> None:
    samples = tone(RATE_HZ)
    file, _ = encoded(format, samples, to_rate_hz=rate_hz)
    heard = np.frombuffer(file, "<i2") if format == "pcm" else decoded(file)[0]
    wanted = tone(rate_hz, rate_hz).astype(float)
    assert abs(len(heard) - rate_hz) <= 1
    both = slice(0, min(len(heard), rate_hz))
    assert np.abs(heard[both] - wanted[both]).max() < 30


def test_opus_keeps_what_no_opus_rate_is_at_the_next_higher() -> None:
    assert file_rate_hz("opus", 22_050) == 24_000
    assert file_rate_hz("opus", 44_100) == 48_000
    assert file_rate_hz("mp3", 1000) == 8000
    assert file_rate_hz("mp3", 96_000) == 48_000
    assert file_rate_hz("wav", 32_000) == 32_000
    assert Encoder("opus", from_rate_hz=32_000).rate_hz == 48_000


@pytest.mark.parametrize("format", AUDIO_FORMATS)
def test_nothing_fed_is_an_empty_file_and_no_error(format: str) -> None:
    encoder = Encoder(format, from_rate_hz=RATE_HZ)
    file = encoder.feed(b"") + encoder.flush()
    if format in ("pcm", "aac", "mp3"):
        assert file == b""


def test_a_streamed_wav_says_that_it_goes_on_until_its_end() -> None:
    file, _ = encoded("wav", tone(5000))
    assert file[4:8] == file[40:44] == b"\xff\xff\xff\xff"
    # Readers that the field uses take it so.
    assert len(soundfile.read(io.BytesIO(file))[0]) == 5000
    with wave.open(io.BytesIO(file)) as reader:
        assert len(reader.readframes(reader.getnframes())) == 10_000


def test_a_finished_wav_tells_its_length() -> None:
    header = wav_header(RATE_HZ, 5000)
    with wave.open(io.BytesIO(header + bytes(10_000))) as reader:
        assert (reader.getnframes(), reader.getframerate(), reader.getnchannels()) == (
            5000,
            RATE_HZ,
            1,
        )


def test_only_what_computes_needs_a_thread() -> None:
    cheap = {format: Encoder(format, from_rate_hz=RATE_HZ).is_cheap for format in AUDIO_FORMATS}
    assert [format for format, is_cheap in cheap.items() if is_cheap] == ["wav", "pcm"]
    assert not Encoder("pcm", from_rate_hz=RATE_HZ, to_rate_hz=8000).is_cheap


def test_a_format_or_rate_that_there_is_not_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'mp4': there are wav, mp3"):
        Encoder("mp4", from_rate_hz=RATE_HZ)
    with pytest.raises(ValueError, match="'mp4'"):
        content_type("mp4")
    with pytest.raises(ValueError, match="opus at 32000 Hz: there are 8000, 12000"):
        Encoder("opus", from_rate_hz=RATE_HZ, to_rate_hz=32_000)


def test_every_format_has_a_content_type() -> None:
    assert {content_type(format).split("/")[0] for format in AUDIO_FORMATS} == {"audio"}


@pytest.mark.parametrize("format", ENCODED)
def test_the_same_audio_is_the_same_file_each_time(format: str) -> None:
    samples = tone(RATE_HZ)
    assert encoded(format, samples)[0] == encoded(format, samples)[0]
