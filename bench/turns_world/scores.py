"""Scores of turn taking, from what happened in simulated or recorded calls.

In: outcomes, one for each turn, sound and draft.  Out: numbers by stable names.  Pure.
"""

from dataclasses import dataclass
from typing import Literal

from bench.turns_world.scripts import HoldKind, Language, SoundKind, TurnKind


@dataclass(frozen=True, slots=True)
class PauseOutcome:
    """What a turn taker did in one pause of a turn."""

    kind: HoldKind | Literal["end"]
    length_s: float
    """Of a hold; 0 for the end of the turn."""
    ended_after_s: float | None
    """Silence after which it took the turn for over; None if it did not (in a hold: rightly)."""
    looks_complete: bool


@dataclass(frozen=True, slots=True)
class TurnOutcome:
    """One turn of the caller, interruptions included.  Times on the call's clock."""

    script: str
    language: Language
    kind: TurnKind
    pauses: tuple[PauseOutcome, ...]
    """Its holds of 0.1 s and more, then its end."""
    began_s: float
    ended_s: float
    """Last voiced sample of the caller."""
    answered_s: float | None
    """First voiced sample of the agent's answer to the whole turn; None if none came before the
    caller spoke again."""
    uses_tool: bool
    overlaps_ms: tuple[float, ...] = ()
    """The agent began to speak inside this turn: for each such segment, how long both spoke."""
    yield_ms: float | None = None
    """The turn interrupted the agent: its first voiced sample until the agent is silent; `inf` if
    the agent spoke on to its end."""
    duck_ms: float | None = None
    """The same until the agent's voice is lowered or silent."""
    heard_error_words: int | None = None
    """Difference between the words in the context and the words played, where a reply was cut."""


@dataclass(frozen=True, slots=True)
class SoundOutcome:
    """A sound that is no turn."""

    script: str
    language: Language
    kind: SoundKind
    agent_spoke: bool
    """Whether the agent spoke when it began."""
    stopped: bool
    """The agent broke off its reply for it (held and restored does not count)."""
    held_ms: float = 0.0
    """How long the agent was silent in mid-reply before it spoke on."""
    ducked_ms: float = 0.0
    silent_tick_ms: float | None = None
    """From the sound's onset to the end of the first whole tick of 200 ms without agent voice."""
    responded_ms: float | None = None
    """The agent was silent: from the sound's end to the first sound of a reply to it."""


@dataclass(frozen=True, slots=True)
class DraftOutcome:
    """An answer begun before the turn was over."""

    used: bool
    tokens: int
    audio_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that came of a call."""

    turns: tuple[TurnOutcome, ...]
    sounds: tuple[SoundOutcome, ...]
    drafts: tuple[DraftOutcome, ...] = ()
