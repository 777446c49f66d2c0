"""Speculation: which answers are begun before it is sure that the caller has finished.

In: the words at each pause with the probability that the turn is over, and what becomes of the
turn.  Out: `Speculate` and `Discard`.  Pure; a part of `TurnTaker`.  Knows nothing of models:
whether there is room for more work is told to it (`MaySpeculate`).

A draft is an answer begun early.  When the caller speaks on it is in doubt, and it is kept if the
words of the next pause mean the same: people breathe, cough, and say "um" after their last word.
"""

from dataclasses import dataclass

from agent.config import SpeculationConfig
from agent.turns.events import Discard, Reason, Speculate
from agent.turns.meaning import same_meaning

NEW_SPEECH_S = 2.0
"""A caller who spoke on for so long has said something new; a cough or a filler is shorter."""
DRAFTS_PER_TURN = 3
"""Of these in one turn none is begun any more: the caller pauses where others have finished."""


@dataclass(slots=True)
class _Draft:
    number: int
    text: str
    voiced_s: float
    """Voice of the turn when it was begun, or when its text was heard again."""


class Speculation:
    """The drafts of one call; at most one is open."""

    def __init__(self, config: SpeculationConfig, language: str) -> None:
        self.allowed = True
        """Whether the machine has room for answers that may be thrown away."""
        self._config = config
        self._language = language
        self._drafts = 0
        self._drafts_of_turn = 0
        self._draft: _Draft | None = None

    def heard(self, text: str, voiced_s: float) -> list[Discard]:
        """The words of the turn, of `voiced_s` of voice, are now `text`: keep the draft or not."""
        draft = self._draft
        if draft is None:
            return []
        if not same_meaning(draft.text, text, self._language):
            return self._discard("said more")
        draft.voiced_s = voiced_s
        return []

    def begin(self, text: str, probability: float, voiced_s: float) -> list[Speculate]:
        """Begin a draft for a pause that goes on, if the turn is likely enough to be over."""
        if self._draft or not self.allowed or not self._config.enabled:
            return []
        if probability < self._config.from_probability or self._drafts_of_turn >= DRAFTS_PER_TURN:
            return []
        self._drafts += 1
        self._drafts_of_turn += 1
        self._draft = _Draft(self._drafts, text, voiced_s)
        return [Speculate(self._drafts, text)]

    def speaks_on(self, voiced_s: float) -> list[Discard]:
        """The caller speaks again; the turn has by now `voiced_s` of voice."""
        draft = self._draft
        if draft is None or voiced_s - draft.voiced_s < NEW_SPEECH_S:
            return []
        return self._discard("speaks on")

    def adopt(self) -> int | None:
        """The turn is over with the words last heard: the number of the draft that answers it."""
        draft, self._draft = self._draft, None
        self._drafts_of_turn = 0
        return draft.number if draft else None

    def abandon(self, reason: Reason) -> list[Discard]:
        """The turn was none: no answer is needed."""
        self._drafts_of_turn = 0
        return self._discard(reason)

    def _discard(self, reason: Reason) -> list[Discard]:
        draft, self._draft = self._draft, None
        return [Discard(draft.number, reason)] if draft else []
