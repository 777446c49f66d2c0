import pickle
from pathlib import Path

import pytest

from tts.text.en.g2p import English

LETTERS = {"a": "AH0", "b": "B IY1", "i": "AY1", "n": "EH1 N", "o": "OW1", "x": "EH1 K S"}
WORDS = {"cat": "K AE1 T", "dog": "D AO1 G", "it": "IH1 T", "nanny": "N AE1 N IY0"}


def table(words: dict[str, str]) -> bytes:
    return pickle.dumps({word: [phones.split()] for word, phones in words.items()})


@pytest.fixture
def english(tmp_path: Path) -> English:
    spelt = dict.fromkeys(("ae", "ai", "ar", "ios", "hud", "os"), "AH0")
    (tmp_path / "engdict_cache.pickle").write_bytes(table(LETTERS | WORDS | spelt))
    (tmp_path / "namedict_cache.pickle").write_bytes(table({"bob": "B AA1 B"}))
    return English(text_folder=tmp_path, tagger=lambda words: ["VBD"] * len(words))


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("cat, dog.", "K AE1 T , D AO1 G ."),
        ("A cat", "EY1 K AE1 T"),
        ("a cat", "AH0 K AE1 T"),
        ("Bob bob", "B AA1 B B IY1 OW1 B IY1"),
        ("nax", "EH1 N EY1 EH1 K S"),
        ("nanny's", "N AE1 N IY0 Z"),
        ("'cat'", "- K AE1 T -"),
        ("catdog", "K AE1 T D AO1 G"),
        ("I read it", "AY1 R EH1 D IH1 T"),
    ],
)
def test_words_are_looked_up_spelt_ended_and_cut(english: English, text: str, phones: str) -> None:
    assert " ".join(english.phones(text)) == phones


def test_few_phones_get_a_mark_before_them(english: English) -> None:
    assert english.phones("cat") == [",", "K", "AE1", "T"]
    assert english.phones("") == [","]
