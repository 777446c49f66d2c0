"""English words to phones.

In: normalised text.  Out: ARPAbet phones with stress, and marks, as the GPT-SoVITS models know
them.  A word is looked up in the lexicon, then among names if only its first letter is a capital;
of what no table knows, three letters or fewer are spelt, possessives take their ending, compounds
are cut, and the rest is guessed.  Tables are loaded once; after that pure, any thread.
"""

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from tts.carriers import missing
from tts.text.en import homographs
from tts.text.en.tables import Tables, load
from tts.text.en.unknown_words import UnknownWords
from tts.text.en.words import words
from tts.text.symbols import symbols

Tagger = Callable[[Sequence[str]], list[str]]

_VOICELESS = {"P", "T", "K", "F", "TH", "HH"}
_HISSING = {"S", "Z", "SH", "ZH", "CH", "JH"}
_POSSESSIVE = re.compile(r"([a-z]+)'s")
_SPELT_LETTERS = 3
# Fewer phones than this and the models babble: a mark before them steadies them.
_FEWEST_PHONES = 4


class English:
    """The frontend.  `tagger` gives words their Penn Treebank tags, for words with two readings;
    by default a few rules of our own.  Raises `ImportError` naming the extra.
    """

    def __init__(self, *, text_folder: Path | None = None, tagger: Tagger | None = None) -> None:
        self._tables: Tables = load(text_folder)
        self._unknown = UnknownWords()
        self._tags = tagger or homographs.tags
        self._known = symbols(732)
        self._compounds: Callable[[str], list[str]] | None = None

    def words(self, norm_text: str) -> list[tuple[str, list[str]]]:
        """The words and marks of a normalised text, with the phones of each."""
        spoken = words(norm_text)
        found = [
            (word, self._of_table(self._word(word, tag)))
            for word, tag in zip(spoken, self._tags(spoken), strict=True)
        ]
        enough = sum(len(phones) for _, phones in found) >= _FEWEST_PHONES
        return found if enough else [(",", [","]), *found]

    def phones(self, norm_text: str) -> list[str]:
        """Phones of a normalised text."""
        return [phone for _, phones in self.words(norm_text) for phone in phones]

    def _of_table(self, phones: Sequence[str]) -> list[str]:
        marked = ["-" if phone == "'" else phone for phone in phones]
        return [phone for phone in marked if phone in self._known]

    def _word(self, word: str, tag: str) -> Sequence[str]:
        lower = word.lower()
        if not re.search("[a-z]", lower):
            return [lower]
        if len(lower) == 1:
            return ["EY1"] if word == "A" else self._tables.lexicon[lower][0]
        both = self._tables.homographs.get(lower)
        if both is not None:
            # The tag may be shorter than the wanted one: any verb reads "read" as in "I read".
            first = tag.startswith(both.tag) or (tag != "" and both.tag.startswith(tag))
            return both.first if first else both.second
        return self._looked_up(word)

    def _looked_up(self, word: str) -> list[str]:
        lower = word.lower()
        if len(lower) > 1 and lower in self._tables.lexicon:
            return self._tables.lexicon[lower][0]
        if word.istitle() and lower in self._tables.names:
            return self._tables.names[lower][0]
        if len(lower) <= _SPELT_LETTERS:
            return self._spelt(lower)
        possessive = _POSSESSIVE.fullmatch(lower)
        if possessive:
            stem = self._looked_up(possessive[1])
            return [*stem, *_ending(stem[-1])]
        parts = self._cut(lower)
        if len(parts) == 1:
            return self._unknown.phones(lower)
        return [phone for part in parts for phone in self._looked_up(part)]

    def _spelt(self, letters: str) -> list[str]:
        said: list[str] = []
        for letter in letters:
            if letter == "a":
                said.append("EY1")
            else:
                said += self._tables.lexicon[letter][0] if letter.isalpha() else [letter]
        return said

    def _cut(self, word: str) -> list[str]:
        if self._compounds is None:
            self._compounds = _compound_cutter()
        return self._compounds(word)


def _ending(last: str) -> list[str]:
    """How the s of a possessive sounds after a phone."""
    if last in _VOICELESS:
        return ["S"]
    return ["AH0", "Z"] if last in _HISSING else ["Z"]


@cache
def _compound_cutter() -> Callable[[str], list[str]]:
    """Cuts a compound into words by their frequencies; loading takes a second, at the first
    word that no table knows."""
    try:
        import wordsegment
    except ImportError as error:
        raise missing("wordsegment", needed_for="English speech") from error
    cutter = wordsegment.Segmenter()
    cutter.load()
    return lambda word: list(cutter.segment(word))
