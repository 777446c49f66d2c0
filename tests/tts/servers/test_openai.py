"""What OpenAI's words mean here."""

from typing import Any

import pytest

from tts.config import OpenAiConfig
from tts.servers.openai import VOICE_NAMES, SpeechRequest, wanted
from tts.types import SynthesisRequest, Voice

VOICES = (
    Voice("ann", ("en", "zh"), 24_000, "fake"),
    Voice("yumi", ("ja",), 24_000, "fake"),
    Voice("nova", ("zh",), 24_000, "fake"),
)
NAMED = OpenAiConfig(voices={"alloy": "yumi", "boss": "ann", "lost": "nobody"})


def asked(config: OpenAiConfig = NAMED, voices: Any = VOICES, **body: Any) -> SynthesisRequest:
    return wanted(SpeechRequest(**{"input": "Hello", "voice": "ann", **body}), voices, config)


@pytest.mark.parametrize(
    ("voice", "text", "found"),
    [
        ("ann", "Hello", "ann"),
        ({"id": "ann"}, "Hello", "ann"),
        # Those that the configuration names, one of OpenAI's among them.
        ("alloy", "Hello", "yumi"),
        ("boss", "Hello", "ann"),
        # A voice that is there wins over OpenAI's name.
        ("nova", "Hello", "nova"),
        # OpenAI's others: the first voice that speaks the text's language.
        ("onyx", "Hello", "ann"),
        ("onyx", "今日はいい天気ですね", "yumi"),
        ("onyx", "今天天气很好", "ann"),
        ("onyx", "안녕하세요", "ann"),
        # What nobody knows is left for the service to refuse.
        ("eve", "Hello", "eve"),
        ("lost", "Hello", "nobody"),
    ],
)
def test_a_name_means_a_voice(voice: Any, text: str, found: str) -> None:
    assert asked(voice=voice, input=text).voice == found


@pytest.mark.parametrize("name", VOICE_NAMES)
def test_each_of_openais_names_means_a_voice(name: str) -> None:
    assert asked(OpenAiConfig(), voice=name).voice in {voice.id for voice in VOICES}


@pytest.mark.parametrize(
    ("voice", "text", "given", "language"),
    [
        ("ann", "Hello", None, "en"),
        ("ann", "你好", None, "zh"),
        ("ann", "你好", "", "zh"),
        ("ann", "Hello", "zh", "zh"),
        ("yumi", "你好", None, "ja"),
        ("onyx", "Hello", "ja", "ja"),
    ],
)
def test_the_language_is_guessed_unless_it_is_given(
    voice: str, text: str, given: str | None, language: str
) -> None:
    assert asked(voice=voice, input=text, language=given).language == language


def test_a_language_that_is_given_chooses_the_voice_too() -> None:
    assert asked(voice="onyx", input="Hello", language="ja").voice == "yumi"


def test_what_is_null_is_left_to_the_service() -> None:
    nothing = dict.fromkeys(
        ("speed", "emotion", "marks", "instructions", "seed", "model", "stream_format")
    )
    assert asked(**nothing) == asked()
    assert asked().speed == 1.0


def test_what_is_ours_is_passed_on() -> None:
    found = asked(
        speed=1.5, emotion="calm", marks=["viseme"], seed=7, top_k=5, top_p=0.5, temperature=0.7
    )
    assert (found.speed, found.emotion, found.marks) == (1.5, "calm", ("viseme",))
    assert (found.seed, found.top_k, found.top_p, found.temperature) == (7, 5, 0.5, 0.7)


def test_without_any_voice_there_is_none_to_mean() -> None:
    assert asked(voices=(), voice="onyx").voice == "onyx"
