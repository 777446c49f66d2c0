"""Which phones of a clause say which of its written words.

In: a clause as it is written, and its runs as the frontend reads them: spoken words with their
phones.  Out: for each written word its place among the phones.  Knows nothing of times or audio.
Pure, any thread.

Written and spoken words are paired where they are the same; what differs between two pairs ("$5",
"five dollars") is paired as a whole.  So a word's phones are known exactly unless several words in
a row are said differently than they are written, or one spoken word is written as several (漢字 is
one word, and two characters); those share their phones by their length.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tts.text.frontend import Spoken
from tts.text.marks import weight, written_words
from tts.text.spans import Span, align, spread, words
from tts.text.symbols import SILENT


@dataclass(frozen=True, slots=True)
class WordPhones:
    """A written word's place among the phones of its clause."""

    span: Span
    """Its characters."""
    start: float
    """Place of its first phone; between two whole numbers it is inside of a phone."""
    end: float
    """One past its last phone; the start itself for a word that is not said."""
    exact: bool
    """False when the place is shared out by length."""


def word_phones(text: str, clause: Span, spoken: Sequence[Spoken]) -> list[WordPhones]:
    """The written words of a clause of `text`, in order; places count the phones of all runs.

    What the frontend was given may have had marks at its ends that the clause has not.
    """
    written = written_words(text, clause)
    said = list(chain.from_iterable(_said(run) for run in spoken))
    phones = [phone for run in spoken for phone in run.phones]
    edges = [0]
    for _, count in said:
        edges.append(edges[-1] + count)
    tokens = [
        (name[span.start : span.end], index)
        for index, (name, _) in enumerate(said)
        for span in words(name)
    ]
    found: list[WordPhones] = []
    now = 0
    names = _comparable([span.of(text) for span in written], spoken)
    pairs = align(names, [name for name, _ in tokens])
    for of_written, of_tokens in _whole(pairs, tokens):
        start = end = now
        if of_tokens:
            start, end = edges[tokens[of_tokens[0]][1]], edges[tokens[of_tokens[-1]][1] + 1]
            start, end = _voiced(phones, start, end)
        spans = [written[index] for index in of_written]
        parts = spread(start, end, [weight(span.of(text)) for span in spans])
        exact = len(spans) == 1 and end > start
        found += [WordPhones(s, *part, exact) for s, part in zip(spans, parts, strict=True)]
        now = end
    return found


Pair = tuple[range, range]


def _said(run: Spoken) -> Iterable[tuple[str, int]]:
    """The spoken words of a run; all as one where they are not known."""
    return ((run.norm_text, len(run.phones)),) if run.words is None else run.words


def _comparable(written: Sequence[str], spoken: Sequence[Spoken]) -> list[str]:
    """Written words as the readers spell them: Chinese ones simplify characters."""
    if not any(run.language in ("zh", "yue") for run in spoken):
        return list(written)
    from tts.text.zh.normal import simplified

    return [word.translate(simplified()) for word in written]


def _whole(pairs: Iterable[Pair], tokens: Sequence[tuple[str, int]]) -> Iterator[Pair]:
    """The pairs, those joined that share a spoken word."""
    held: Pair | None = None
    for ws, ts in pairs:
        if held and held[1] and ts and tokens[held[1][-1]][1] == tokens[ts[0]][1]:
            held = range(held[0].start, ws.stop), range(held[1].start, ts.stop)
        else:
            if held:
                yield held
            held = ws, ts
    if held:
        yield held


def _voiced(phones: Sequence[str], start: int, end: int) -> tuple[int, int]:
    """Places without the silent phones at both ends; unchanged when all are silent."""
    heard = [place for place in range(start, end) if phones[place] not in SILENT]
    return (heard[0], heard[-1] + 1) if heard else (start, end)
