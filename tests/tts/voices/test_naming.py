"""What clients call a reference clip, and the voice that they mean."""

import pytest

from tts.types import Voice
from tts.voices.naming import Named, OwnClip, named

VOICES = (
    Voice("anna", ("en",), 32000, "gpt-sovits", emotions=("neutral", "happy")),
    Voice("bob", ("en",), 32000, "gpt-sovits", emotions=("neutral",)),
    Voice("heart", ("en",), 24000, "hibari"),
)
CLIPS = (
    OwnClip("anna", "neutral", "/srv/voices/anna/neutral.wav"),
    OwnClip("anna", "happy", "/srv/voices/anna/laughing.flac"),
    OwnClip("bob", "neutral", "/srv/voices/bob/neutral.wav"),
    OwnClip("gone", "neutral", "/srv/voices/gone/only.wav"),
)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("anna", Named("anna")),
        (" anna/happy ", Named("anna", "happy")),
        ("heart", Named("heart")),
        ("/srv/voices/anna/laughing.flac", Named("anna", "happy")),
        ("laughing.flac", Named("anna", "happy")),
        ("voices/bob/neutral.wav", Named("bob", "neutral")),
        ("C:\\refs\\bob\\neutral.wav", Named("bob", "neutral")),
        # As SillyTavern writes it.
        ("./参考音频/anna.wav", Named("anna")),
        ("refs/anna/happy.mp3", Named("anna", "happy")),
        ("heart.wav", Named("heart")),
    ],
)
def test_a_path_means_a_voice(path: str, meant: Named) -> None:
    assert named(path, VOICES, CLIPS) == meant


@pytest.mark.parametrize(
    "path",
    ["", " ", "neutral.wav", "only.wav", "anna/sad", "eve", "/etc/passwd", "..", "anna/../x"],
)
def test_what_is_several_voices_or_none_means_none(path: str) -> None:
    assert named(path, VOICES, CLIPS) is None
