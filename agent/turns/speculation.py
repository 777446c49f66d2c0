"""Speculation: which answers are begun before it is sure that the caller has finished.

In: the words at each pause with the probability that the turn is over, and what becomes of the
turn.  Out: `Speculate` and `Discard`.  Pure; a part of `TurnTaker`.  Knows nothing of models:
whether there is room for more work is told to it (`MaySpeculate`).
"""

from agent.config import SpeculationConfig
from agent.turns.events import Discard, Speculate


def same_meaning(a: str, b: str, language: str) -> bool:
    """Whether two transcripts of a turn want the same answer."""
    raise NotImplementedError


class Speculation:
    """The drafts of one call; at most one is open."""

    def __init__(self, config: SpeculationConfig, language: str) -> None:
        self._config = config
        self._language = language
        self.allowed = True
        """Whether the machine has room for answers that may be thrown away."""

    def consider(self, text: str, probability: float) -> list[Speculate | Discard]:
        """Take the words of a pause that goes on, and how likely the turn is over with them."""
        raise NotImplementedError

    def speaks_on(self, voiced_s: float) -> list[Discard]:
        """The caller goes on and has by now spoken for `voiced_s` since the draft began."""
        raise NotImplementedError

    def adopt(self) -> int | None:
        """The turn is over with the words last considered: the draft that answers it, if any."""
        raise NotImplementedError

    def abandon(self, reason: str) -> list[Discard]:
        """No answer will be needed."""
        raise NotImplementedError
