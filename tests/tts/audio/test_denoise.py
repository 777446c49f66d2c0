"""RNNoise on reference clips: noise goes, speech stays, and nothing moves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts import paces
from tests.tts.laws import law
from tts.audio import denoise as module
from tts.audio.denoise import denoise
from tts.audio.resample import soxr
from tts.light.hibari import HibariEngine
from tts.types import SynthesisRequest


def noise(count: int, level: float = 0.05) -> np.ndarray:
    return (np.random.default_rng(2).standard_normal(count) * level).astype(np.float32)


def ratio_db(speech: np.ndarray, heard: np.ndarray) -> float:
    """How far what differs from the speech lies below it."""
    rest = heard - speech
    return float(10 * np.log10((speech**2).mean() / (rest**2).mean()))


@law
@given(st.integers(0, 3000), st.sampled_from([8000, 16000, 22050, 24000, 44100, 48000]))
def test_a_clip_keeps_its_length(count: int, rate_hz: int) -> None:
    assert denoise(noise(count), rate_hz).shape == (count,)


def test_silence_stays_silence() -> None:
    assert not denoise(np.zeros(24000, np.float32), 24000).any()


def test_steady_noise_is_taken_down() -> None:
    hiss = noise(96000)
    left = denoise(hiss, 48000)[48000:]
    assert 10 * np.log10((left**2).mean() / (hiss**2).mean()) < -20


def test_a_clip_gives_the_same_every_time() -> None:
    clip = noise(9600)
    assert np.array_equal(denoise(clip, 48000), denoise(clip, 48000))


@pytest.mark.parametrize(
    "samples", [np.full(4800, np.nan, np.float32), np.zeros((2, 4800), np.float32)]
)
def test_what_is_no_clip_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match="needs finite mono samples"):
        denoise(samples, 48000)


def test_without_the_library_the_error_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module._library.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"'pyrnnoise'.*parley-voice\[gpt-sovits\].*--no-deps"):
        denoise(noise(4800), 48000)


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, int]:
    engine = HibariEngine(threads=1)
    voice = engine.voices[0]
    text = "She sells sea shells, and the shells that she sells are surely from the sea shore."
    request = SynthesisRequest(text, voice.id, "en")
    said = paces.pieces(paces.spoken(engine, request))
    return np.concatenate([piece.samples for piece in said]), voice.sample_rate_hz


@pytest.mark.real
@pytest.mark.parametrize("rate_hz", [16000, 24000, 32000, 44100, 48000])
def test_speech_stays_where_and_what_it_is(spoken: tuple[np.ndarray, int], rate_hz: int) -> None:
    speech = soxr(*spoken, rate_hz)
    # One sample of delay at 16 kHz alone would leave less than 10 dB.
    assert ratio_db(speech, denoise(speech, rate_hz)) > 15


@pytest.mark.real
@pytest.mark.parametrize(("noise_db", "better_db"), [(5, 6), (0, 9)])
@pytest.mark.parametrize("rate_hz", [16000, 24000, 32000, 44100, 48000])
def test_speech_in_noise_comes_out_of_it(
    spoken: tuple[np.ndarray, int], rate_hz: int, noise_db: float, better_db: float
) -> None:
    """`noise_db`: speech over white noise in the clip; `better_db`: what is gained at least."""
    speech = soxr(*spoken, rate_hz)
    level = float(np.sqrt((speech**2).mean())) * 10 ** (-noise_db / 20)
    cleaned = denoise(speech + noise(len(speech), level), rate_hz)
    assert ratio_db(speech, cleaned) > noise_db + better_db
