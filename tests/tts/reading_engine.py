"""A scripted engine that speaks a text while it comes: known samples for each word."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from tests.tts.fake_engine import RATE_HZ, FakeEngine, ramp
from tts.engine.types import Pace, Piece, Step
from tts.text.clauses import clauses
from tts.text.feed import TextFeed
from tts.text.marks import written_words
from tts.types import Mark, SynthesisRequest

WORD_SAMPLES = 100


@dataclass
class ReadingEngine(FakeEngine):
    """A piece for each clause; see `FakeEngine` for the gate and the failures."""

    said: list[str] = field(default_factory=list)
    """Clauses, in order."""

    def forget(self) -> None:
        super().forget()
        self.said.clear()

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        is_last = False
        words = 0
        try:
            for clause in clauses(text, first_chars=60, max_chars=200):
                if isinstance(clause, Future):
                    yield clause
                    continue
                if self.gate is not None:
                    self.gate.acquire()
                if len(self.said) == self.fails_at:
                    raise self.error
                self.said.append(clause.text)
                marks = [
                    Mark(span.start, span.end, *(at * WORD_SAMPLES / RATE_HZ for at in (i, i + 1)))
                    for i, span in enumerate(written_words(text.text, clause.span), words)
                ]
                start, words = words, words + len(marks)
                is_last = clause.is_last
                samples = ramp(start * WORD_SAMPLES, words * WORD_SAMPLES)
                yield Piece(samples, tuple(marks), is_last)
        except GeneratorExit:
            if not is_last:
                self.dropped.append(text.text)
            raise
