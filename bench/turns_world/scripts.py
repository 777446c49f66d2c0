"""What a scripted call consists of: what is said and when, where callers hold, what else sounds.

Pure data; `bench.turns_world.callers` writes scripts.

Times of words and pauses are seconds from the utterance's first sound.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]
Half = Literal["calibrate", "held_out"]
HoldKind = Literal[
    "mid-phrase", "filled", "conjunction", "clause", "slot", "false start", "asks for time"
]
TurnKind = Literal[
    "statement", "question", "command", "short answer", "slot", "trailing off", "interruption"
]
SoundKind = Literal["interruption", "backchannel", "cough", "laughter", "tic", "side talk", "tv"]


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, as it is written in a sentence, without punctuation."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Silence of at least 0.1 s inside a turn: the caller will go on."""

    after: int
    """Index of the word before it."""
    start_s: float
    end_s: float
    kind: HoldKind
    looks_complete: bool
    """A listener who reads the words so far may well take them for a whole turn."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a caller says in one go, with holds; between other words there is no silence."""

    id: str
    """Unique among all scripts; randomness that belongs to it is drawn from it."""
    language: Language
    kind: TurnKind
    words: tuple[Word, ...]
    holds: tuple[Hold, ...] = ()
    looks_complete: bool = True
    """Whether its true end looks like one; people trail off."""

    @property
    def duration_s(self) -> float:
        """End of the last word: the true end of the turn."""
        return self.words[-1].end_s

    @property
    def text(self) -> str:
        """The words as a line."""
        return join((word.text for word in self.words), self.language)


@dataclass(frozen=True, slots=True)
class Cue:
    """When a sound begins."""

    of: Literal["turn start", "turn end", "agent onset", "reply share", "reply end"]
    """What `value` counts from: the first or last sound of the caller's turn, the first sound of
    the agent's answer to it, or its last; "reply share" is a share of that answer's length."""
    value: float
    """Seconds; for "reply share" between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something heard on the caller's line beside their turns."""

    id: str
    kind: SoundKind
    cue: Cue
    duration_s: float
    level_db: float
    """Loudness against the caller's own speech."""
    speech: Utterance | None = None
    """Its words, where it has any: interruptions, backchannels, side talk, television."""
    reply: str = ""
    """What the agent answers to an interruption."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the agent said, what the caller says to it, and what happens during the answer."""

    said: str
    """The agent's words before the caller's turn, the greeting at first."""
    gap_s: float
    """From the agent's last sound to the caller's first."""
    turn: Utterance
    reply: str
    """The agent's answer; the next exchange's `said` is the same text."""
    uses_tool: bool
    sounds: tuple[Sound, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller and their line, the same for the whole script."""

    rate: float
    """Speed of speech against the usual."""
    hesitancy: float
    """How often they hold, against the usual."""
    pause_scale: float
    """Length of their holds against the usual: some people are slow."""
    level_dbfs: float
    """Loudness (RMS) of their speech."""
    noise_dbfs: float
    """Loudness of their room."""
    echo_db: float | None
    """Level at which the agent's voice comes back, against its own; None for a headset."""
    echo_delay_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """One call."""

    id: str
    language: Language
    half: Half
    family: str
    caller: Caller
    exchanges: tuple[Exchange, ...]


def join(words: Iterable[str], language: Language) -> str:
    """Write words as a line: with spaces between them; Chinese characters without."""
    if language == "en":
        return " ".join(words)
    line = ""
    for word in words:
        both_latin = line[-1:].isascii() and word[:1].isascii()
        line += f" {word}" if line and both_latin else word
    return line
