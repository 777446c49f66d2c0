import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.codecs import OPUS_FRAME_SAMPLES, OpusDecoder, OpusEncoder, StreamResampler


def tone(hz: float, rate_hz: int, seconds: float, amplitude: float = 8000) -> np.ndarray:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return np.round(amplitude * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def level(pcm: np.ndarray, hz: float, rate_hz: int) -> float:
    """Amplitude of one frequency."""
    t = np.arange(len(pcm)) / rate_hz
    return float(2 * abs(np.mean(pcm * np.exp(-2j * np.pi * hz * t))))


@pytest.mark.parametrize(
    ("from_hz", "to_hz"),
    [(24_000, 48_000), (32_000, 48_000), (22_050, 48_000), (48_000, 16_000), (8_000, 48_000)],
)
def test_resampled_tone_keeps_its_level_and_length(from_hz, to_hz):
    resampler = StreamResampler(from_hz, to_hz)
    source = tone(1000, from_hz, 1.0)
    out = np.concatenate([*(resampler.feed(p) for p in np.array_split(source, 50))])
    lag = to_hz - len(out)
    assert 0 <= lag <= to_hz * 2 // 1000
    out = np.concatenate([out, resampler.flush()])
    assert abs(len(out) - to_hz) <= 1
    middle = out[to_hz // 4 : 3 * to_hz // 4]
    assert level(middle, 1000, to_hz) == pytest.approx(8000, rel=0.01)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 2000), max_size=20))
def test_resampling_in_pieces_equals_resampling_whole(sizes):
    source = tone(440, 24_000, sum(sizes) / 24_000)
    whole = StreamResampler(24_000, 48_000)
    expected = np.concatenate([whole.feed(source), whole.flush()])
    pieces = StreamResampler(24_000, 48_000)
    parts = [pieces.feed(p) for p in np.split(source, np.cumsum(sizes))] + [pieces.flush()]
    assert np.array_equal(np.concatenate(parts), expected)


def test_equal_rates_pass_through():
    source = tone(440, 48_000, 0.1)
    assert StreamResampler(48_000, 48_000).feed(source) is source


def test_opus_keeps_a_tone():
    encoder, decoder = OpusEncoder(), OpusDecoder()
    frames = tone(440, 48_000, 1.0).reshape(-1, OPUS_FRAME_SAMPLES)
    decoded = [decoder.decode(encoder.encode(frame)) for frame in frames]
    assert [len(pcm) for pcm in decoded] == [OPUS_FRAME_SAMPLES] * 50
    assert level(np.concatenate(decoded)[9600:], 440, 48_000) == pytest.approx(8000, rel=0.05)


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x03\x00", bytes(range(200)), b"\x00" * 1500])
def test_foreign_bytes_never_raise_and_leave_the_decoder_usable(payload):
    encoder, decoder = OpusEncoder(), OpusDecoder()
    frame = tone(440, 48_000, 0.02)
    decoder.decode(encoder.encode(frame))
    for _ in range(3):
        decoder.decode(payload)
    assert len(decoder.decode(encoder.encode(frame))) == OPUS_FRAME_SAMPLES


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_samples_or_none(payload):
    pcm = OpusDecoder().decode(payload)
    assert pcm is None or pcm.dtype == np.int16
