"""A text cut into what an engine speaks at once: sentences, and clauses where they are long.

In: text.  Out: spans in order that hold every word of it.  Cut points: sentence ends; then
clause marks, spaces, and at last anywhere.
"""

import re

from tts.text.spans import Span

# A full stop ends a sentence only before a space; "Dr." and single initials do not.
_SENTENCE_END = re.compile(r"[。！？!?…]+[\"'”’」』）)\]]*|\.+[\"'”’)\]]*(?=\s|$)|\n+")
_CLAUSE_END = re.compile(r"[，、；：]+|[,;:—]+(?=\s|$)|—+")
_SPACE = re.compile(r"\s+")
_TITLE = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|No)|\b[A-Z])\.$", re.UNICODE
)

_LONG_PAUSE = re.compile(r"[.。！？!?…\n][\"'”’」』）)\]\s]*$")
_SHORT_PAUSE = re.compile(r"[,，、;；:：—-][\"'”’」』）)\]\s]*$")


def split(text: str, *, first_chars: int, max_chars: int) -> list[Span]:
    """Cut a text; the first span is at most about `first_chars` long where a clause mark allows.

    No span is longer than `max_chars`.  Spans are trimmed of white space; a span without any
    letter or digit joins the one before.
    """
    spans: list[Span] = []
    for sentence in _pieces(text, Span(0, len(text)), _SENTENCE_END):
        limit = max_chars if spans else min(first_chars, max_chars)
        if sentence.end - sentence.start > limit:
            spans.extend(_shorter(text, sentence, limit, max_chars))
        else:
            spans.append(sentence)
    return _with_words(text, [_trimmed(text, span) for span in spans], max_chars)


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


def _with_words(text: str, spans: list[Span], max_chars: int) -> list[Span]:
    kept: list[Span] = []
    for span in spans:
        if any(char.isalnum() for char in span.of(text)):
            kept.append(span)
        elif kept and span.end - kept[-1].start <= max_chars:
            kept[-1] = Span(kept[-1].start, max(span.end, kept[-1].end))
    return kept
