"""What a request of an api_v2 client means."""

import pytest
from pydantic import ValidationError

from tts.servers.api_v2_fields import TtsFields, language_of, problem, to_request
from tts.types import SynthesisRequest, Voice

CLONED = Voice("anna", ("zh", "en", "ja", "ko", "yue"), 32000, "gpt-sovits")
LIGHT = Voice("heart", ("en",), 24000, "hibari")
GOOD = {"text": "Hello.", "text_lang": "en", "ref_audio_path": "anna", "prompt_lang": "en"}


def fields(**others: object) -> TtsFields:
    return TtsFields.model_validate(GOOD | others)


def test_the_least_that_upstream_needs_is_enough() -> None:
    assert problem(fields()) == ""


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"ref_audio_path": ""}, "ref_audio_path is required"),
        ({"text": None}, "text is required"),
        ({"text_lang": ""}, "text_lang is required"),
        ({"text_lang": "fr"}, "text_lang: fr is not supported"),
        ({"prompt_lang": None}, "prompt_lang is required"),
        ({"prompt_lang": "xx"}, "prompt_lang: xx is not supported"),
        ({"media_type": "mp3"}, "media_type: mp3 is not supported"),
        ({"text_split_method": "cut6"}, "text_split_method:cut6 is not supported"),
        ({"streaming_mode": 4}, "the value of streaming_mode must be 0, 1, 2, 3"),
    ],
)
def test_what_is_wrong_is_said_in_upstreams_words(others: dict[str, object], words: str) -> None:
    assert problem(fields(**others)).startswith(words)


@pytest.mark.parametrize(
    ("mode", "streams"),
    [
        *((False, False), (0, False), ("0", False), ("false", False), (None, False)),
        *((True, True), (1, True), (2, True), (3, True), ("true", True), ("2", True)),
    ],
)
def test_streaming_mode_is_a_bool_or_a_number(mode: object, streams: bool) -> None:
    given = fields(streaming_mode=mode)
    assert (problem(given), given.streams) == ("", streams)


def test_values_come_as_text_too_and_what_is_none_is_refused() -> None:
    assert (fields(top_k="5").top_k, fields(seed="-1").seed) == (5, -1)
    for others in ({"streaming_mode": "ture"}, {"top_k": "many"}, {"text": ["a"]}):
        with pytest.raises(ValidationError):
            fields(**others)


def test_fields_that_are_new_or_gone_are_ignored() -> None:
    assert problem(fields(return_fragment=True, use_st_adapter=True)) == ""


@pytest.mark.parametrize(
    ("code", "text", "language"),
    [
        *(("zh", "x", "zh"), ("all_zh", "x", "zh"), ("ALL_JA", "x", "ja"), ("en", "x", "en")),
        *(("all_yue", "x", "yue"), ("ko", "x", "ko"), ("auto", "こんにちは", "ja")),
        *(("auto", "早上好", "zh"), ("auto_yue", "早上好", "yue"), ("auto", "Hello", "en")),
        *(("auto_yue", "Hello", "en"), ("auto", "안녕하세요", "ko")),
    ],
)
def test_languages_are_upstreams(code: str, text: str, language: str) -> None:
    assert language_of(code, text, CLONED.languages) == language


def request(voice: Voice = CLONED, **others: object) -> SynthesisRequest:
    return to_request(fields(**others), voice, "", max_text_chars=40)


def test_what_is_not_given_is_the_voices_own_manner() -> None:
    asked = request(seed=7)
    assert (asked.top_k, asked.top_p, asked.temperature) == (None, None, None)
    assert (asked.repetition_penalty, asked.seed, asked.speed) == (None, 7, 1.0)
    asked = request(top_k=5000, top_p=0.5, temperature=0.1, repetition_penalty=2, speed_factor=1.5)
    assert (asked.top_k, asked.top_p, asked.temperature) == (1025, 0.5, 0.1)
    assert (asked.repetition_penalty, asked.speed) == (2.0, 1.5)


def test_no_seed_is_another_one_each_time() -> None:
    seeds = {request().seed for _ in range(20)} | {request(seed=-1).seed for _ in range(20)}
    assert len(seeds) == 40
    assert all(seed is not None and 0 <= seed < 2**32 for seed in seeds)


def test_a_light_voice_takes_no_sampling() -> None:
    asked = request(LIGHT, seed=-1, top_k=5)
    assert asked == SynthesisRequest("Hello.", "heart", "en")


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("cut0", "One two, three four. Five six!"),
        ("cut5", "One two,\nthree four.\nFive six!"),
        ("cut4", "One two, three four.\nFive six!"),
    ],
)
def test_the_text_is_cut_as_upstream_does(method: str, text: str) -> None:
    asked = request(text="One two, three four. Five six!", text_split_method=method)
    assert asked.text == text


def test_a_text_that_cuts_would_make_too_long_stays_whole() -> None:
    text = "aaaaa,bbbbb,ccccc,ddddd,eeeee,fffff,ggg."
    assert len(text) == 40
    assert request(text=text).text == text
    assert request(text=" ?! ").text == " ?! "
