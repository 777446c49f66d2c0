"""What a transcript says about its speaker: have they finished, do they only agree, do they object?

In: the words of a turn so far, their language, and what the agent said last.  Out: a `Reading`,
which holds no words and may therefore be logged.  Pure; takes well under a millisecond.
"""

from dataclasses import dataclass
from typing import Literal

Slot = Literal["", "digits", "spelling", "email", "address", "date"]
"""What kind of thing the caller is in the middle of saying; "" for none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of a turn tell."""

    words: int = 0
    """How many there are; of Chinese and Japanese, characters."""
    complete: float = 0.5
    """Probability that a turn with these words is over, from the words alone."""
    slot: Slot = ""
    """The last thing said belongs to such a slot."""
    slot_open: bool = False
    """The slot wants more: a number is too short, an address has no end."""
    holds: bool = False
    """The caller asks for time: "um", "let me see", "one moment"."""
    is_backchannel: bool = False
    """Nothing but signs of listening: "mm-hm", "yeah", "right"."""
    objects: bool = False
    """The caller wants the agent to stop: "wait", "no", "stop"."""
    echoes: float = 0.0
    """Share of the words that the agent said just before, in this order."""


NO_WORDS = Reading(complete=0.0)


def read(text: str, language: str, *, said: str = "") -> Reading:
    """Read a transcript; `said` is the newest of what the agent said, the question above all."""
    words = len(text.split())
    return Reading(words=words) if words else NO_WORDS
