"""Words of a text placed in its audio, as marks.

In: when each written word is heard, measured or guessed, in samples of its clause.  Out: `Mark`s
of the request.  Pure; any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tts.text.spans import Span, spread, words
from tts.types import Mark

# Relative length of a word when nothing better is known: a syllable of Chinese or Japanese
# lasts about as long as this many Latin letters.
_LETTERS_PER_SYLLABLE = 2.5


@dataclass(frozen=True, slots=True)
class Heard:
    """When a written word is heard, in samples of its clause's audio."""

    span: Span
    start: float
    end: float


def written_words(text: str, clause: Span) -> list[Span]:
    """The words of a clause, as spans of the text."""
    return [Span(clause.start + w.start, clause.start + w.end) for w in words(clause.of(text))]


def guessed(text: str, clause: Span, start: float, end: float) -> list[Heard]:
    """The written words of a clause spread over samples `start` to `end` by their length."""
    written = written_words(text, clause)
    parts = spread(start, end, [weight(span.of(text)) for span in written])
    return [Heard(span, *part) for span, part in zip(written, parts, strict=True)]


def to_marks(
    heard: Sequence[Heard],
    *,
    cut: int,
    voiced_end: int,
    offset: int,
    sample_rate_hz: int,
    estimated: bool,
) -> tuple[Mark, ...]:
    """Marks of a clause that was trimmed: its front lost `cut` samples, its voice ends at
    `voiced_end`, and it begins at sample `offset` of the request."""
    marks = []
    for word in heard:
        start = min(max(word.start - cut, 0), voiced_end)
        end = min(max(word.end - cut, start), voiced_end)
        marks.append(
            Mark(
                text_start=word.span.start,
                text_end=word.span.end,
                start_s=(offset + start) / sample_rate_hz,
                end_s=(offset + end) / sample_rate_hz,
                kind="word",
                estimated=estimated,
            )
        )
    return tuple(marks)


def weight(word: str) -> float:
    """How long a word takes to say, in letters."""
    if len(word) == 1 and ord(word) >= 0x3000:
        return _LETTERS_PER_SYLLABLE
    return float(len(word))
