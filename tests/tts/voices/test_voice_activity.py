"""A voice is told from what is none, by the model itself."""

import numpy as np
import pytest

from tests.tts.paces import spoken
from tts.engine.types import Piece
from tts.light.hibari import VOICE, HibariEngine
from tts.types import SynthesisRequest
from tts.voices.voice_activity import voice_share

pytestmark = pytest.mark.real

RATE_HZ = 22050


def test_speech_holds_a_voice_and_a_melody_or_noise_does_not() -> None:
    text = "Good morning, this is a short clip of my voice."
    said = spoken(HibariEngine(threads=1), SynthesisRequest(text, VOICE.id, "en"))
    speech = np.concatenate([piece.samples for piece in said if isinstance(piece, Piece)])
    assert voice_share(speech, VOICE.sample_rate_hz) > 0.6
    seconds = np.arange(4 * RATE_HZ) / RATE_HZ
    hz = 220 * 2 ** (np.floor(seconds * 3) % 5 / 6)
    melody = sum(np.sin(2 * np.pi * hz * part * seconds) / part for part in range(1, 6))
    melody *= 0.2 * np.exp(-5 * (seconds * 3 % 1))
    noise = 0.1 * np.random.default_rng(0).standard_normal(len(seconds))
    for sound in (melody, noise, np.zeros(len(seconds)), np.zeros(3)):
        assert voice_share(sound.astype(np.float32), RATE_HZ) < 0.2
