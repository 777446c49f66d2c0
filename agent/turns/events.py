"""What the ear observes and what follows from it: the words between `TurnTaker` and its shell.

Pure data.  Times are on the ear's clock: seconds of caller audio received so far.

A turn is one or more stretches of speech with pauses in between.  Each pause gets a number; a
transcript or score that comes back for an older pause is stale, because the caller went on.
"""

from dataclasses import dataclass
from typing import Literal

from agent.turns.reading import Reading

EPSILON_S = 1e-6
"""Less than a sample: keeps sums of frame lengths from missing a bound by rounding."""
SILENT_DBFS = -90.0
"""Level of a frame without sound."""


Reason = Literal[
    "backchannel",
    "echo",
    "goes on",
    "no words",
    "no words in time",
    "not the caller",
    "objects",
    "quiet voice",
    "said more",
    "short sound",
    "speaks on",
    "talk key",
    "talked over the agent",
    "too short for words",
    "voice",
    "words",
]
"""Why something was decided.  web/strings.js has words for each."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Voice began at `at_s`, as the detector now believes."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Voice ended at `at_s`, as the detector now believes."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A frame of 20 ms arrived."""

    last_voice_s: float
    """When voice was last heard."""
    run_s: float = 0.0
    """How long what sounds like voice has lasted without a break; it may not be believed yet."""
    level_dbfs: float = SILENT_DBFS
    """Loudness (RMS) of the caller's frame."""
    agent_dbfs: float = SILENT_DBFS
    """Loudness of the frame of the agent that left last; `SILENT_DBFS` when it says nothing."""


@dataclass(frozen=True, slots=True)
class TranscriptReady:
    """The words of the turn up to pause `pause`; empty text means that nothing was said."""

    pause: int
    text: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class WordsHeard:
    """A partial transcript of the turn, made while the caller speaks."""

    text: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class TurnScored:
    """Probability that the turn is complete at pause `pause`, from its sound; None if the model
    failed."""

    pause: int
    probability: float | None
    silence_s: float = 0.0
    """Silence at the end of the audio that was judged."""


@dataclass(frozen=True, slots=True)
class PrefixReady:
    """The words of the part of a long turn that was cut off ahead of its end."""

    text: str


@dataclass(frozen=True, slots=True)
class AgentBusy:
    """The agent has a reply under way (thinking or speaking), or no longer has."""

    busy: bool


@dataclass(frozen=True, slots=True)
class TalkKey:
    """A caller with push-to-talk pressed the key, or let it go."""

    pressed: bool


@dataclass(frozen=True, slots=True)
class MaySpeculate:
    """Whether there is room to begin answers that may not be needed."""

    allowed: bool


Event = (
    SpeechStarted
    | SpeechStopped
    | Heartbeat
    | TranscriptReady
    | WordsHeard
    | TurnScored
    | PrefixReady
    | AgentBusy
    | TalkKey
    | MaySpeculate
)


@dataclass(frozen=True, slots=True)
class BeginTurn:
    """The caller has the floor; their audio counts from `from_s`."""

    from_s: float


@dataclass(frozen=True, slots=True)
class TranscribePartial:
    """Transcribe what was said so far."""


@dataclass(frozen=True, slots=True)
class Judge:
    """The caller paused: transcribe the turn up to here and score its completeness."""

    pause: int


@dataclass(frozen=True, slots=True)
class Rescore:
    """The pause goes on: score the turn's sound again, with the silence so far."""

    pause: int


@dataclass(frozen=True, slots=True)
class CutPrefix:
    """The turn is long: transcribe what there is in one piece and go on from here."""


@dataclass(frozen=True, slots=True)
class Duck:
    """There is sound on the caller's side: the agent lowers its voice and speaks on."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It may be an interruption: the agent falls silent at the next phone boundary and keeps its
    place."""


@dataclass(frozen=True, slots=True)
class Restore:
    """It was none: the agent speaks on, at full level, from where it is."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The caller means to interrupt; the agent yields."""

    speech_s: float
    """Voice that led to the decision."""
    reason: Reason


@dataclass(frozen=True, slots=True)
class Speculate:
    """The turn may be over: think of the answer to `text`, and let nobody hear it yet."""

    draft: int
    text: str


@dataclass(frozen=True, slots=True)
class Discard:
    """The draft will not be needed."""

    draft: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Weighed:
    """It was weighed anew whether the turn is over.  Nothing is to be done: this is the inputs of
    what is decided, for the call's log and the timeline."""

    pause: int
    silence_s: float
    probability: float
    """That the turn is over, all in all."""
    needed_s: float
    """Silence after which the turn ends, if nothing changes."""
    sound: float | None = None
    """That it is over, from its sound."""
    words: float | None = None
    """The same from its words."""
    habit: float | None = None
    """The same from how long this caller's pauses were before."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The caller has finished; the agent answers."""

    text: str
    stopped_s: float
    """Ear time of the end of speech."""
    probability: float | None
    """How sure it was that the turn was complete, when it ended."""
    waited_for_words_s: float = 0.0
    """Part of the silence during which only the transcript was missing."""
    draft: int | None = None
    """The draft that answers this text."""


@dataclass(frozen=True, slots=True)
class DropTurn:
    """What sounded like a turn was none."""

    reason: Reason
    interrupted: bool
    """Whether the agent had been interrupted for it."""


@dataclass(frozen=True, slots=True)
class Murmur:
    """Say "mm-hm": the caller goes on, and is to know that they are listened to."""


Action = (
    BeginTurn
    | TranscribePartial
    | Judge
    | Rescore
    | CutPrefix
    | Duck
    | Hold
    | Restore
    | Interrupt
    | Speculate
    | Discard
    | Weighed
    | EndTurn
    | DropTurn
    | Murmur
)
