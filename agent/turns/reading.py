"""What a transcript says about its speaker: have they finished, do they only agree, do they object?

In: the words of a turn so far, their language, and what the agent said last.  Out: a `Reading`,
which holds no words and may therefore be logged.  Pure; takes well under a millisecond.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.turns import completeness, phrasebook, slots
from agent.turns.slots import Slot as Slot
from agent.turns.tokens import UNSPACED, ending, tokens

_SAID_CHARS = 400
"""Of what the agent said, only the end can still echo, or be a question that is answered."""
_TAIL = 24
"""Tokens at the end of a turn in which a slot may lie."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of a turn tell."""

    words: int = 0
    """How many there are; of Chinese and Japanese, characters."""
    complete: float = 0.5
    """Probability that a turn with these words is over, from the words alone, if pauses within
    turns and ends of turns were equally many: its log-odds are evidence to be added up."""
    slot: Slot = ""
    """The last thing said belongs to such a slot."""
    slot_open: bool = False
    """The slot wants more: a number is too short, an address has no end."""
    holds: bool = False
    """The caller asks for time: "um", "let me see", "one moment"."""
    asks: bool = False
    """The recogniser heard a question."""
    is_backchannel: bool = False
    """Nothing but signs of listening: "mm-hm", "yeah", "right"."""
    objects: bool = False
    """The caller wants the agent to stop: "wait", "no", "stop"."""
    echoes: float = 0.0
    """Share of the words that the agent said just before, in this order."""


NO_WORDS = Reading(complete=0.0)


def load() -> None:
    """Load what reading needs, once: some milliseconds that no call should wait for."""
    completeness.tables()
    tokens("", "zh")  # the table of simplified characters


def read(text: str, language: str, *, said: str = "") -> Reading:
    """Read a transcript; `said` is the newest of what the agent said, the question above all."""
    spoken = tokens(text, language)
    if not spoken:
        return NO_WORDS
    said = said[-_SAID_CHARS:]
    asks = ending(said) == "?"
    bare = phrasebook.without_fillers(spoken, language)
    holds = phrasebook.asks_for_time(spoken, language, answers=asks)
    found = _slot(bare, language, said)
    return Reading(
        words=len(spoken),
        complete=completeness.probability(
            spoken,
            language,
            ending=ending(text),
            holds=holds,
            slot=found,
            answers=asks,
            reply=phrasebook.is_backchannel(spoken, language, answers=False),
        ),
        slot=found.slot,
        slot_open=found.open,
        holds=holds,
        asks=ending(text) == "?",
        is_backchannel=phrasebook.is_backchannel(spoken, language, answers=asks),
        objects=phrasebook.objects(spoken, language),
        echoes=_echo_share(spoken, tokens(said, language)),
    )


def _slot(bare: Sequence[str], language: str, said: str) -> slots.Found:
    space = "" if language in UNSPACED else " "
    asked = slots.wanted(space.join(tokens(said, language)))
    announced = slots.wanted(space.join(bare))
    return slots.find(bare[-_TAIL:], language, asked, announced)


def _echo_share(spoken: Sequence[str], said: Sequence[str]) -> float:
    """Length of the longest common subsequence over the number of words spoken.

    Bit-parallel (Hyyrö 2004, "Bit-parallel LCS-length computation revisited"): one addition of
    wide integers a word.
    """
    if not said:
        return 0.0
    places: dict[str, int] = {}
    for index, token in enumerate(spoken):
        places[token] = places.get(token, 0) | 1 << index
    full = (1 << len(spoken)) - 1
    row = full
    for token in said:
        matched = row & places.get(token, 0)
        row = ((row + matched) | (row - matched)) & full
    return (len(spoken) - row.bit_count()) / len(spoken)
