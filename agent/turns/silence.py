"""The silence ladder: what the agent does when nobody speaks.

It asks whether the caller is there, then offers to go on, then says goodbye and hangs up.  A caller
who asks for time ("one moment") gets it: the ladder waits until they speak, or until it has been
far too long.  Pure; time is the ear's clock.
"""

from dataclasses import dataclass
from typing import Literal

from agent.config import TurnsConfig
from agent.turns.reading import Reading

Nudge = Literal["prompt", "offer", "goodbye"]
"""Ask whether the caller is there; ask whether there is anything else; end the call."""
Wants = Literal["answer", "time", "more time"]
"""What a turn of the caller asks of the agent: an answer, a word that it will wait, or nothing."""

MOST_HOLD_WORDS = 7
"""A turn of more words than this says more than "one moment, please" ("麻烦您稍等一下" has 7)."""


def asks_for_time(reading: Reading) -> bool:
    """Whether a whole turn says no more than "one moment"."""
    return reading.holds and not reading.slot and reading.words <= MOST_HOLD_WORDS


@dataclass(slots=True)
class SilenceWatch:
    """Counts the silence of both sides, and how often the agent has asked."""

    config: TurnsConfig
    unanswered: int = 0
    """Nudges since the caller last spoke."""
    holding: bool = False
    """The caller asked for time and has not spoken since."""
    since_s: float = 0.0
    """Ear time from which on nobody has spoken."""

    def step(self, now_s: float, *, quiet: bool) -> Nudge | None:
        """Say what to do at `now_s`.  `quiet`: nobody has the floor, no reply is under way."""
        if not quiet:
            self.since_s = now_s
            return None
        if self.config.idle_prompt_s == 0 or now_s - self.since_s < self._patience_s:
            return None
        self.since_s = now_s
        self.holding = False
        nudge = self._next()
        self.unanswered += 1
        return nudge

    def caller_spoke(self, now_s: float, *, asks_for_time: bool) -> Wants:
        """A turn of the caller ended: the ladder begins anew.  Returns what the turn asks for."""
        again = self.holding
        self.since_s, self.unanswered, self.holding = now_s, 0, asks_for_time
        if not asks_for_time:
            return "answer"
        return "more time" if again else "time"

    @property
    def _patience_s(self) -> float:
        prompt_s = self.config.idle_prompt_s
        return max(prompt_s, self.config.hold_s) if self.holding else prompt_s

    def _next(self) -> Nudge:
        left = self.config.max_idle_prompts - self.unanswered
        if left <= 0:
            return "goodbye"
        return "offer" if left == 1 and self.unanswered else "prompt"
