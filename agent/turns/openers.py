"""Openers: a few words ("Let me see.") that cover a long wait for an answer.

`WaitForecast` predicts the silence that is still to come, from what the answers of this call took.
`Openers` decides whether one is said and which: only where the silence would be long, matching what
the caller said, never the same twice in a row, and not on two turns running unless the wait is very
long.  Pure: times are seconds since the caller's turn was found to be over.
"""

from collections import defaultdict, deque
from collections.abc import Callable
from statistics import median

from agent.config import OpenersConfig
from agent.turns.acts import Act

KEPT = 5
"""Answers that the forecast looks back on.  Their median: one slow answer tells nothing."""
VERY_LONG = 2.5
"""Times `wait_ms` from which on an opener is said though the turn before had one."""
OCCASIONS: dict[Act, str] = {
    "question": "opener_question",
    "open question": "opener_thinking",
    "request": "opener_request",
    "complaint": "opener_complaint",
    "statement": "opener_statement",
}
"""What of `agent.phrases` suits a turn; one that is not here gets a plain answer or none."""


class WaitForecast:
    """How long the caller will wait, judging by the call so far."""

    def __init__(self) -> None:
        self._to_text_s = deque[float](maxlen=KEPT)
        self._to_sound_s = deque[float](maxlen=KEPT)
        self._tools_s = defaultdict[str, deque[float]](lambda: deque(maxlen=KEPT))

    def answered(self, *, to_text_s: float, to_sound_s: float) -> None:
        """An answer took `to_text_s` from the question to its first words, and `to_sound_s` from
        there to its first audio."""
        self._to_text_s.append(to_text_s)
        self._to_sound_s.append(to_sound_s)

    def tool_ran(self, tool: str, took_s: float) -> None:
        """A tool took this long."""
        self._tools_s[tool].append(took_s)

    def remaining_s(self, asked_ago_s: float, text_ago_s: float | None = None) -> float | None:
        """Silence still to come before an answer that was asked for `asked_ago_s` ago, and whose
        first words came `text_ago_s` ago (None: not yet).  None if nothing is known."""
        if not self._to_text_s:
            return None
        to_sound_s = median(self._to_sound_s)
        if text_ago_s is not None:
            return max(0.0, to_sound_s - text_ago_s)
        return max(0.0, median(self._to_text_s) - asked_ago_s) + to_sound_s

    def tool_s(self, tool: str) -> float | None:
        """How long a tool will take; None if it did not run yet."""
        took_s = self._tools_s.get(tool)
        return median(took_s) if took_s else None


class Openers:
    """The decision for one call."""

    def __init__(self, config: OpenersConfig, say: Callable[[str], str]) -> None:
        """`say` words an occasion of `agent.phrases`, other than the last time."""
        self._config = config
        self._say = say
        self._last = ""
        self._before = False
        self._now = False

    def begin_turn(self) -> None:
        """The agent answers another turn of the caller."""
        self._before, self._now = self._now, False

    @property
    def bound_s(self) -> float:
        """Silence from which on an opener is said in this turn."""
        return self._config.wait_ms / 1000 * (VERY_LONG if self._before else 1.0)

    def choose(self, act: Act, wait_s: float | None) -> str | None:
        """The words to begin this turn's answer with, if `wait_s` of silence are long enough.

        Asked when the turn is over, with the silence predicted (None: unknown), and again when
        `bound_s` of silence have gone by.
        """
        occasion = OCCASIONS.get(act)
        if not self._config.enabled or self._now or not occasion:
            return None
        if wait_s is None or wait_s < self.bound_s:
            return None
        text = self._say(occasion)
        if text == self._last:
            text = self._say(occasion)
        if text == self._last:
            return None
        self._now, self._last = True, text
        return text
