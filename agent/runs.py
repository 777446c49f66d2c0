"""What a reply says, in runs: each is spoken by one synthesis request.

In: speakable text in passages: an answer up to a tool call, a filler, a phrase.  Out: `Run`s in
order, by one of two rules.  A light voice renders whole clauses, so `ClauseRuns` gives it one
piece at a time, short ones first.  A cloned voice carries its melody over what it is given, so
`PassageRuns` gives it a passage while that is being written.  Knows nothing of voices or audio.
Runs on the event loop's thread.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Protocol

from agent.chunking import ClauseChunker
from agent.unrepeated import Unrepeated

RUN_CHARS = 1500
"""A run ends at the first sentence end from here on: a request has at most 2000 characters."""
MOST_RUN_CHARS = 1900
"""A run without such an end is cut here, between two words if it has any."""

_CLOSING = "[\"'”’」』）)\\]]*+"
# Known once the next character is: what closes a quotation belongs to its sentence.
_SENTENCE_END = re.compile(rf"[.!?…]++{_CLOSING}(?=\s)|[。！？]++{_CLOSING}(?=.)|\S(?=\n)", re.S)


class Run:
    """Text that one request speaks: complete, or still being written.  It has one reader."""

    def __init__(
        self, text: str, *, lead: str = "", complete: bool = False, canned: bool = False
    ) -> None:
        """`lead` is what the language puts between the run before and this one.  `canned`: a
        phrase of `agent.phrases`, not the model's words."""
        self.text = text
        self.lead = lead
        self.complete = complete
        self.canned = canned
        self._changed = asyncio.Event()

    def append(self, text: str) -> None:
        """More of it."""
        self.text += text
        self._changed.set()

    def end(self) -> None:
        """It is complete.  Idempotent."""
        self.complete = True
        self._changed.set()

    async def texts(self, start: int) -> AsyncGenerator[str]:
        """The text from `start` on, as it is written."""
        while True:
            if start < len(self.text):
                text, start = self.text[start:], len(self.text)
                yield text
            elif self.complete:
                return
            else:
                await self._change()

    async def goes_on(self, start: int) -> bool:
        """Whether there is anything to say from `start` on; waits until that is known."""
        while not has_words(self.text[start:]):
            if self.complete:
                return False
            await self._change()
        return True

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


class Runs(Protocol):
    """A rule by which a reply's text becomes runs."""

    def write(self, text: str) -> list[Run]:
        """More of the passage; returns the runs that begin with it."""

    def end_passage(self) -> list[Run]:
        """The passage is over and all its runs are complete; returns those that begin now."""


class ClauseRuns:
    """Every piece of `ClauseChunker` is a run."""

    def __init__(self, language: str, *, lead: str) -> None:
        self._chunker = ClauseChunker(language)
        self._lead = lead

    def write(self, text: str) -> list[Run]:
        """The pieces that `text` completes."""
        return self._runs([piece.text for piece in self._chunker.feed(text)])

    def end_passage(self) -> list[Run]:
        """The last piece."""
        return self._runs([piece.text for piece in self._chunker.flush()])

    def _runs(self, texts: list[str]) -> list[Run]:
        return [Run(text, lead=self._lead, complete=True) for text in texts if text]


class UnrepeatedRuns:
    """Runs after an opener: the first passage is written without what the opener said."""

    def __init__(self, runs: Runs, answer: Unrepeated) -> None:
        self._runs = runs
        self._answer = answer

    def write(self, text: str) -> list[Run]:
        """The runs that begin with what `text` adds."""
        return self._runs.write(self._answer.feed(text))

    def end_passage(self) -> list[Run]:
        """What was held back is written, and the passage ends."""
        return [*self._runs.write(self._answer.flush()), *self._runs.end_passage()]


class PassageRuns:
    """A passage is a run, or several if it is very long.  The runs, joined, are the passage."""

    def __init__(self, *, lead: str) -> None:
        self._lead = lead
        self._passage_goes_on = False
        self._run: Run | None = None

    def write(self, text: str) -> list[Run]:
        """Extend the run; returns those that begin."""
        begun: list[Run] = []
        while text:
            if self._run is None:
                self._run = Run("", lead="" if self._passage_goes_on else self._lead)
                self._passage_goes_on = True
                begun.append(self._run)
            run = self._run
            end = _run_end(run.text + text)
            room = len(text) if end is None else end - len(run.text)
            run.append(text[:room])
            text = text[room:]
            if end is not None:
                run.end()
                self._run = None
        return begun

    def end_passage(self) -> list[Run]:
        """End the run."""
        if self._run:
            self._run.end()
        self._run, self._passage_goes_on = None, False
        return []


def has_words(text: str) -> bool:
    """Whether there is anything to say in a text."""
    return word_chars(text) > 0


def word_chars(text: str) -> int:
    """Letters and digits of a text: what is spoken of it."""
    return sum(map(str.isalnum, text))


def sentence_end(text: str, start: int) -> int | None:
    """Where the first sentence that ends after `start` does, before the space that follows.

    A title's full stop counts too: nothing is lost when a text is parted there.
    """
    found = _SENTENCE_END.search(text, start)
    return found.end() if found else None


def _run_end(text: str) -> int | None:
    """Where a run must end; None while it may go on."""
    end = sentence_end(text, RUN_CHARS)
    if end is not None and end <= MOST_RUN_CHARS:
        return end
    if len(text) <= MOST_RUN_CHARS:
        return None
    space = text.rfind(" ", RUN_CHARS, MOST_RUN_CHARS)
    return space if space > 0 else MOST_RUN_CHARS
