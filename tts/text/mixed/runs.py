"""Text cut into runs, each read by one language's frontend.

In: text and a language code.  Out: runs in order with the language that reads them.  A plain code
("zh", "ja") says that everything but English is that language; "all_zh" that even what looks
foreign is, but for plainly English words; "auto" decides run by run, and "auto_yue" the same with
Cantonese for Chinese.  Pure once the splitter is loaded, any thread.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tts.text.mixed.detector import Detector
from tts.text.mixed.pieces import DIGIT, UNKNOWN, Piece, split

LANGUAGES = (
    "auto", "auto_yue", "en", "zh", "ja", "ko", "yue", "all_zh", "all_ja", "all_ko", "all_yue",
)  # fmt: skip

_ENGLISH = re.compile(
    r"(?=.*[A-Za-z])[A-Za-z0-9\s\u0020-\u007E\u2000-\u206F\u3000-\u303F\uFF00-\uFFEF]+\Z"
)
# What may stand between kana, or between Hangul, and be read with it.
_BETWEEN = "[0-9、-〜。！？.!?… ]"
_KANA = "[\u3041-\u3096\u3099\u309a\u30a1-\u30fa\u30fc]"
_HANGUL = "[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"
_OWN_SCRIPT = {
    language: re.compile(f"({script}+(?:{_BETWEEN}+{script}*)*)")
    for language, script in (("ja", _KANA), ("ko", _HANGUL))
}
_HAN = re.compile(
    "[\u4e00-\u9fff\u3400-\u4db5\U00020000-\U0002a6dd\U0002a700-\U0002ebef\U0002ebf0-\U0002ee5d"
    "\U00030000-\U000323af]"
)
_READ_WITH_HAN = re.compile(r"[0-9、-〜。！？.!?… /]")
_STOPS = frozenset(",.!?，。！？")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive text of one language."""

    language: str
    text: str


def runs(text: str, language: str, detector: Detector) -> list[Run]:
    """The runs of a text.  Raises `ValueError` for a code that is not in `LANGUAGES`."""
    if language not in LANGUAGES:
        raise ValueError(f"language: {language!r} is unknown; allowed: {', '.join(LANGUAGES)}")
    text = re.sub(" {2,}", " ", text)
    if language == "en":
        return [Run("en", text)]
    if language.startswith("all_"):
        own = language.removeprefix("all_")
        return _renamed(_found(text, detector, "zh" if own == "yue" else own), own)
    if language.startswith("auto"):
        return _renamed(_found(text, detector, ""), language.removeprefix("auto").strip("_"))
    return _english_or(language, _found(text, detector, ""))


def _renamed(found: Iterable[Piece], chinese: str) -> list[Run]:
    """Runs of the pieces; Chinese is read as Cantonese where that is asked for."""
    return [
        Run("yue" if chinese == "yue" and piece.language == "zh" else piece.language, piece.text)
        for piece in found
    ]


def _english_or(language: str, found: Iterable[Piece]) -> list[Run]:
    """Han characters do not tell Chinese from Japanese: the caller does."""
    merged: list[Piece] = []
    for piece in found:
        _append(merged, Piece("en" if piece.language == "en" else language, piece.text))
    return [Run(piece.language, piece.text) for piece in merged]


def _found(text: str, detector: Detector, everything: str) -> list[Piece]:
    """Pieces by language; all but English and, if given, all else is `everything`."""
    pieces: list[Piece] = []
    for piece in split(text, detector):
        if piece.language == DIGIT:
            _append(pieces, Piece(everything or DIGIT, piece.text))
        elif _ENGLISH.match(piece.text):
            _append(pieces, Piece("en", piece.text))
        elif everything:
            _append(pieces, Piece(everything, piece.text))
        else:
            for part in _own_scripts(piece):
                _append(pieces, part)
    return _unknown_settled(_digits_settled(pieces))


def _own_scripts(piece: Piece) -> Iterable[Piece]:
    """A piece with its kana and its Hangul apart; unknown rests with Han in them are Chinese."""
    parts = [piece]
    for language in _OWN_SCRIPT:
        parts = [
            cut
            for part in parts
            for cut in ([part] if part.language == language else _apart(part, language))
        ]
    if len(parts) == 1:  # a piece of nothing but the other script stays what it is taken for
        parts = [piece]
    for part in parts:
        if part.language == UNKNOWN:
            kept = "".join(
                char for char in part.text if _HAN.match(char) or _READ_WITH_HAN.match(char)
            )
            part = Piece("zh", kept) if kept else part
        yield part


def _apart(piece: Piece, language: str) -> list[Piece]:
    parts = _OWN_SCRIPT[language].split(piece.text)
    return [
        Piece(language if index % 2 else piece.language, part)
        for index, part in enumerate(parts)
        if part
    ]


def _digits_settled(pieces: list[Piece]) -> list[Piece]:
    """Digits are read in the language of a neighbour."""
    found: list[Piece] = []
    for index, piece in enumerate(pieces):
        if piece.language == DIGIT:
            before = found[-1] if found else None
            after = pieces[index + 1] if index + 1 < len(pieces) else None
            piece = Piece(_reader(before, piece.text, after), piece.text)
        _append(found, piece)
    return found


def _reader(before: Piece | None, digits: str, after: Piece | None) -> str:
    """Who reads digits: not the one that a stop parts them from, else the longer neighbour."""
    if before is None or after is None:
        return before.language if before else after.language if after else "zh"
    if before.text[-1] in _STOPS and before.language != after.language:
        return after.language
    if after.text[0] in _STOPS or digits[-1] in "。.":
        return before.language
    return before.language if len(before.text) >= len(after.text) else after.language


def _unknown_settled(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if piece.language == UNKNOWN:
            near = found[-1] if found else pieces[1] if len(pieces) > 1 else None
            piece = Piece(near.language if near else "zh", piece.text)
        _append(found, piece)
    return found


def _append(pieces: list[Piece], piece: Piece) -> None:
    if pieces and pieces[-1].language == piece.language:
        pieces[-1].text += piece.text
    else:
        pieces.append(Piece(piece.language, piece.text))
