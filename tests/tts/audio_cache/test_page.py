"""What docs/cache.md shows can be used as it stands there."""

import re
from dataclasses import fields
from pathlib import Path

from tts.audio_cache.phrases import parse_phrases
from tts.config import CacheConfig, parse
from tts.metrics import Metrics
from tts.types import SynthesisRequest

PAGE = (Path(__file__).parents[3] / "docs" / "cache.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_table_is_one_and_shows_the_defaults() -> None:
    shown = parse(block("toml")).cache
    assert shown.model_copy(update={"dir": None, "phrases": None}) == CacheConfig()


def test_the_phrases_are_some() -> None:
    assert [one.request.speed for one in parse_phrases(block("jsonl"))] == [1.0, 1.1]


def test_every_field_that_a_phrase_may_have_is_named() -> None:
    names = {field.name for field in fields(SynthesisRequest)}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_every_metric_of_the_cache_is_named_and_no_other() -> None:
    samples = set(re.findall(r"^# TYPE parley_tts_cache_(\w+) ", Metrics().render(), re.MULTILINE))
    named = PAGE[PAGE.index("## Figures") :]
    told = set(re.findall(r"`(\w+_total|bytes)`", named))
    assert told == samples
