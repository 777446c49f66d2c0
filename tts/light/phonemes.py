"""From spoken words and the model's time for each phoneme to the times of written words.

In: tokens (what is said, and its phonemes) and the sample at which each phoneme ends.  Out:
when every written word is heard.  Pure; any thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tts.text.marks import Heard, weight, written_words
from tts.text.spans import Span, align, key, spread


@dataclass(frozen=True, slots=True)
class Token:
    """Something that is said; tokens in order make up the whole phoneme string."""

    text: str
    """The word as it is spoken; empty for spaces and punctuation."""
    phonemes: str


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
    written = written_words(text, clause)
    heard: list[Heard] = []
    now = float(edges[0])
    for ws, ss in align([span.of(text) for span in written], [word for word, _, _ in spoken]):
        start, end = (spoken[ss[0]][1], spoken[ss[-1]][2]) if ss else (now, now)
        parts = spread(start, end, [weight(written[w].of(text)) for w in ws])
        heard += [Heard(written[w], *part) for w, part in zip(ws, parts, strict=True)]
        now = end
    return heard
