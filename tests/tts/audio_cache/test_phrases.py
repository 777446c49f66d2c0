"""The file of phrases: a request a line, and mistakes told by line."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.audio_cache.phrases import Phrase, _Line, parse_phrases, read_phrases
from tts.config import ConfigError
from tts.types import SynthesisRequest

HELLO = '{"text": "Hello.", "voice": "ann", "language": "en"}'


def test_a_line_is_a_request_with_the_same_defaults() -> None:
    assert parse_phrases(HELLO) == (Phrase(1, SynthesisRequest("Hello.", "ann", "en")),)


def test_a_line_may_have_every_field_of_a_request() -> None:
    assert set(_Line.model_fields) == {field.name for field in fields(SynthesisRequest)}
    (phrase,) = parse_phrases(
        '{"text": "你好", "voice": "ann", "language": "zh", "speed": 2, "emotion": "happy", '
        '"marks": ["phone"], "seed": 1, "top_k": 5, "top_p": 1, "temperature": 0.5, '
        '"repetition_penalty": 1.5}'
    )
    assert phrase.request == SynthesisRequest(
        "你好", "ann", "zh", 2.0, "happy", ("phone",), 1, 5, 1.0, 0.5, 1.5
    )


def test_empty_lines_count_and_are_no_phrases_and_a_text_may_hold_odd_line_ends() -> None:
    text = f"\ufeff\n{HELLO}\r\n\n" + HELLO.replace("Hello.", "a\u2028b") + "\n"
    phrases = parse_phrases(text)
    assert [(one.line, one.request.text) for one in phrases] == [(2, "Hello."), (4, "a\u2028b")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "Hello."', ["not JSON", "column 18"]),
        ('{"text": "Hello.", "voice": "ann"}', ["language: missing"]),
        (HELLO.replace("voice", "voise"), ["voise: unknown key; did you mean 'voice'?"]),
        (HELLO.replace('"Hello."', "7"), ["text = 7", "valid string"]),
        (HELLO[:-1] + ', "speed": "fast"}', ["speed = 'fast'", "valid number"]),
        (HELLO[:-1] + ', "marks": "phone"}', ["marks = 'phone'", "valid list"]),
        ("[]", ["valid dictionary"]),
        ("1" * 5000, ["not JSON"]),
        ("[" * 3_000, ["not JSON"]),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_phrases(f"{HELLO}\n{line}\n")
    assert [word for word in ("line 2: ", *words) if word not in str(caught.value)] == []


def test_of_many_mistakes_ten_are_told() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_phrases("{\n" * 25)
    said = str(caught.value).split("; ")
    assert [part.split(":")[0] for part in said] == [
        *(f"line {number}" for number in range(1, 11)),
        "and 15 more lines",
    ]


@quick
@given(st.text())
def test_whatever_stands_in_it_the_file_is_read_or_refused(text: str) -> None:
    try:
        assert parse_phrases(text) == ()
    except ConfigError as error:
        assert str(error).startswith("line ")


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "phrases.jsonl"
    with pytest.raises(ConfigError, match=r"cache\.phrases: .*phrases\.jsonl: No such file"):
        read_phrases(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"cache\.phrases: .*phrases\.jsonl: .*utf-8"):
        read_phrases(path)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"phrases\.jsonl: line 1: text: missing; voice: missing"):
        read_phrases(path)
    path.write_text(HELLO, encoding="utf-8")
    assert len(read_phrases(path)) == 1
