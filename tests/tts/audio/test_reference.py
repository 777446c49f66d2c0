"""Reference clips are resampled and analysed exactly as upstream does it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.compare import MODULE, error
from tests.tts.models.golden_sovits import VERSIONS, arrays
from tts.audio.fbank import fbank
from tts.audio.reference import for_content, for_speaker, for_spectrogram
from tts.audio.resample import sinc, soxr
from tts.audio.spectrogram import spectrogram

SPECTROGRAM = 1e-6


def noise(count: int, seed: int = 0, scale: float = 0.3) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.standard_normal(count) * scale).astype(np.float32)


@pytest.mark.parametrize("rates", [44100, 48000, 24000, 22050, 16000, (32000, 16000)])
def test_sinc_equals_torchaudios_resample(rates: int | tuple[int, int]) -> None:
    from_hz, to_hz = rates if isinstance(rates, tuple) else (rates, 32000)
    golden = arrays("npz", "resample")
    ours = sinc(golden[f"in_{from_hz}_{to_hz}"][0], from_hz, to_hz)
    assert error(ours, golden[f"ta_{from_hz}_{to_hz}"][0]) <= 1e-6


@pytest.mark.parametrize("from_hz", [44100, 48000, 32000, 24000, 22050, 8000])
def test_soxr_equals_librosas_resample(from_hz: int) -> None:
    golden = arrays("npz", "resample")
    ours = soxr(golden[f"in_{from_hz}_16000_soxr"][0], from_hz, 16000)
    assert error(ours, golden[f"soxr_{from_hz}_16000"][0]) <= 1e-6


@given(
    st.integers(1, 3000), st.sampled_from([8000, 22050, 44100, 48000]), st.sampled_from([16, 32])
)
def test_both_converters_keep_the_duration(count: int, from_hz: int, to_khz: int) -> None:
    expected = -(-count * to_khz * 1000 // from_hz)
    assert len(sinc(noise(count), from_hz, to_khz * 1000)) == expected
    assert len(soxr(noise(count), from_hz, to_khz * 1000)) - expected in (0, 1)


@pytest.mark.parametrize("convert", [sinc, soxr])
def test_an_equal_rate_changes_nothing_and_a_rate_of_zero_is_refused(
    convert: Callable[[np.ndarray, int, int], np.ndarray],
) -> None:
    samples = noise(100)
    assert np.array_equal(convert(samples, 16000, 16000), samples)
    with pytest.raises(ValueError, match="positive, not 0 Hz and 16000 Hz"):
        convert(samples, 0, 16000)


@pytest.mark.parametrize("case", [0, 1, 2])
def test_spectrograms_equal_upstreams(case: int) -> None:
    golden = arrays("npz", "spectrogram")
    assert error(spectrogram(golden[f"wav{case}"][0]), golden[f"spec{case}"][0]) <= SPECTROGRAM


@pytest.mark.parametrize("version", VERSIONS)
def test_spectrograms_of_the_clips_equal_upstreams(version: str) -> None:
    golden = arrays("npz", f"sovits_{version}")
    assert error(spectrogram(golden["wav_ref"][0]), golden["refer_spec"][0]) <= SPECTROGRAM


@given(st.integers(705, 4000))
def test_a_spectrogram_has_a_frame_for_each_whole_hop(count: int) -> None:
    assert spectrogram(noise(count)).shape == (1025, count // 640)


def test_a_spectrogram_of_too_few_samples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"more than 704 .* shape \(704,\)"):
        spectrogram(noise(704))


@pytest.mark.parametrize(("part", "name"), [("npz", "sv_tiny"), ("full", "sv_eres2netv2")])
def test_filter_banks_equal_kaldis(part: str, name: str) -> None:
    golden = arrays(part, name)
    assert error(fbank(golden["wav16k"][0]), golden["fbank"][0]) <= MODULE


def test_silence_has_the_lowest_filter_bank_energy() -> None:
    energies = fbank(np.zeros(560, np.float32))
    assert energies.shape == (2, 80)
    assert np.unique(energies) == np.log(np.finfo(np.float32).eps, dtype=np.float32)


def test_a_filter_bank_of_less_than_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 400 .* shape \(399,\)"):
        fbank(noise(399))


def test_content_is_heard_at_16_khz_with_silence_after_it() -> None:
    samples = noise(44100)
    heard = for_content(samples, 44100)
    assert len(heard) == 16000 + 9600
    assert np.array_equal(heard[:16000], soxr(samples, 44100, 16000))
    assert not heard[16000:].any()


@pytest.mark.parametrize(("peak", "expected"), [(0.5, 0.5), (1.0, 1.0), (1.6, 1.0), (3.0, 1.5)])
def test_loud_clips_are_scaled_to_one_but_never_below_half(peak: float, expected: float) -> None:
    samples = noise(3200)
    samples *= np.float32(peak) / np.abs(samples).max()
    assert np.abs(for_spectrogram(samples, 32000, 32000)).max() == pytest.approx(expected)


def test_the_speaker_network_hears_what_the_spectrogram_shows() -> None:
    samples = noise(4410, scale=1.0)
    shown = for_spectrogram(samples, 44100, 32000)
    assert np.array_equal(for_speaker(samples, 44100, 32000), sinc(shown, 32000, 16000))
