"""How a light voice speaks: text -> clauses -> phonemes -> model -> trim -> marks.

In: a request and its text.  Out: for each clause the model's work, then a `Piece`.  Knows no model
and no language: those are the two callables it is given.  On the engine's thread.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.audio.trim import trim
from tts.engine.types import Kind, Piece, Step, Work
from tts.errors import CannotSpeak
from tts.light.phonemes import Token, timed, to_ids
from tts.text.clauses import clauses
from tts.text.feed import TextFeed
from tts.text.marks import guessed, to_marks
from tts.text.split import pause_s
from tts.types import SynthesisRequest


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a model made of phoneme ids."""

    samples: NDArray[np.float32]
    edges: Sequence[int] | None
    """[ids + 1] samples at which each id begins, and the end; None when the model hides them."""


Phonemise = Callable[[str], list[Token]]
Render = Callable[[list[int]], Rendered]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text the model is given at once."""

    first_chars: int
    """The first clause is cut to about this where a clause mark allows, to be heard early."""
    max_chars: int
    max_ids: int


def speak(
    request: SynthesisRequest,
    feed: TextFeed,
    *,
    phonemise: Phonemise,
    render: Render,
    vocabulary: Mapping[str, int],
    sample_rate_hz: int,
    limits: Limits,
    exact_words: bool = True,
) -> Iterator[Step]:
    """Yield the request's clauses.  Raises `CannotSpeak` when none of it can be spoken.

    `exact_words` tells whether `phonemise` knows which phonemes are which word's.

    A clause without a sound (only signs the model does not know) still yields its words' marks,
    with no length.
    """
    offset = 0
    for clause in clauses(feed, first_chars=limits.first_chars, max_chars=limits.max_chars):
        if isinstance(clause, Future):
            yield clause
            continue
        tokens = phonemise(clause.text)
        ids = to_ids(tokens, vocabulary)
        rendered = yield from _rendered(ids, render, limits.max_ids)
        samples, cut, voiced_end = trim(
            rendered.samples,
            sample_rate_hz,
            pause_s=pause_s(clause.text, speed=request.speed),
        )
        if rendered.edges is not None:
            heard = timed(feed.text, clause.span, tokens, vocabulary, rendered.edges)
        else:
            heard = guessed(feed.text, clause.span, cut, cut + voiced_end)
        marks = to_marks(
            heard,
            cut=cut,
            voiced_end=voiced_end,
            offset=offset,
            sample_rate_hz=sample_rate_hz,
            estimated=rendered.edges is None or not exact_words,
        )
        offset += len(samples)
        if clause.is_last and offset == 0:
            break
        yield Piece(samples=samples, marks=marks, is_last=clause.is_last)
    if offset == 0:
        raise CannotSpeak(
            f"voice {request.voice!r} can pronounce nothing of the text in {request.language!r}"
        )


def _rendered(ids: list[int], render: Render, max_ids: int) -> Generator[Step, None, Rendered]:
    """What the model makes of ids, when it is this request's turn.

    The model takes one clause at a time, so no other request's work may run with this.
    """
    found: list[Rendered] = []

    def run(_: Sequence[Work]) -> None:
        found.append(_render_all(ids, render, max_ids))

    yield Work(Kind.SOUND, len(ids), run, together=found)
    return found[0]


def _render_all(ids: list[int], render: Render, max_ids: int) -> Rendered:
    """Render ids in runs of at most `max_ids`, as one audio."""
    samples: list[NDArray[np.float32]] = []
    edges: list[int] | None = []
    length = 0
    for first in range(0, len(ids), max_ids):
        part = render(ids[first : first + max_ids])
        if edges is not None and part.edges is not None:
            edges += [length + edge for edge in part.edges[:-1]]
            last = length + part.edges[-1]
        else:
            edges = None
        samples.append(part.samples)
        length += len(part.samples)
    if not samples:
        return Rendered(np.zeros(0, np.float32), [0])
    if edges is not None:
        edges.append(last)
    return Rendered(np.concatenate(samples), edges)


def phoneme_edges(units: NDArray[np.int64], unit_samples: int) -> list[int]:
    """Edges [ids + 1] from the model's durations [1 + ids + 1], which frame the ids with pads."""
    return [int(edge) * unit_samples for edge in np.cumsum(units)[:-1]]
