"""What an engine speaks next of a text that may still be arriving.

In: a `TextFeed` and how long a clause may be.  Out: clauses in order, or a future to wait for when
there is none yet.  On the engine's thread.

A text that is complete is cut at its sentences (`tts.text.split`).  Of one that is still being
written, what is there is cut the same way, but its newest sentence is not waited for: it is spoken
up to its last clause mark.  Since every clause tells whether it is the last, one is given once
something speakable follows it: one phrase is held back, no more.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from tts.text.feed import TextFeed
from tts.text.spans import Span
from tts.text.split import parts, settled, speakable


@dataclass(frozen=True, slots=True)
class Clause:
    """A run of text that is spoken at once."""

    span: Span
    """Its place in the whole text."""
    text: str
    """Its characters; one of them at least is a letter or a digit."""
    begins_sentence: bool
    """Whether it does not go on with the sentence of the clause before it."""
    is_last: bool
    """Whether nothing is said after it."""


def clauses(feed: TextFeed, *, first_chars: int, max_chars: int) -> Iterator[Clause | Future[None]]:
    """The clauses of a text; a future is given while there is nothing to say yet.

    What was given never changes, and nothing of a clause depends on what follows it but `is_last`.
    `first_chars` and `max_chars`: see `tts.text.split.split`.
    """
    start, begins_sentence = 0, True
    while True:
        text, complete, _ = feed.read(start)
        if complete:
            break
        now = settled(
            text, first_chars=first_chars, max_chars=max_chars, begins_sentence=begins_sentence
        )
        for part in now.parts:
            yield _clause(text, start, part.span, part.begins_sentence, is_last=False)
            first_chars = max_chars
        if now.end:
            start, begins_sentence = start + now.end, now.ends_sentence
        else:
            yield from _wait(feed, start + len(text))
    rest = parts(
        text, first_chars=first_chars, max_chars=max_chars, begins_sentence=begins_sentence
    )
    for number, part in enumerate(rest, 1):
        yield _clause(text, start, part.span, part.begins_sentence, is_last=number == len(rest))


def _clause(text: str, start: int, span: Span, begins_sentence: bool, *, is_last: bool) -> Clause:
    """A clause of the text that begins at `start` of the whole."""
    place = Span(start + span.start, start + span.end)
    return Clause(place, span.of(text), begins_sentence, is_last)


def _wait(feed: TextFeed, start: int) -> Iterator[Future[None]]:
    """Wait for something speakable from `start` on, or the end: nothing else makes a new clause."""
    while True:
        text, complete, changed = feed.read(start)
        if complete or speakable(text):
            return
        start += len(text)
        yield changed
