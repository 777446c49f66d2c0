"""The idle ladder: what the agent does when nobody speaks.

Pure; time is the ear's clock.
"""

from dataclasses import dataclass
from typing import Literal

from agent.config import TurnsConfig

Nudge = Literal["prompt", "goodbye"]


@dataclass(slots=True)
class SilenceWatch:
    """Counts the silence of both sides; asks whether the caller is there, then gives up."""

    config: TurnsConfig
    _since_s: float = 0.0
    _prompts: int = 0

    def step(self, now_s: float, *, quiet: bool, caller_spoke: bool = False) -> Nudge | None:
        """Say what to do at `now_s`.

        `quiet`: nobody has the floor and no reply is under way.  `caller_spoke`: a turn of the
        caller just ended, which resets the ladder.
        """
        if caller_spoke:
            self._prompts = 0
        if not quiet or caller_spoke:
            self._since_s = now_s
            return None
        if self.config.idle_prompt_s == 0 or now_s - self._since_s < self.config.idle_prompt_s:
            return None
        self._since_s = now_s
        if self._prompts >= self.config.max_idle_prompts:
            return "goodbye"
        self._prompts += 1
        return "prompt"
