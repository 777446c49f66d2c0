"""The frames of ours that cross between the agent and a transport, beside pipecat's own.

Down: `SpeechAudioFrame`, `SpeechEndFrame`.  Up: `PlaybackStartedFrame`, `PlaybackEndedFrame`.
An utterance is one reply of the agent; its number grows through the call and is never reused.
"""

from dataclasses import dataclass

from pipecat.frames.frames import ControlFrame, SystemFrame, TTSAudioRawFrame


@dataclass
class SpeechAudioFrame(TTSAudioRawFrame):
    """A run of the agent's speech: mono s16le PCM at `sample_rate`, of one utterance.

    Audio of an utterance that was stopped is discarded by the transport.
    """

    utterance: int = -1
    phone_ends_s: tuple[float, ...] = ()
    """Where phones end, in seconds of the whole utterance, as far as it became known with this
    run: there the voice breaks off best."""


@dataclass
class SpeechEndFrame(ControlFrame):
    """No more audio follows for this utterance."""

    utterance: int = -1


@dataclass
class PlaybackStartedFrame(SystemFrame):
    """The first sample of an utterance left for the caller."""

    utterance: int = -1


@dataclass
class PlaybackEndedFrame(SystemFrame):
    """An utterance is over: all of it was sent, or it was stopped."""

    utterance: int = -1
    sent_s: float = 0.0
    """Seconds of the utterance's audio that were sent."""
    stopped: bool = False
