"""Cuts streamed text into pieces that can be spoken one after another, clause by clause.

In: text as the language model streams it, in deltas of any length.  Out: `Piece`s: the first one
short, so that speaking begins early, later ones whole sentences of bounded length, because a
voice speaks whole sentences better.  Knows nothing of markup (see `agent.speakable`, which comes
before), models or voices.  Pure; one chunker for one answer.

Two laws, whatever the text and however it was split into deltas:
- the pieces' raw texts, joined, are the text: nothing is lost, doubled or moved;
- the pieces are the same as if the text had come in one delta.

Both hold because the text is scanned once, from left to right, and a character is passed only when
nothing that may still come can change what it is: a "." waits for what follows it, a "?" does not.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

_Stop = Literal["none", "weak", "strong"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of the text."""

    raw: str
    """Exactly the characters of the text."""

    @property
    def text(self) -> str:
        """What to speak: one line, without what was left over from the stop before.

        Empty when there is nothing to speak in it, as in the "!" of "?!".
        """
        text = " ".join(self.raw.split()).lstrip(_LEFT_OVER)
        return text if any(char.isalnum() for char in text) else ""


@dataclass(frozen=True, slots=True)
class _Sizes:
    """When a piece is long enough, in words or CJK characters."""

    strong: int
    """Cut at the end of a sentence from here on."""
    weak: int
    """Cut at the end of a clause from here on."""
    most: int
    """Cut between any two words here."""


# First piece, second, all others.  The second must be ready before the first was spoken, by a
# voice that may be only twice as fast as speech: hence the slow growth.
_SPACED_SIZES = (_Sizes(1, 2, 10), _Sizes(2, 6, 20), _Sizes(4, 14, 32))
_CJK_SIZES = (_Sizes(1, 5, 14), _Sizes(3, 10, 32), _Sizes(8, 24, 60))
_CJK_LANGUAGES = frozenset({"zh", "yue", "ja"})
_LATIN_WORD_IN_CJK = 3  # a Latin word takes about as long as this many characters
_MAX_CHARS = 400
"""Bound of a piece that has neither stops nor words to cut at."""

_CJK = (  # radicals, iteration marks, kana, ideographs and their supplements
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_IS_CJK = re.compile(f"[{_CJK}]")
_STRONG = "。！？｡!?"
_WEAK = "，；,;…—"
_OPENING = "([{（「『《〈【“"
_CLOSING = ")]}）」』》〉】”"
_LEFT_OVER = " .!?,;:…。！？｡，、；：—–-" + _CLOSING
_TOKEN_BEFORE = re.compile(rf"[^\s{_CJK}{re.escape(_OPENING + _CLOSING)}\"'，。！？；：、…—]*$")
_DOTTED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")

# Lower case, without their final stop.
_NEVER_LAST = frozenset(
    "mr mrs ms mx dr prof rev fr sen rep gov gen col sgt capt lt hon messrs mme mlle st mt ft "
    "vs e.g i.e cf viz approx ca".split()
)
_BEFORE_NUMBERS = frozenset("no nos fig figs vol ch sec art eq pp p pg par".split())
_SOMETIMES_LAST = frozenset(
    "etc inc ltd co corp jr sr esq dept est ave blvd rd hwy bros univ al a.m p.m "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat "
    "sun".split()
)
# A long clause is best cut before one of these words, or after one of these characters.
_CLAUSE_OPENERS = frozenset(
    "and but or so because that which who where when while if although though unless until since "
    "before after as than then to for with without from into about between through during".split()
)
_CJK_CLAUSE_ENDS = frozenset("的了着过吧呢吗啊、はがをにでともねよ")


@dataclass(frozen=True, slots=True)
class _Break:
    """A place where a piece may end if no better one comes before it is full."""

    at: int
    units: int
    open: int
    punctuation: bool


@dataclass(slots=True)
class _Open:
    """The piece in the making."""

    at: int = 0
    """Everything before this index of the buffer has been passed."""
    units: int = 0
    open: int = 0
    """Brackets and quotes that are open, so that a stop waits for their closing."""
    word_at: int = -1
    """Where the newest word began."""
    breaks: list[_Break] = field(default_factory=list)


class ClauseChunker:
    """Cuts one answer; see the module's docstring."""

    def __init__(self, language: str) -> None:
        """`language` is the persona's: "en", "zh", "ja", "ko", "yue"."""
        self._cjk = language in _CJK_LANGUAGES
        self._comma_is_clause = language == "ja"
        self._sizes = _CJK_SIZES if self._cjk else _SPACED_SIZES
        self._buffer = ""
        self._cut_count = 0
        self._open = _Open()

    def feed(self, text: str) -> list[Piece]:
        """Take the next delta; return the pieces that it completed."""
        self._buffer += text
        return self._scan(final=False)

    def flush(self) -> list[Piece]:
        """The text is over: return what is left of it."""
        pieces = self._scan(final=True)
        if self._buffer:
            pieces.append(Piece(self._buffer))
        self._buffer = ""
        self._cut_count = 0
        self._open = _Open()
        return pieces

    @property
    def _size(self) -> _Sizes:
        return self._sizes[min(self._cut_count, len(self._sizes) - 1)]

    def _scan(self, *, final: bool) -> list[Piece]:
        pieces = []
        while self._open.at < len(self._buffer):
            end = self._full_at()
            if end is None:
                stop = self._stop(final)
                if stop is None:
                    break
                end = self._pass(*stop)
            if end is not None:
                pieces.append(self._cut(end))
        return pieces

    def _cut(self, end: int) -> Piece:
        piece = Piece(self._buffer[:end])
        self._buffer = self._buffer[end:]
        self._cut_count += 1
        still_open = next((b.open for b in self._open.breaks if b.at == end), self._open.open)
        self._open = _Open(open=still_open)
        return piece

    # Where a piece must end because it is full.

    def _full_at(self) -> int | None:
        """Return where to cut a piece that the next character would make too long."""
        here, state = self._open.at, self._open
        if here >= _MAX_CHARS:
            return here
        if state.units < self._size.most or not self._begins_word(here):
            return None
        if here and self._buffer[here - 1].isdigit():
            return None  # "2024" and its "年" stay together
        good = [b for b in state.breaks if b.units * 5 >= self._size.most * 2 and b.at < here]
        best = max(good, key=lambda b: (b.punctuation, b.at), default=None)
        return best.at if best else here

    def _begins_word(self, index: int) -> bool:
        char = self._buffer[index]
        if _IS_CJK.match(char):
            return True
        if not char.isalnum():
            return False
        if index == 0:
            return True
        before = self._buffer[index - 1]
        return bool(before.isspace() or _IS_CJK.match(before) or before in _OPENING + '"，。、；：')

    # What a character is.

    def _stop(self, final: bool) -> tuple[_Stop, int] | None:
        """Tell what stop the next character is and where it ends; None when that is open yet."""
        text, at = self._buffer, self._open.at
        char = text[at]
        if char == "\n":
            return "strong", at + 1
        if char == ".":
            kind = self._full_stop(final)
        elif char in ":：":
            kind = self._colon(final)
        elif char in _STRONG or char in _WEAK or (char == "、" and self._comma_is_clause):
            kind = self._plain_stop(char, final)
        else:
            return "none", at + 1
        if kind is None or kind == "none":
            return kind and (kind, at + 1)
        return self._with_closing(kind, at + 1, final)

    def _plain_stop(self, char: str, final: bool) -> _Stop | None:
        kind: _Stop = "strong" if char in _STRONG else "weak"
        at, following = self._open.at, self._following(final)
        inside_number = char == "," and at > 0 and self._buffer[at - 1].isdigit()
        if inside_number or (char.isascii() and "://" in self._token_before()):
            if following is None:
                return None
            return "none" if following.strip() else kind
        return kind

    def _colon(self, final: bool) -> _Stop | None:
        following = self._following(final)
        if following is None:
            return None
        apart = not following.strip() or _IS_CJK.match(following)
        return "weak" if apart or self._buffer[self._open.at] == "：" else "none"

    def _full_stop(self, final: bool) -> _Stop | None:
        """Decide a ".": by the word before it and what follows."""
        following = self._following(final)
        if following is None:
            return None
        at = self._open.at
        if following == ".":
            return "none"  # the last one of a run decides
        if at and self._buffer[at - 1] == ".":
            return "weak"
        word = self._token_before().lower()
        if _IS_CJK.match(following):
            return "none" if word.isdigit() else "strong"
        if following.strip() and following not in _CLOSING + "\"'" + _OPENING:
            return "none"
        return self._after_word(word, final)

    def _after_word(self, word: str, final: bool) -> _Stop | None:
        """Decide a "." that ends its word."""
        if word in _NEVER_LAST:
            return "none"
        if len(word) == 1 and word.isalpha() and word != "i":
            return "none"
        if word.isdigit() and len(word) <= 2 and self._begins_line(len(word)):
            return "none"  # the number of a list item
        if word in _BEFORE_NUMBERS:
            upcoming = self._upcoming(final)
            return None if upcoming is None else "none" if upcoming.isdigit() else "strong"
        if word in _SOMETIMES_LAST or _DOTTED.fullmatch(word):
            upcoming = self._upcoming(final)
            if upcoming is None:
                return None
            ends = not upcoming.strip() or (upcoming.isupper() and word in _SOMETIMES_LAST)
            return "strong" if ends else "none"
        return "strong"

    def _with_closing(self, kind: _Stop, end: int, final: bool) -> tuple[_Stop, int] | None:
        """Take along the brackets and quotes that close right after a stop."""
        still_open = self._open.open
        while still_open > 0:
            if end == len(self._buffer):
                return (kind, end) if final else None
            if self._buffer[end] not in _CLOSING + '"':
                break
            still_open -= 1
            end += 1
        return kind, end

    def _following(self, final: bool) -> str | None:
        """Return the character after the next one: " " at the end, None if not there yet."""
        after = self._open.at + 1
        if after < len(self._buffer):
            return self._buffer[after]
        return " " if final else None

    def _upcoming(self, final: bool) -> str | None:
        """Return the first character after the stop that is no space, or a newline."""
        for char in self._buffer[self._open.at + 1 :]:
            if char == "\n" or not (char.isspace() or char in _CLOSING + '"'):
                return char
        return " " if final else None

    def _token_before(self) -> str:
        found = _TOKEN_BEFORE.search(self._buffer, 0, self._open.at)
        return found[0] if found else ""

    def _begins_line(self, chars: int) -> bool:
        return not self._buffer[: self._open.at - chars].rpartition("\n")[2].strip()

    # Passing it.

    def _pass(self, kind: _Stop, end: int) -> int | None:
        """Move past a character and what sticks to it; return where to cut, if there."""
        for index in range(self._open.at, end):
            self._count(index)
        state = self._open
        state.at = end
        if kind == "none":
            return None
        enough = self._size.strong if kind == "strong" else self._size.weak
        if state.units >= enough:
            return end
        if state.units:
            state.breaks.append(_Break(end, state.units, state.open, punctuation=True))
        return None

    def _count(self, index: int) -> None:
        state, char = self._open, self._buffer[index]
        if char == "\n":
            state.open = 0  # nobody quotes across lines; an unpaired quote must not cost for ever
        elif char == '"':
            state.open += -1 if state.open else 1
        elif char in _OPENING:
            state.open += 1
        elif char in _CLOSING:
            state.open = max(0, state.open - 1)
        elif self._begins_word(index):
            self._note_break_before(index)
            is_cjk = _IS_CJK.match(char)
            state.units += _LATIN_WORD_IN_CJK if self._cjk and not is_cjk else 1
            state.word_at = index

    def _note_break_before(self, index: int) -> None:
        """A new word begins: was the one before it a good place to break at?"""
        state = self._open
        if state.word_at < 0:
            return
        word = self._buffer[state.word_at : index].strip()
        if word.lower() in _CLAUSE_OPENERS:
            at, units = state.word_at, state.units - 1
        elif word in _CJK_CLAUSE_ENDS:
            at, units = index, state.units
        else:
            return
        state.breaks.append(_Break(at, units, state.open, punctuation=False))
