"""A scripted engine whose model work the worker runs: what ran with what, and for whom."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.tts.fake_engine import RATE_HZ, ramp
from tts.engine.types import Kind, Pace, Piece, Step, Work
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest, Voice


@dataclass
class WorkingEngine:
    """Speaks every text as pieces of `piece_samples`: a prefill, then for each piece some tokens
    and a sound.  Tokens of requests whose texts begin with the same letter may run as one."""

    piece_samples: tuple[int, ...] = (100, 100, 100)
    tokens: int = 2
    """Tokens before each piece."""
    gate: threading.Semaphore | None = None
    """Each run of works waits for a permit."""
    fails: Callable[[Kind, Sequence[str]], bool] = lambda kind, texts: False
    """Whether to raise for a run of a kind, for requests with these texts."""
    survives: bool = False
    """Whether a request goes on when its work has failed."""
    seconds: Callable[[Kind], None] = lambda kind: None
    """Called in each run, to let time pass."""
    name: str = "working"
    rests: bool = True
    entered: list[tuple[Kind, tuple[str, ...]]] = field(default_factory=list)
    """Every run of works that was begun, perhaps to wait at the gate: kind and texts."""
    resumed: list[str] = field(default_factory=list)
    """The text of every request that was asked on after a work."""
    dropped: list[str] = field(default_factory=list)
    """Texts whose iterators were closed before their end."""
    paces: dict[str, Pace] = field(default_factory=dict)
    closed: bool = False
    _together: dict[str, object] = field(default_factory=dict)
    _names: dict[Work, str] = field(default_factory=dict)

    @property
    def voices(self) -> tuple[Voice, ...]:
        return (Voice("ann", ("en", "zh"), RATE_HZ, self.name, "", ("calm", "happy")),)

    def gain_db(self, voice_id: str) -> float:
        return 0.0

    def ready(self) -> tuple[str, str] | None:
        return "ann", "en"

    def close(self) -> None:
        self.closed = True

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        name, start, is_last = request.text, 0, False
        self.paces[name] = pace
        try:
            yield from self._works(name, [Kind.PREFILL])
            for number, samples in enumerate(self.piece_samples, 1):
                yield from self._works(name, [Kind.TOKEN] * self.tokens + [Kind.SOUND])
                is_last = number == len(self.piece_samples)
                yield Piece(ramp(start, start + samples), (), is_last)
                start += samples
        except GeneratorExit:
            if not is_last:
                self.dropped.append(name)
            raise

    def _works(self, name: str, kinds: Sequence[Kind]) -> Iterator[Work]:
        for kind in kinds:
            # Prefills and sounds run alone.
            together = self._together.setdefault(name[0], object())
            work = Work(kind, 1, self._run, together if kind is Kind.TOKEN else object())
            self._names[work] = name
            try:
                yield work
            except RuntimeError:
                if not self.survives:
                    raise
            self.resumed.append(name)

    def _run(self, works: Sequence[Work]) -> None:
        names = tuple(self._names[work] for work in works)
        kind = works[0].kind
        self.entered.append((kind, names))
        if self.gate is not None:
            self.gate.acquire()
        self.seconds(kind)
        if self.fails(kind, names):
            raise RuntimeError("scripted")
