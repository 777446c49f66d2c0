"""Speech to text: what goes in and what comes out, whichever model does it."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a piece of audio; `text` is empty for noise and silence."""

    text: str
    language: str | None
    audio_s: float
    compute_s: float
    """Time in the model, without the wait for it."""
    window: Literal["short", "full"]
    """Which encoder window produced it: see `agent.stt.whisper`."""


class SpeechToText(Protocol):
    """A model shared by all calls of the process."""

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        """Transcribe mono 16 kHz audio [N] in -1..1.

        `final` requests overtake waiting partial ones.  Cancelling drops the request if it has
        not begun, else its result.  Raises `SttFailed` when the model does, and for a partial
        request that would have to wait behind another one its subclass `SttBusy`.
        """


class SttFailed(Exception):
    """The model raised; the message says what."""


class SttBusy(SttFailed):
    """A partial request was refused because the model is behind; a later one may pass."""
