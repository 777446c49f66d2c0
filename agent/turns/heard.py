"""The heard clock: which words of a reply the caller has really heard.

In: the pieces of an utterance as they are synthesised, maybe while they are being written, with
their marks, and a playback position in seconds.  Out: the text up to that position and the text
after it.  Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tts.types import Mark

HEARD_SHARE = 0.5
"""A word counts as heard once this share of it has played: half a word is understood."""


@dataclass(slots=True)
class _Piece:
    lead: str
    text: str
    start_s: float
    marks: list[Mark] = field(default_factory=list)

    def heard_chars(self, position_s: float) -> int:
        """Characters of `text` heard at `position_s`, with what sticks to the last word."""
        chars = 0
        for mark in self.marks:
            if self.start_s + _counts_from_s(mark) <= position_s:
                chars = mark.text_end
        while 0 < chars < len(self.text) and _sticks(self.text[chars]):
            chars += 1
        return chars


def _counts_from_s(mark: Mark) -> float:
    return mark.start_s + HEARD_SHARE * (mark.end_s - mark.start_s)


def _sticks(char: str) -> bool:
    return not char.isalnum() and not char.isspace()


class HeardText:
    """What of one utterance was heard, by playback position."""

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []

    @property
    def text(self) -> str:
        """Everything that was given to the voice so far."""
        return "".join(piece.lead + piece.text for piece in self._pieces)

    def add_piece(self, text: str, start_s: float, *, lead: str = "") -> None:
        """The next piece begins at `start_s` of the utterance's audio.

        `lead` is the space between the piece before and this one, as the language writes it.
        """
        self._pieces.append(_Piece(lead if self._pieces else "", text, start_s))

    def add_text(self, text: str) -> None:
        """The newest piece goes on."""
        self._pieces[-1].text += text

    def add_marks(self, marks: Sequence[Mark]) -> None:
        """Marks of the newest piece, with times relative to the piece."""
        self._pieces[-1].marks.extend(mark for mark in marks if mark.kind == "word")

    def heard(self, position_s: float) -> str:
        """The words heard at `position_s`; pieces whose audio was lost are not among them."""
        parts = [
            piece.lead + piece.text[:chars]
            for piece in self._pieces
            if (chars := piece.heard_chars(position_s))
        ]
        return "".join(parts).strip()

    def heard_chars(self, position_s: float) -> int:
        """How far into `text` the caller has heard at `position_s`: whole words only."""
        heard = before = 0
        for piece in self._pieces:
            if chars := piece.heard_chars(position_s):
                heard = before + len(piece.lead) + chars
            before += len(piece.lead) + len(piece.text)
        return heard

    def break_off(self, end_s: float) -> int:
        """The newest piece's audio broke off at `end_s` of the utterance.

        Returns how many of its characters were spoken, in words that would count as heard.
        """
        piece = self._pieces[-1]
        came_s = end_s - piece.start_s
        piece.marks = [mark for mark in piece.marks if _counts_from_s(mark) <= came_s]
        return piece.heard_chars(end_s)

    def go_on_at(self, chars: int, start_s: float) -> None:
        """Part the newest piece: what follows its first `chars` begins at `start_s`."""
        piece = self._pieces[-1]
        if chars:
            piece.text, rest = piece.text[:chars], piece.text[chars:]
            self._pieces.append(_Piece("", rest, start_s))
        else:
            piece.start_s = start_s

    def next_word_s(self, position_s: float) -> float | None:
        """The next position at which one more word counts as heard; None after the last."""
        for piece in self._pieces:
            for mark in piece.marks:
                at_s = piece.start_s + _counts_from_s(mark)
                if at_s > position_s:
                    return at_s
        return None
