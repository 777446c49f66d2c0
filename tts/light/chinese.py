"""Chinese text to Kokoro's phonemes, character by character.

In: a clause of any text; Latin words in it are read as English.  Out: `Token`s whose phonemes
are those of the whole clause.  Needs `misaki`, `pypinyin`, `jieba` and `cn2an` (the extra
`cjk`).  On the engine's thread.
"""

import logging
import re
from collections.abc import Callable, Iterator

import cn2an
import jieba
from misaki.zh import ZHG2P
from pypinyin import Style, lazy_pinyin

from tts.light import english
from tts.light.phonemes import Token

_RUN = re.compile(
    r"(?P<han>[\u4e00-\u9fff]+)"
    r"|(?P<latin>[A-Za-zÀ-ɏ]+(?:['’ -]+[A-Za-zÀ-ɏ]+)*)"
    r"|(?P<digit>[0-9])"
    r"|(?P<space>\s+)"
    r"|(?P<mark>.)",
    re.DOTALL,
)
_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_MARKS = dict(zip("，、。．！？：；（）《》「」【】", ",,..!?:;()“”“”“”", strict=True))


def load() -> Callable[[str], list[Token]]:
    """The phonemiser, with its dictionary loaded."""
    cutter = _cutter()
    return lambda clause: list(_tokens(clause, cutter))


def _cutter() -> jieba.Tokenizer:
    """jieba's own dictionary, read from the package and not from a cache others can write."""
    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


def _tokens(clause: str, cutter: jieba.Tokenizer) -> Iterator[Token]:
    before = ""
    for match in _RUN.finditer(_numbers_read(clause)):
        kind, run = match.lastgroup, match.group()
        if kind in ("han", "digit"):
            if before == "latin":
                yield Token("", " ")
            for index, word in enumerate(cutter.lcut(_DIGITS.get(run, run))):
                if index or before == "han":
                    yield Token("", " ")
                yield from _word(word)
            before = "han"
        elif kind == "latin":
            if before == "han":
                yield Token("", " ")
            yield from english.phonemise(run)
            before = "latin"
        else:
            # A mark and the space after it: the model was trained on Western punctuation.
            yield Token("", " " if kind == "space" else _MARKS.get(run, run) + " ")
            before = ""


def _numbers_read(clause: str) -> str:
    """Digits as Chinese words; a number beyond the library's range stays in digits."""
    try:
        return str(cn2an.transform(clause, "an2cn"))
    except ValueError:
        return clause


def _word(word: str) -> Iterator[Token]:
    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)
    sounds = [_sound(syllable) for syllable in syllables]
    if len(sounds) == len(word):
        yield from map(Token, word, sounds)
    else:
        yield Token(word, "".join(sounds))


def _sound(syllable: str) -> str:
    """A syllable's phonemes; a character without a reading has none."""
    try:
        return str(ZHG2P.py2ipa(syllable)).replace(chr(0x32F), "")
    except (AssertionError, KeyError, IndexError, ValueError):
        return ""
