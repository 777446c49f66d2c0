"""What the service asks of any voice engine: a request in, pieces of float audio with marks out.

An engine is built, stepped and closed on one thread only, its `tts.engine.worker.EngineWorker`'s.
It knows nothing of limits, wires, chunk sizes or loudness.  Without torch.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tts.text.feed import TextFeed
from tts.types import Mark, SynthesisRequest, Voice


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a request's audio, following the piece before it without a gap."""

    samples: NDArray[np.float32]
    """Mono [N], about -1..1, at the voice's sample rate; silence already trimmed."""
    marks: tuple[Mark, ...]
    """Marks of this piece, in order of time, relative to the request's first sample."""
    is_last: bool
    """Whether this piece ends the request; exactly one piece does."""


class Kind(StrEnum):
    """What a piece of model work is for."""

    PREFILL = "prefill"
    """Reading an utterance's input, up to its first token."""
    TOKEN = "token"
    """One more token of an utterance."""
    SOUND = "sound"
    """Making samples of tokens."""


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Model work that a request waits for; the worker chooses when, and what runs with it."""

    kind: Kind
    size: int
    """What its cost grows with: places to read for a prefill, 1 for a token, frames of sound."""
    run: "Callable[[Sequence[Work]], None]"
    """Does these works, itself among them, as one.  What it finds out, the works' owners know."""
    together: object
    """Works with this same object may run as one."""


Step = Piece | Work | Future[Any] | None
"""What an engine gives between two pieces of work on a request: a piece of its audio; work, after
which it is asked again; None, when others may have a turn; a future, when there is nothing to do
until it is done.  How the future ends is the engine's to see: the worker only waits for it."""


class Pace(Protocol):
    """What an engine may know of time, for one request."""

    def ahead_s(self) -> float | None:
        """Seconds for which the audio that has left lasts yet, if playing began with the first
        piece and anew with every piece that came too late; less what others' turns may take before
        this request has its own, and what its work may take longer than usual.  Below 0 when more
        is overdue; infinite where nobody listens meanwhile.  None before the first piece."""

    def cost_s(self, kind: Kind, size: int) -> float:
        """How long such work takes by what was measured, others' turns in between not counted."""


class NoHurry:
    """A pace at which nothing is ever played; see `Pace`."""

    def ahead_s(self) -> float | None:
        """Nothing has been played."""
        return None

    def cost_s(self, kind: Kind, size: int) -> float:
        """Nobody asks what it costs."""
        return 0.0


class Engine(Protocol):
    """A loaded synthesiser and its voices."""

    @property
    def name(self) -> str:
        """Short name for logs and voice lists."""

    @property
    def rests(self) -> bool:
        """Whether a request rests while its audio lasts, so that what its caller interrupts was not
        made for nothing: not worth it where making it costs next to nothing."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices it speaks in; fixed after loading, unless it is `Refreshable`."""

    def gain_db(self, voice_id: str) -> float:
        """Gain that brings this voice to the service's common loudness."""

    def ready(self) -> tuple[str, str] | None:
        """A voice and one of its languages that it can speak at once, with nothing to load first;
        None while there is none.  Asked from any thread."""

    def speak(self, request: SynthesisRequest, text: TextFeed, pace: Pace) -> Iterator[Step]:
        """Yield the request's audio piece by piece; the work happens between the steps.

        Called when the request is accepted, on any thread, and does nothing yet but remember what
        it is spoken with; the steps are taken on the engine's thread.
        The request names one of `voices` and one of its languages; what is to be said comes
        through `text`.  Raises a `TtsError`, such as `EngineFailed` when nothing of the text can be
        spoken.  Closing the iterator drops the rest of the work.
        """

    def close(self) -> None:
        """Let go of the model.  Idempotent."""


class NoVoices(Exception):
    """Raised where an engine is built that has no voice yet: it can be built once it has one."""


@runtime_checkable
class Refreshable(Protocol):
    """What an engine has besides when its voices come and go while it runs."""

    def read_voices(self) -> Callable[[], None]:
        """Read its voices anew, on any thread, as long as that takes; what is returned makes them
        its voices, at once, on the loop's thread.

        Requests accepted before speak in the voices as they were.
        """
