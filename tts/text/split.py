"""A text cut into what an engine speaks at once: sentences, and clauses where they are long.

In: text, whole or still being written.  Out: spans in order that hold every word of it.  Cut
points: sentence ends; then clause marks, spaces, and at last anywhere.  Pure; any thread.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tts.text.spans import Span

# A full stop ends a sentence only before a space; "Dr." and single initials do not.
_SENTENCE_END = re.compile(r"[。！？!?…]+[\"'”’」』）)\]]*|\.+[\"'”’)\]]*(?=\s|$)|\n+")
# A mark between two digits belongs to a number or a time.
_CLAUSE_END = re.compile(r"(?<!\d)[，、；：]+|[，、；：]+(?!\d)|[,;:—]+(?=\s|$)|—+")
_SPACE = re.compile(r"\s+")
_TITLE = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|No)|\b[A-Z])\.$", re.UNICODE
)

_LONG_PAUSE = re.compile(r"[.。！？!?…\n][\"'”’」』）)\]\s]*$")
_SHORT_PAUSE = re.compile(r"[,，、;；:：—-][\"'”’」』）)\]\s]*$")


# How much is enough to say before the rest of a sentence is there: about 0.8 s of speech.
_ENOUGH = 20
_PER_LETTER, _PER_SYLLABLE = 2, 5
_FIRST_SYLLABLE = "\u2e80"
"""From here on, a character of the scripts that voices speak is a syllable."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a text that is spoken at once."""

    span: Span
    begins_sentence: bool
    """Whether it does not go on with the sentence of the part before it."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What of a text that is still being written nothing that follows can change."""

    parts: list[Part]
    """Its parts; each has at least one letter or digit behind it."""
    end: int
    """Where the rest begins; 0 while nothing is settled."""
    ends_sentence: bool
    """Whether the rest does not go on with the sentence of the last part."""


def split(text: str, *, first_chars: int, max_chars: int) -> list[Span]:
    """Cut a text; the first span is at most about `first_chars` long where a clause mark allows.

    No span is longer than `max_chars`.  Spans are trimmed of white space; a span without any
    letter or digit joins the one before.
    """
    return [part.span for part in parts(text, first_chars=first_chars, max_chars=max_chars)]


def parts(
    text: str, *, first_chars: int, max_chars: int, begins_sentence: bool = True
) -> list[Part]:
    """Like `split`; `begins_sentence` tells whether the text does."""
    sentences = _pieces(text, Span(0, len(text)), _SENTENCE_END)
    return _parts(text, sentences, first_chars, max_chars, begins_sentence)


def settled(
    text: str, *, first_chars: int, max_chars: int, begins_sentence: bool = True
) -> Settled:
    """Cut what is there of a text that is still being written.

    That is the whole sentences, cut like those of `split`; without any, the newest sentence up to
    its last clause mark, if that is enough to say, or as far as it is too long.
    """
    last = _last_speakable(text)
    whole = [
        sentence
        for sentence in _pieces(text, Span(0, len(text)), _SENTENCE_END)
        if sentence.end <= last
    ]
    found = _parts(text, whole, first_chars, max_chars, begins_sentence)
    start = whole[-1].end if whole else 0
    begins_sentence = begins_sentence or bool(whole)
    if found:
        return Settled(found, start, ends_sentence=True)
    spans = _begun(text, Span(start, last + 1), min(first_chars, max_chars), max_chars)
    found = _with_words(text, _marked(text, spans, begins_sentence), max_chars)
    end = spans[-1].end if spans else start
    return Settled(found, end, ends_sentence=begins_sentence and not found)


def speakable(text: str) -> bool:
    """Whether a text has anything to say: a letter or a digit."""
    return any(char.isalnum() for char in text)


def pause_s(text: str, *, speed: float) -> float:
    """The natural silence after a piece of text, by the mark it ends with."""
    if _LONG_PAUSE.search(text):
        return 0.25 / speed
    if _SHORT_PAUSE.search(text):
        return 0.12 / speed
    return 0.05 / speed


def _pieces(text: str, span: Span, cut: re.Pattern[str]) -> list[Span]:
    pieces = []
    start = span.start
    for match in cut.finditer(text, span.start, span.end):
        if match.group().startswith(".") and _TITLE.search(text[start : match.end()]):
            continue
        pieces.append(Span(start, match.end()))
        start = match.end()
    if start < span.end:
        pieces.append(Span(start, span.end))
    return pieces


def _parts(
    text: str, sentences: Sequence[Span], first_chars: int, max_chars: int, begins_sentence: bool
) -> list[Part]:
    found: list[Part] = []
    for sentence in sentences:
        limit = max_chars if found else min(first_chars, max_chars)
        spans = [sentence]
        if sentence.end - sentence.start > limit:
            spans = _shorter(text, sentence, limit, max_chars)
        found.extend(_marked(text, spans, begins_sentence))
        begins_sentence = True
    return _with_words(text, found, max_chars)


def _marked(text: str, spans: Sequence[Span], begins_sentence: bool) -> list[Part]:
    """Trimmed parts of one sentence, of which the first may begin it."""
    return [
        Part(_trimmed(text, span), begins_sentence and number == 0)
        for number, span in enumerate(spans)
    ]


def _begun(text: str, sentence: Span, first_chars: int, max_chars: int) -> list[Span]:
    """What can be cut of a sentence that is being written and ends with something speakable."""
    start = sentence.start
    ends = [
        clause.end
        for clause in _pieces(text, sentence, _CLAUSE_END)
        if clause.end < sentence.end and _enough(text[start : clause.end])
    ]
    if ends:
        near = [end for end in ends if end - start <= first_chars]
        return _hard_cut(text, Span(start, near[-1] if near else ends[0]), max_chars)
    # Without a mark: what is too long.  The last run goes on.
    return _hard_cut(text, sentence, max_chars)[:-1]


def _enough(text: str) -> bool:
    said = [_PER_SYLLABLE if c >= _FIRST_SYLLABLE else _PER_LETTER for c in text if c.isalnum()]
    return sum(said) >= _ENOUGH


def _last_speakable(text: str) -> int:
    return next((i for i in range(len(text) - 1, -1, -1) if text[i].isalnum()), -1)


def _shorter(text: str, sentence: Span, first_chars: int, max_chars: int) -> list[Span]:
    """Clauses of a sentence, joined again as far as the limits allow."""
    joined: list[Span] = []
    for clause in _pieces(text, sentence, _CLAUSE_END):
        limit = first_chars if len(joined) <= 1 else max_chars
        if joined and clause.end - joined[-1].start <= limit:
            joined[-1] = Span(joined[-1].start, clause.end)
        else:
            joined.append(clause)
    return [part for clause in joined for part in _hard_cut(text, clause, max_chars)]


def _hard_cut(text: str, span: Span, max_chars: int) -> list[Span]:
    parts = []
    start = span.start
    while span.end - start > max_chars:
        spaces = [m.end() for m in _SPACE.finditer(text, start, start + max_chars)]
        end = spaces[-1] if spaces and spaces[-1] > start else start + max_chars
        parts.append(Span(start, end))
        start = end
    parts.append(Span(start, span.end))
    return parts


def _trimmed(text: str, span: Span) -> Span:
    inside = span.of(text)
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(start, max(start, span.start + len(inside.rstrip())))


def _with_words(text: str, found: Sequence[Part], max_chars: int) -> list[Part]:
    kept: list[Part] = []
    begins_sentence = False
    for part in found:
        begins_sentence = begins_sentence or part.begins_sentence
        if speakable(part.span.of(text)):
            kept.append(Part(part.span, begins_sentence))
            begins_sentence = False
        elif part.span.of(text) and kept and part.span.end - kept[-1].span.start <= max_chars:
            span = kept[-1].span
            kept[-1] = Part(
                Span(span.start, max(part.span.end, span.end)), kept[-1].begins_sentence
            )
    return kept
