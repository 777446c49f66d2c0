"""Chinese characters to phones.

In: normalised text.  Out: phones, and how many belong to each character.  Readings come from
pypinyin word by word, or from a reader of whole sentences (`tts.text.zh.g2pw`) followed by the
overrides of upstream's dictionary; then tones change as in running speech.  v1 models know no
joined 儿, later ones do.  Pure once loaded, any thread.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from tts.carriers import missing
from tts.text.symbols import PUNCTUATION
from tts.text.zh import erhua, sandhi, syllables, words

try:
    from pypinyin import Style, lazy_pinyin
    from pypinyin.contrib.tone_convert import to_finals_tone3, to_initials
except ImportError as error:
    raise missing("pypinyin", needed_for="Chinese speech") from error

SentenceReader = Callable[[Sequence[str]], list[list[str]]]
"""Sentences to the readings of their characters ("hao3"; a mark reads as itself)."""

_Syllables = tuple[list[str], list[str]]  # initials, finals with tones
_PAUSE = re.compile(rf"(?<=[{''.join(map(re.escape, PUNCTUATION))}])")


def phones(
    norm_text: str,
    *,
    joins_er: bool,
    reader: SentenceReader | None = None,
    overrides: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[str], list[int]]:
    """Phones, and the number of them for each character of `norm_text`.

    A character without a reading becomes one `UNK`.  `overrides` hold readings of words and of
    single characters, and count only with a `reader`.
    """
    sentences = [sentence for sentence in _PAUSE.split(norm_text) if sentence]
    answers: Sequence[Sequence[str] | None] = (
        reader(sentences) if reader and sentences else [None] * len(sentences)
    )
    found: list[str] = []
    counts: list[int] = []
    for sentence, answer in zip(sentences, answers, strict=True):
        for initial, final in _sentence(sentence, answer, joins_er, overrides or {}):
            said = [initial] if initial == final else syllables.phones(initial, final)
            found += said
            counts.append(len(said))
    return found, counts


def _sentence(
    sentence: str,
    answer: Sequence[str] | None,
    joins_er: bool,
    overrides: Mapping[str, Sequence[str]],
) -> list[tuple[str, str]]:
    """Initial and final of each syllable as it is said; a mark is both."""
    found: list[tuple[str, str]] = []
    start = 0
    for word, flag in sandhi.joined(words.tagged(sentence)):
        if answer is None:
            initials, finals = _by_word(word)
        else:
            read = _overridden(word, answer[start : start + len(word)], overrides)
            initials, finals = _by_readings(read)
        start += len(word)
        finals = sandhi.spoken(word, flag, finals)
        if joins_er:
            finals = erhua.coloured(word, flag, finals)
        found += zip(initials, finals, strict=True)
    return found


def _by_word(word: str) -> _Syllables:
    return (
        lazy_pinyin(word, style=Style.INITIALS, neutral_tone_with_five=True),
        lazy_pinyin(word, style=Style.FINALS_TONE3, neutral_tone_with_five=True),
    )


def _overridden(
    word: str, read: Sequence[str], overrides: Mapping[str, Sequence[str]]
) -> list[str]:
    """The readings of a word, from the dictionary where it has the word or a character."""
    if word in overrides:
        return list(overrides[word])
    return [
        overrides[char][0] if char in overrides else reading
        for char, reading in zip(word, read, strict=True)
    ]


def _by_readings(read: Sequence[str]) -> _Syllables:
    spelt = [reading[:1].isalpha() for reading in read]
    initials = [to_initials(r) if is_spelt else r for r, is_spelt in zip(read, spelt, strict=True)]
    finals = [
        to_finals_tone3(r, neutral_tone_with_five=True) if is_spelt else r
        for r, is_spelt in zip(read, spelt, strict=True)
    ]
    return initials, finals
