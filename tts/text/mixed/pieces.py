"""Text cut by script and, inside one script, by language.

In: text and a detector.  Out: pieces in order with a language each, or "digit", "punctuation",
"newline" or "x" (unknown).  It follows split-lang 2.1.1, whose answers the models' project builds
on: sections of one script first; Han and kana then into phrases by budoux, other scripts into
words, each with the language that the detector names; small pieces then join their neighbours.
Needs `budoux`.  Pure once loaded, any thread.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache

from tts.carriers import missing
from tts.text.mixed.detector import Detector

UNKNOWN = "x"
DIGIT, MARK, NEWLINE = "digit", "punctuation", "newline"

_HAN_OR_KANA = re.compile("[\u4e00-\u9fff\u3040-\u30ff々]")
_KANA = re.compile("[\u3040-\u30ff々]")
_HANGUL = re.compile("[\uac00-\ud7af]")
_MARKS = frozenset(
    "〜~,.;:!?，。！？；：、·([{<（【《〈「『“‘)]}>）】》〉」』”’\"-_—#$%&…￥'*+=@[\\]^`|"
)
_IN_HAN = {"zh": "zh", "yue": "zh", "wuu": "zh", "zh-cn": "zh", "zh-tw": UNKNOWN, "ja": "ja"}
_ELSEWHERE = _IN_HAN | {"ko": "ko", "en": "en"}


class Script(Enum):
    """What a section is written in."""

    HAN_OR_KANA = "zh_ja"
    HANGUL = "ko"
    DIGITS = DIGIT
    MARKS = MARK
    NEWLINE = NEWLINE
    OTHER = "other"


@dataclass(slots=True)
class Piece:
    """Characters of one language."""

    language: str
    text: str


@dataclass(slots=True)
class _Section:
    script: Script
    pieces: list[Piece]


def split(text: str, detector: Detector) -> list[Piece]:
    """The pieces of a text, white space around it left out; none for an empty text."""
    sections = [_section(script, part, detector) for script, part in _by_script(text.strip())]
    if not sections:
        return []
    sections = _marks_joined(sections)
    sections = _newlines_joined(sections)
    return [
        piece
        for section in sections
        for piece in (
            _settled(section.pieces) if section.script is Script.HAN_OR_KANA else section.pieces
        )
    ]


# --- sections of one script -------------------------------------------------------------------


def _by_script(text: str) -> Iterable[tuple[Script, str]]:
    current, held = Script.OTHER, ""
    for index, char in enumerate(text):
        script = _script(char)
        if script is None or (char == "'" and index and not text[index - 1].isspace()):
            held += char  # spaces, and the apostrophe of "don't", belong to what they follow
            continue
        # Each mark and each newline is a section of its own.
        if script is not current or script in (Script.MARKS, Script.NEWLINE):
            if held:
                yield current, held
            current, held = script, ""
        held += char
    if held:
        yield current, held


def _script(char: str) -> Script | None:
    if _HAN_OR_KANA.match(char):
        return Script.HAN_OR_KANA
    if _HANGUL.match(char):
        return Script.HANGUL
    if char.isdigit():
        return Script.DIGITS
    if char in _MARKS:
        return Script.MARKS
    if char in "\n\r":
        return Script.NEWLINE
    return None if char.isspace() else Script.OTHER


def _section(script: Script, text: str, detector: Detector) -> _Section:
    if script is Script.HAN_OR_KANA:
        found = [Piece(_of_phrase(phrase, detector), phrase) for phrase in _phrases(text)]
    elif script is Script.OTHER:
        words = re.findall(r"\S+\s*|\s+", text)
        found = [Piece(_ELSEWHERE.get(detector.language(word), UNKNOWN), word) for word in words]
    else:
        return _Section(script, [Piece(script.value, text)])
    return _Section(script, _joined(found, detector))


def _of_phrase(phrase: str, detector: Detector) -> str:
    if _KANA.search(phrase):
        return "ja"
    return _IN_HAN.get(detector.language(phrase), UNKNOWN)


def _phrases(text: str) -> list[str]:
    """Phrases of Han and kana: Japanese ones, each cut again as Chinese."""
    japanese, chinese = _phrase_cutters()
    cut = [phrase for part in japanese(text) for phrase in chinese(part)]
    found = cut[:1]
    for phrase in cut[1:]:
        kana, kana_before = bool(_KANA.search(phrase)), bool(_KANA.search(found[-1]))
        if (kana and kana_before) or (not kana and not kana_before and len(phrase) == 1):
            found[-1] += phrase
        else:
            found.append(phrase)
    if len(found) >= 2 and len(found[0]) == 1:
        found[:2] = [found[0] + found[1]]
    return found


@cache
def _phrase_cutters() -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    try:
        import budoux
    except ImportError as error:
        raise missing("budoux", needed_for="text of several languages") from error
    return (
        budoux.load_default_japanese_parser().parse,
        budoux.load_default_simplified_chinese_parser().parse,
    )


# --- pieces of a section joined ---------------------------------------------------------------


def _joined(pieces: list[Piece], detector: Detector) -> list[Piece]:
    found = _same_joined(pieces)
    for _ in range(2):
        found = _same_joined(_middles_settled(found, detector))
    found = _sides_settled(_unknown_settled(found), detector)
    return _same_joined(_middles_settled(_same_joined(found), detector))


def _same_joined(pieces: Sequence[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].language == piece.language:
            found[-1].text += piece.text
        else:
            found.append(Piece(piece.language, piece.text))
    return found


def _middles_settled(pieces: list[Piece], detector: Detector) -> list[Piece]:
    """A piece between two of one language may be of that language too."""
    for left, middle, right in zip(pieces, pieces[1:], pieces[2:], strict=False):
        if left.language != right.language or left.language in (UNKNOWN, NEWLINE):
            continue
        no_kana = not _KANA.search(middle.text)
        short = len(middle.text) <= 4 and len(left.text) + len(right.text) >= 6
        if (
            middle.language == UNKNOWN
            or (no_kana and short)
            or (no_kana and left.language in detector.possible(middle.text))
        ):
            middle.language = left.language
    return pieces


def _unknown_settled(pieces: list[Piece]) -> list[Piece]:
    """An unknown piece takes the language of the longer neighbour."""
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        if piece.language == UNKNOWN:
            to_left = index == last or (
                index > 0 and len(pieces[index - 1].text) >= len(pieces[index + 1].text)
            )
            piece.language = _nearest(pieces, index, to_left and index > 0)
    return pieces


def _nearest(pieces: Sequence[Piece], index: int, to_left: bool) -> str:
    others = reversed(pieces[:index]) if to_left else iter(pieces[index + 1 :])
    known = (piece.language for piece in others if piece.language not in (UNKNOWN, DIGIT))
    return next(known, pieces[index].language)


def _sides_settled(pieces: list[Piece], detector: Detector) -> list[Piece]:
    """The first and the last piece may be of their neighbour's language."""
    for index, near, to_left in ((0, 1, False), (-1, -2, True)):
        side = pieces[index]
        if side.language == UNKNOWN or (
            len(pieces) >= 2 and _may_join(side, pieces[near], detector)
        ):
            side.language = _nearest(pieces, index % len(pieces), to_left)
    return pieces


def _may_join(side: Piece, near: Piece, detector: Detector) -> bool:
    no_kana = not _KANA.search(side.text + near.text)
    if no_kana and near.language == "zh" and len(near.text) >= 6:
        if len(near.text) > len(side.text):
            return True
    return (no_kana or len(near.text) <= 5) and near.language in detector.possible(side.text)


# --- sections joined --------------------------------------------------------------------------


def _marks_joined(sections: Sequence[_Section]) -> list[_Section]:
    """Marks join what they follow; at the start of a text, what follows them."""
    found = [sections[0]]
    for section in sections[1:]:
        before = found[-1]
        if before.script is Script.MARKS:
            first, *rest = section.pieces
            joined = Piece(first.language, before.pieces[-1].text + first.text)
            found[-1] = _Section(section.script, [*before.pieces[:-1], joined, *rest])
        elif section.script is Script.MARKS:
            before.pieces[-1].text += section.pieces[0].text
        else:
            found.append(section)
    return _sections_joined(found, MARK)


def _newlines_joined(sections: Sequence[_Section]) -> list[_Section]:
    found = [sections[0]]
    for section in sections[1:]:
        before = found[-1]
        if before.script is Script.NEWLINE:
            found[-1] = _Section(section.script, before.pieces + section.pieces)
        elif section.script is Script.NEWLINE:
            before.pieces += section.pieces
        else:
            found.append(section)
    return _sections_joined(found, NEWLINE)


def _sections_joined(sections: Sequence[_Section], glue: str) -> list[_Section]:
    """Neighbours of one script become one section, and pieces of one language one piece;
    pieces of `glue` join what they follow."""
    found: list[_Section] = []
    for section in sections:
        if found and found[-1].script is section.script:
            found[-1].pieces += section.pieces
        else:
            found.append(_Section(section.script, list(section.pieces)))
    for section in found:
        section.pieces = _glued(section.pieces, glue)
    return found


def _glued(pieces: Sequence[Piece], glue: str) -> list[Piece]:
    found: list[Piece] = []
    before = ""
    for piece in pieces:
        if found and piece.language in (glue, before):
            found[-1].text += piece.text
        else:
            found.append(piece)
        before = piece.language
    return found


def _settled(pieces: list[Piece]) -> list[Piece]:
    """Pieces of Han and kana, of which those a tenth as long as their neighbours join them."""
    if len(pieces) == 1:
        return pieces
    found: list[Piece] = []
    lengths = dict.fromkeys(("zh", "ja", UNKNOWN, DIGIT, MARK, NEWLINE), 0)
    index = 0
    while index < len(pieces):
        piece = pieces[index]
        after = pieces[index + 1] if index + 1 < len(pieces) else None
        lengths[piece.language] += len(piece.text)
        if not found and after and _small(piece, after) and after.language in ("zh", "ja"):
            found.append(Piece(after.language, piece.text + after.text))
            index += 1
        elif found and after is None and _small(piece, found[-1]):
            found[-1].text += piece.text
        elif (
            found
            and after
            and found[-1].language == after.language in ("zh", "ja")
            and len(piece.text) * 10 < len(found[-1].text) + len(after.text)
        ):
            found[-1].text += piece.text + after.text
            index += 1
        else:
            found.append(piece)
        index += 1
    most = max(lengths, key=lambda language: lengths[language])
    for piece in found:
        if piece.language == UNKNOWN:
            piece.language = most
        if piece.language == "zh" and lengths["ja"] >= lengths["zh"] * 10:
            piece.language = "ja"
    return _same_joined(found)


def _small(piece: Piece, near: Piece) -> bool:
    return (
        near.language in ("zh", "ja")
        and piece.language in ("zh", "ja", UNKNOWN)
        and len(piece.text) * 10 < len(near.text)
    )
