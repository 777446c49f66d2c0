import pytest

from agent.phrases import PHRASES, Phrases
from agent.speakable import speakable

LANGUAGES = ["en", "zh", "ja", "ko", "yue"]


@pytest.mark.parametrize("occasion", PHRASES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_occasion_has_a_speakable_sentence_in_every_language(occasion, language):
    phrase = Phrases(language).say(occasion)
    assert phrase == PHRASES[occasion][language]
    assert speakable(phrase, language) == phrase


def test_a_persona_words_its_own():
    phrases = Phrases("en", {"goodbye": "Farewell, traveller!", "still_there": ""})
    assert phrases.say("goodbye") == "Farewell, traveller!"
    assert phrases.say("still_there") == PHRASES["still_there"]["en"]


def test_an_unknown_language_speaks_english():
    assert Phrases("xx").say("goodbye") == PHRASES["goodbye"]["en"]


def test_an_unknown_occasion_is_an_error():
    with pytest.raises(KeyError):
        Phrases("en").say("birthday")
