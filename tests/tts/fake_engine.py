"""A scripted engine: known samples, pieces of known length, steps that wait for the test."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tts.engine.types import Pace, Piece, Step
from tts.errors import EngineFailed
from tts.text.feed import TextFeed
from tts.text.spans import words
from tts.types import Mark, SynthesisRequest, Voice

RATE_HZ = 1000
VOICES = (
    Voice("ann", ("en", "zh"), RATE_HZ, "fake", "a test voice", ("calm", "happy")),
    Voice("bob", ("en",), RATE_HZ, "fake"),
)


def ramp(start: int, end: int) -> NDArray[np.float32]:
    """Samples `start` to `end` of an endless signal in which each sample tells its index."""
    return (np.arange(start, end) % 10_000).astype(np.float32) / np.float32(32_767)


def ramp_pcm(samples: int) -> bytes:
    return (np.arange(samples) % 10_000).astype("<i2").tobytes()


@dataclass
class FakeEngine:
    """Speaks every text as pieces of `piece_samples` each; see the fields for what it can do."""

    piece_samples: tuple[int, ...] = (500, 300, 200)
    fails_at: int | None = None
    """Number of the piece before which it raises."""
    error: Exception = field(default_factory=lambda: EngineFailed("scripted"))
    before: Mapping[str, Sequence[Future[None] | None]] = field(default_factory=dict)
    """What is given before the first piece of a text; a future's exception is raised."""
    gate: threading.Semaphore | None = None
    """Each step waits for a permit."""
    entered: list[tuple[str, int]] = field(default_factory=list)
    """(text, piece) of every step that was begun, perhaps to wait at the gate."""
    steps: list[tuple[str, int]] = field(default_factory=list)
    """(text, piece) of every step that was done; -1, -2, ... for those before the first piece."""
    emotions: list[str] = field(default_factory=list)
    """Emotions of the requests, in order."""
    asked: list[SynthesisRequest] = field(default_factory=list)
    """The requests, in order."""
    dropped: list[str] = field(default_factory=list)
    """Texts whose iterators were closed before their end."""
    threads: set[str] = field(default_factory=set)
    closed: bool = False
    cold: bool = False
    """Whether no voice is ready."""
    name: str = "fake"
    rests: bool = True
    voices: tuple[Voice, ...] = VOICES

    def forget(self) -> None:
        """Leave out of the account what was spoken so far."""
        self.steps.clear()
        self.asked.clear()

    def ready(self) -> tuple[str, str] | None:
        if self.cold or not self.voices:
            return None
        return self.voices[0].id, self.voices[0].languages[0]

    def gain_db(self, voice_id: str) -> float:
        return 0.0

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        is_last = False
        self.emotions.append(request.emotion)
        self.asked.append(request)
        try:
            for number, item in enumerate(self.before.get(request.text, ()), 1):
                self.steps.append((request.text, -number))
                yield item
                if item is not None:
                    item.result(timeout=0)
            for piece in self._pieces(request):
                is_last = piece.is_last
                yield piece
        except GeneratorExit:
            if not is_last:
                self.dropped.append(request.text)
            raise

    def close(self) -> None:
        self.closed = True

    def _pieces(self, request: SynthesisRequest) -> Iterator[Piece]:
        spans = words(request.text)
        total_s = sum(self.piece_samples) / RATE_HZ
        marks = [
            Mark(s.start, s.end, total_s * i / len(spans), total_s * (i + 1) / len(spans))
            for i, s in enumerate(spans)
        ]
        start = 0
        for number, samples in enumerate(self.piece_samples):
            self.entered.append((request.text, number))
            if self.gate is not None:
                self.gate.acquire()
            if number == self.fails_at:
                raise self.error
            self.threads.add(threading.current_thread().name)
            self.steps.append((request.text, number))
            end = start + samples
            is_last = number == len(self.piece_samples) - 1
            here = tuple(
                m
                for m in marks
                if start <= m.start_s * RATE_HZ and (is_last or m.start_s * RATE_HZ < end)
            )
            yield Piece(ramp(start, end), here, is_last)
            start = end


def builders(*engines: FakeEngine) -> dict[str, Callable[[], FakeEngine]]:
    return {engine.name: (lambda engine=engine: engine) for engine in engines}
