"""What becomes of the sound of a request: silence measured, words timed, pieces for the service.

In: the clauses of one utterance after another, and their sound while it is made.  Out: `Piece`s.
Knows no model and no frontend.  On the engine's thread.
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tts.audio.live_trim import LiveTrim
from tts.engine.alignment import Aligner, PhoneSpan
from tts.engine.types import Piece, Work
from tts.engine.utterance import Sound
from tts.text.phone_marks import PhoneMarks
from tts.text.phone_words import WordPhones
from tts.types import Mark

R = TypeVar("R")


@dataclass(slots=True)
class Script:
    """A clause on its way to being heard."""

    phones: Sequence[str]
    words: Sequence[WordPhones]
    pause_s: float
    """Silence after its voice."""
    is_last: bool
    """Whether the text ends with it."""
    end_sample: int | None = None
    """One past its last sample in its utterance; None while its tokens are drawn."""
    end_row: int | None = None
    """One past its last row of attention in its utterance; None like `end_sample`."""


class Placing:
    """Where the phones of one utterance are among its rows of attention."""

    def __init__(self) -> None:
        self._aligner = Aligner()
        self._scripts: list[Script] = []
        self._phones = 0  # of the clauses whose rows have begun
        self._rows = 0

    def expect(self, script: Script) -> None:
        """The next clause."""
        self._scripts.append(script)

    def feed(self, attention: NDArray[np.float32]) -> list[PhoneSpan]:
        """More rows [F, T], T phones of the utterance so far -> the phones placed by now."""
        spans: list[PhoneSpan] = []
        while len(attention):
            script = self._scripts[0]
            room = len(attention) if script.end_row is None else script.end_row - self._rows
            ends = script.end_row is not None and room <= len(attention)
            rows, attention = attention[:room], attention[room:]
            phones = self._phones + len(script.phones)
            spans += self._aligner.feed(rows, phones=phones, is_last=ends)
            self._rows += len(rows)
            if ends:
                self._phones = phones
                self._scripts.pop(0)
        return spans


class Delivery:
    """The state of one request."""

    def __init__(
        self,
        *,
        sample_rate_hz: int,
        row_samples: float,
        gain_db: float,
        wanted: Collection[str] = (),
    ) -> None:
        """`row_samples`: how long a row of attention, a content frame, sounds; `wanted`: kinds of
        marks besides words."""
        self._row_samples = row_samples
        self._trim = LiveTrim(sample_rate_hz, gain_db=gain_db)
        self._marks = PhoneMarks(wanted, sample_rate_hz=sample_rate_hz)
        self._came = 0  # samples of all utterances
        self._first = 0  # of the utterance's
        self._scripts: list[Script] = []  # those whose samples have not all come
        self._placing = Placing()
        self._spans: list[PhoneSpan] = []  # of the utterance, in samples that are not settled
        self._unsent: tuple[Mark, ...] = ()

    @property
    def gave(self) -> int:
        """Samples that pieces were made of."""
        return self._trim.gave

    def begin(self) -> None:
        """A new utterance; the one before has been delivered."""
        self._first = self._came
        self._placing = Placing()

    def expect(self, script: Script) -> None:
        """The utterance's next clause is about to be spoken."""
        self._scripts.append(script)
        self._placing.expect(script)
        self._marks.extend(script.phones, script.words)

    def of(self, steps: Generator[Work | Sound, None, R]) -> Generator[Work | Piece, None, R]:
        """The same steps, with pieces in place of sound."""
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as stop:
                    result: R = stop.value
                    return result
                if isinstance(step, Work):
                    yield step
                elif (piece := self._piece(step)) is not None:
                    yield piece
        finally:
            steps.close()

    def _piece(self, sound: Sound) -> Piece | None:
        samples, is_last = self._trimmed(sound.samples)
        self._spans += self._placing.feed(sound.attention)
        self._unsent += self._marks.feed(map(self._heard, self._settled()))
        if is_last:
            self._unsent += self._marks.end(self.gave)
        if self.gave == 0 or not (len(samples) or self._unsent or is_last):
            return None
        marks, self._unsent = self._unsent, ()
        return Piece(samples, marks, is_last)

    def _settled(self) -> list[PhoneSpan]:
        """The spans whose samples have all been given or cut, each once."""
        count = 0
        while count < len(self._spans):
            if self._place(self._spans[count].end_frame) > self._trim.settled:
                break
            count += 1
        settled, self._spans = self._spans[:count], self._spans[count:]
        return settled

    def _trimmed(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], bool]:
        """What is left of samples, and whether the text ends with them."""
        given = [np.zeros(0, np.float32)]
        is_last = False
        while len(samples):
            script = self._scripts[0]
            end = script.end_sample
            room = len(samples) if end is None else self._first + end - self._came
            ends = end is not None and room <= len(samples)
            given.append(self._trim.feed(samples[:room]))
            self._came += len(samples[:room])
            samples = samples[room:]
            if ends:
                given.append(self._trim.end(script.pause_s))
                is_last = script.is_last
                self._scripts.pop(0)
        return np.concatenate(given), is_last

    def _heard(self, span: PhoneSpan) -> tuple[int, int]:
        """The samples of the request in which a phone is heard."""
        start, end = map(self._place, (span.start_frame, span.end_frame))
        return self._trim.placed(start), self._trim.placed(end)

    def _place(self, frame: int) -> int:
        """The place of a row's first sample among those of all utterances."""
        return self._first + round(frame * self._row_samples)
