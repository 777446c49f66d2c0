"""Korean text to phones.

In: text.  Out: phones, which are the letters of Hangul as they are pronounced, with diphthongs
taken apart, "空" for a space and "停" for what is no letter and no mark.  Latin letters are spelt,
numerals read.  Needs python-mecab-ko and its dictionary for where words end.  Pure once loaded,
one caller at a time.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from tts.carriers import missing
from tts.text.ko import liaison, numbers
from tts.text.symbols import symbols

_SPACE, _NO_PHONE = "空", "停"
_LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        "에이 비 시 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 에스 티 유 브이 "
        "더블유 엑스 와이 제트".split(),
        strict=True,
    )
)
_PAUSES = dict(zip("：；，。！？\n·、", ",,,.!?.,,", strict=True)) | {" ": _SPACE}
_DIPHTHONGS = str.maketrans(
    dict(
        zip(
            "ㅘㅙㅚㅝㅞㅟㅢㅑㅒㅕㅖㅛㅠ",
            "ㅗㅏ ㅗㅐ ㅗㅣ ㅜㅓ ㅜㅔ ㅜㅣ ㅡㅣ ㅣㅏ ㅣㅐ ㅣㅓ ㅣㅔ ㅣㅗ ㅣㅜ".split(),
            strict=True,
        )
    )
)
# Conjoining jamo (onsets, vowels, codas) as letters that stand alone.
_ALONE = str.maketrans(
    "".join(map(chr, (*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A8, 0x11C3)))),
    "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
    "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
    "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ",
)
_WITHOUT_ONSET = re.compile("(^|[^\u1100-\u1112])([\u1161-\u1175])")
_VERB_CODAS = "ᆫᆬᆷᆱᆰᆲᆴ"


class Korean:
    """The frontend.  Raises `ImportError` naming the extra."""

    def __init__(self) -> None:
        try:
            from mecab import MeCab
        except ImportError as error:
            raise missing("python-mecab-ko", needed_for="Korean speech") from error
        self._mecab: Any = MeCab()
        self._known = symbols(732)

    def words(self, text: str) -> list[tuple[str, list[str]]]:
        """What stands between the spaces of a text, and the spaces, with the phones of each.

        Sounds pass from word to word, spaces stay.  Where they do not, the text is one word.
        """
        phones = self.phones(text)
        written = text.split(" ")
        if phones.count(_SPACE) != len(written) - 1:
            return [(text, phones)]
        found: list[tuple[str, list[str]]] = [(written[0], [])]
        for phone in phones:
            if phone == _SPACE:
                found += [(" ", [_SPACE]), (written[len(found) // 2 + 1], [])]
            else:
                found[-1][1].append(phone)
        return found

    def phones(self, text: str) -> list[str]:
        """Phones of a text as it is written."""
        said = "".join(_LETTERS.get(char.lower(), char) for char in text)
        for pattern, spoken in _idioms():
            said = pattern.sub(spoken, said)
        jamo = _apart(numbers.read(self._marked(said)))
        letters = _WITHOUT_ONSET.sub(r"\1ᄋ\2", liaison.pronounced(jamo))
        letters = _apart(letters).translate(_ALONE).translate(_DIPHTHONGS)
        letters = re.sub("([ㅇㄹ]ㅡㄹ) ㄹ", r"\1 ㄴ", letters)
        letters = re.sub("([ㄱ-ㅣ])$", r"\1.", letters)
        phones = (_PAUSES.get(letter, letter) for letter in letters)
        return [phone if phone in self._known else _NO_PHONE for phone in phones]

    def _marked(self, text: str) -> str:
        """The text with a mark after what changes the sound of its neighbour."""
        words = self._mecab.pos(text)
        if text.replace(" ", "") != "".join(word for word, _ in words):
            return text
        classes = iter(
            [name for word, tag in words for name in [""] * (len(word) - 1) + [_word_class(tag)]]
        )
        return "".join(char if char == " " else char + _mark(char, next(classes)) for char in text)


def _word_class(tag: str) -> str:
    last = tag.split("+")[-1]
    return "B" if last == "NNBC" else last[0]


def _mark(char: str, word_class: str) -> str:
    coda = _apart(char)[-1]
    if word_class == "J" and char == "의":
        return "/J"
    if word_class == "E" and coda == "ᆯ":
        return "/E"
    if word_class == "V" and coda in _VERB_CODAS:
        return "/P"
    return "/B" if word_class == "B" else ""


def _apart(text: str) -> str:
    """Hangul syllables as conjoining jamo; other characters as they are."""
    return re.sub("[가-힣]", lambda match: unicodedata.normalize("NFD", match[0]), text)


@cache
def _idioms() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Words that no rule pronounces: written, and as said."""
    text = (files("tts.text") / "data" / "ko_idioms.txt").read_text(encoding="utf-8")
    rows = (line.split("===") for line in text.splitlines() if not line.startswith("#"))
    return tuple((re.compile(written), said) for written, said in rows)
