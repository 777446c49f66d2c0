"""What the grammars of callers are written in: families of calls, lines with marks, slots.

In: nothing.  Out: the types that `english` and `chinese` fill and `scripts` speaks.  Pure.

A line is words and marks with spaces between them.  A mark is a place where a caller may hold:

    |  in the middle of a phrase: "I want to return a | lamp"
    ;  the same, where the words so far could stand alone: "I want to return a lamp ; from June"
    /  between clauses; the words so far could stand alone
    &  after a word that joins clauses: "and & it is broken"
    ~  after a filled pause: "um ~"
    -  inside a slot: "five five five - one two"
    =  inside a slot, where it could be over: a number of seven digits, a street without its town
    %  after a start that is given up: "I want % I'd like"
    @  after asking for time: "hold on @"

`{name}` is a slot, filled from the half's vocabulary or by a function of the language.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.turns_world.scripts import Half, HoldKind, Language, TurnKind

MARKS: Mapping[str, tuple[HoldKind, bool]] = {
    "|": ("mid-phrase", False),
    ";": ("mid-phrase", True),
    "/": ("clause", True),
    "&": ("conjunction", False),
    "~": ("filled", False),
    "-": ("slot", False),
    "=": ("slot", True),
    "%": ("false start", False),
    "@": ("asks for time", False),
}
"""Kind of hold, and whether the words before it could stand alone."""

KINDS: Mapping[str, TurnKind] = {
    "S": "statement",
    "Q": "question",
    "C": "command",
    "Y": "short answer",
    "L": "slot",
    "T": "trailing off",
    "I": "interruption",
}
"""The letter in front of a line."""

Fill = Callable[[random.Random, Half], str]
"""Makes the words and marks of a slot."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question of the agent with what callers say to it."""

    asks: str
    answers: tuple[str, ...]
    """Lines, each with the letter of its kind in front: "Q can I still ; send it back"."""
    acks: tuple[str, ...]
    """What the agent says to the answer, before it asks on."""
    uses_tool: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """Calls of one sort."""

    name: str
    half: Half
    prompts: tuple[Prompt, ...]
    """The first one's question is the greeting."""
    closing: str
    children: bool = False
    """Children speak more slowly and hold longer."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """All that callers of one language say."""

    language: Language
    families: tuple[Family, ...]
    words: Mapping[Half, Mapping[str, tuple[str, ...]]]
    """Slot values by half."""
    fills: Mapping[str, Fill]
    """Slots that are made rather than picked."""
    tails: Mapping[Half, tuple[str, ...]]
    """What callers add to an answer, after a clause boundary."""
    interruptions: Mapping[Half, tuple[str, ...]]
    interruption_acks: Mapping[Half, tuple[str, ...]]
    side_talk: Mapping[Half, tuple[str, ...]]
    television: Mapping[Half, tuple[str, ...]]
    backchannels: tuple[str, ...]
    fillers: tuple[str, ...]
    """Filled pauses."""
    repeatable: frozenset[str]
    """Words that are said twice when a speaker hesitates."""
