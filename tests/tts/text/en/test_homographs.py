import json
from pathlib import Path

import pytest

from tts.text.en import homographs
from tts.text.en.tagger import PerceptronTagger

CLASSES = ["NN", "VB"]


@pytest.fixture
def tagger(tmp_path: Path) -> PerceptronTagger:
    weights = {"bias": {"NN": 1.0}, "i-1 word to": {"VB": 2.0}, "i-1 tag DT": {"NN": 2.0}}
    parts = {"weights": weights, "tagdict": {"the": "DT"}, "classes": CLASSES}
    for name, part in parts.items():
        path = tmp_path / f"averaged_perceptron_tagger_eng.{name}.json"
        path.write_text(json.dumps(part), encoding="utf-8")
    return PerceptronTagger(tmp_path)


def test_the_word_before_tells_verb_from_noun() -> None:
    words = "We need to record a record .".split()
    tags = homographs.tags(words)
    assert (tags[3], tags[5]) == ("VB", "NN")


def test_after_have_a_verb_is_a_participle() -> None:
    assert homographs.tags(["I've", "read", "it"])[1] == "VBN"


def test_the_perceptron_weighs_words_tags_and_what_is_certain(tagger: PerceptronTagger) -> None:
    assert tagger(["to", "record", "the", "record"]) == ["NN", "VB", "DT", "NN"]


def test_a_missing_part_of_the_tagger_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"averaged_perceptron_tagger_eng\.weights\.json: not a"):
        PerceptronTagger(tmp_path)
