"""What an engine speaks next of a text that may still be arriving.

In: a `TextFeed` and how long a clause may be.  Out: clauses in order, or a future to wait for when
there is none yet.  On the engine's thread.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from tts.text.feed import TextFeed
from tts.text.spans import Span
from tts.text.split import split


@dataclass(frozen=True, slots=True)
class Clause:
    """A run of text that is spoken at once."""

    span: Span
    """Its place in the whole text."""
    text: str
    """Its characters."""
    begins_sentence: bool
    """Whether it does not go on with the sentence of the clause before it."""
    is_last: bool
    """Whether the text ends with it."""


def clauses(feed: TextFeed, *, first_chars: int, max_chars: int) -> Iterator[Clause | Future[None]]:
    """The clauses of a text; a future is given while there is nothing to say yet.

    `first_chars` and `max_chars`: see `tts.text.split.split`.
    """
    while True:
        text, complete, changed = feed.read()
        if complete:
            break
        yield changed
    spans = split(text, first_chars=first_chars, max_chars=max_chars)
    for number, span in enumerate(spans):
        yield Clause(span, span.of(text), True, number == len(spans) - 1)
