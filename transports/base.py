"""What the agent asks of any transport: two pipeline ends, the playback clock, and an end.

Implemented by `transports.webrtc.WebRtcPeer` (and, in tests, by a scripted fake).  All methods
are called from the event loop's thread.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pipecat.processors.frame_processor import FrameProcessor


class PlaybackClock(Protocol):
    """What of the agent's speech really went out, counted in samples sent."""

    tap: Callable[[NDArray[np.int16]], None] | None
    """Shown every 20 ms that leave, 48 kHz mono, silence included; for recording."""

    def sent_s(self, utterance: int) -> float:
        """Seconds of this utterance's audio handed to the network so far (0 if unknown)."""

    def heard_s(self, utterance: int) -> float:
        """`sent_s` less the caller's own playout delay, where the transport knows it; >= 0."""

    def stop(self, utterance: int) -> float:
        """Fade out and drop the rest of this utterance; returns the seconds of it heard in all.

        What waits in the caller's playout buffer counts, unless the transport can empty it.
        Idempotent.  Later audio of the utterance is discarded.
        """

    @property
    def level_dbfs(self) -> float:
        """Loudness (RMS) of the agent's frame that left last, as it left; -90 for silence."""

    # The next three concern the utterance that sounds, and change nothing where none does.  The
    # next utterance begins at full level.

    def duck(self, db: float) -> None:
        """Lower the agent's voice by `db`, within a frame; it speaks on.  Idempotent."""

    def hold(self) -> None:
        """Fall silent at the next phone boundary, or where it is quietest, and keep the place.

        What is not said is not heard: the clock stands still.  Idempotent.
        """

    def restore(self) -> None:
        """Speak on from where `hold` came, at full level.  Idempotent."""

    async def wait_for_room(self, utterance: int, produced_s: float) -> None:
        """Return when less than the bound of what was produced of an utterance is still unsent.

        `produced_s` is the producer's own count: audio may still be on its way.  Returns at once
        for an utterance that was stopped.  Cancelling loses nothing.
        """


class CallTransport(Protocol):
    """One caller's line."""

    @property
    def input(self) -> FrameProcessor:
        """Pushes `InputAudioRawFrame` downstream: 16 kHz mono s16le, 20 ms each, without gaps.

        Lost packets are concealed and absent ones replaced by silence, so the number of samples
        pushed is the caller's clock.  Also broadcasts `InputTransportMessageFrame` (parsed JSON).
        """

    @property
    def output(self) -> FrameProcessor:
        """Plays `SpeechAudioFrame`s in order; sends `OutputTransportMessage[Urgent]Frame`s.

        Pushes `PlaybackStartedFrame` and `PlaybackEndedFrame` upstream.
        """

    @property
    def playback(self) -> PlaybackClock:
        """The clock of what was sent; the same object for the whole call."""

    async def wait_closed(self) -> str:
        """Return once the line is down, with the reason ("hung up", "lost", "closed", ...)."""

    async def close(self, reason: str) -> None:
        """Take the line down.  Idempotent."""
