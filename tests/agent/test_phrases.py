from pathlib import Path

import pytest

from agent.phrases import PHRASES, Phrases
from agent.speakable import speakable

LANGUAGES = ["en", "zh", "ja", "ko", "yue"]


@pytest.mark.parametrize("occasion", PHRASES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_occasion_has_speakable_sentences_in_every_language(
    occasion: str, language: str
) -> None:
    wordings = Phrases(language).wordings(occasion)
    assert wordings == PHRASES[occasion][language]
    assert [speakable(text, language) for text in wordings] == list(wordings)
    assert len(set(wordings)) == len(wordings) >= 1


def test_a_persona_words_its_own() -> None:
    phrases = Phrases("en", {"goodbye": "Farewell, traveller!", "still_there": ""})
    assert phrases.say("goodbye") == "Farewell, traveller!"
    assert phrases.say("still_there") == PHRASES["still_there"]["en"][0]


def test_wordings_take_turns() -> None:
    phrases = Phrases("en", {"still_there": ["One?", "Two?", "Three?"]})
    said = [phrases.say("still_there") for _ in range(4)]
    assert said == ["One?", "Two?", "Three?", "One?"]


def test_occasions_take_turns_apart_from_each_other() -> None:
    phrases = Phrases("en")
    phrases.say("still_there")
    assert phrases.say("take_your_time") == "Sure, take your time."
    assert phrases.say("still_there") == "Hello? Can you still hear me?"


def test_an_unknown_language_speaks_english() -> None:
    assert Phrases("xx").say("goodbye") == PHRASES["goodbye"]["en"][0]


def test_an_unknown_occasion_is_an_error() -> None:
    with pytest.raises(KeyError):
        Phrases("en").say("birthday")


def test_every_occasion_stands_on_the_page_about_manners() -> None:
    page = (Path(__file__).parents[2] / "docs" / "manners.md").read_text(encoding="utf-8")
    assert [occasion for occasion in PHRASES if f"`{occasion}`" not in page] == []
