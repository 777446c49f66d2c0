"""From spoken words with phonemes, and the model's time for each phoneme, to marks on the text.

In: tokens (what is said, and its phonemes) and the sample at which each phoneme ends.  Out:
`Mark`s that cover every written word.  Pure; any thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.text.spans import Span, align, key, spread, words
from tts.types import Mark

# Relative length of a word when nothing better is known: a syllable of Chinese or Japanese
# lasts about as long as this many Latin letters.
_LETTERS_PER_SYLLABLE = 2.5


@dataclass(frozen=True, slots=True)
class Token:
    """Something that is said; tokens in order make up the whole phoneme string."""

    text: str
    """The word as it is spoken; empty for spaces and punctuation."""
    phonemes: str


@dataclass(frozen=True, slots=True)
class Heard:
    """When a written word is heard, in samples of its clause's audio."""

    span: Span
    start: float
    end: float


def to_ids(tokens: Sequence[Token], vocabulary: Mapping[str, int]) -> list[int]:
    """The model's ids of the phonemes it knows."""
    return [vocabulary[char] for token in tokens for char in token.phonemes if char in vocabulary]


def timed(
    text: str,
    clause: Span,
    tokens: Sequence[Token],
    vocabulary: Mapping[str, int],
    edges: Sequence[int],
) -> list[Heard]:
    """The written words of a clause with the model's times.

    `edges` [ids + 1] are the samples at which the phoneme ids of `to_ids` begin, and the end.
    """
    spoken: list[tuple[str, float, float]] = []
    first = 0
    for token in tokens:
        last = first + sum(char in vocabulary for char in token.phonemes)
        if key(token.text):
            spoken.append((token.text, edges[first], edges[last]))
        first = last
    written = [Span(clause.start + w.start, clause.start + w.end) for w in words(clause.of(text))]
    heard: list[Heard] = []
    now = float(edges[0])
    for ws, ss in align([span.of(text) for span in written], [word for word, _, _ in spoken]):
        start, end = (spoken[ss[0]][1], spoken[ss[-1]][2]) if ss else (now, now)
        parts = spread(start, end, [_weight(written[w].of(text)) for w in ws])
        heard += [Heard(written[w], *part) for w, part in zip(ws, parts, strict=True)]
        now = end
    return heard


def guessed(text: str, clause: Span, start: float, end: float) -> list[Heard]:
    """The written words of a clause spread over samples `start` to `end` by their length."""
    written = [Span(clause.start + w.start, clause.start + w.end) for w in words(clause.of(text))]
    parts = spread(start, end, [_weight(span.of(text)) for span in written])
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


def _weight(word: str) -> float:
    if len(word) == 1 and ord(word) >= 0x3000:
        return _LETTERS_PER_SYLLABLE
    return float(len(word))
