"""What is said while a tool runs: a word at once if it takes long, more as it goes on.

In: whether anybody speaks.  Out: occasions of `agent.phrases`.  One object a tool call.  Pure; time
is an argument, in seconds of any one clock.
"""

from dataclasses import dataclass

WAITS_S = (1.2, 4.0, 6.0, 8.0, 10.0)
"""Silence before the first word, the second, ...; the last one stands for all that follow."""
LEAST_RUN_S = 0.3
"""A tool has run this long before anything is said: one that is done at once needs no word, and
its answer must not wait for one."""
SLOW_S = 2.0
"""A tool that took this long the times before is announced at once."""
AGAIN = ("tool_still", "tool_patience")
"""What follows the first word, in turn."""


@dataclass(slots=True)
class Narration:
    """Covers the wait for one tool."""

    filler: str
    """Occasion of the first word."""
    began_s: float
    """When the tool began to run."""
    since_s: float
    """From when on the caller has heard nothing."""
    told: int = 0
    """Words so far; 1 from the start if the caller was told before that something is looked up."""
    expected_s: float | None = None
    """How long the tool is known to take."""

    def step(self, now_s: float, *, quiet: bool) -> str | None:
        """Say what to say at `now_s`; it counts as said.  `quiet`: neither side speaks."""
        if not quiet:
            self.since_s = now_s
            return None
        if now_s - self.since_s < self._wait_s or now_s - self.began_s < self._least_run_s:
            return None
        occasion = self.filler if self.told == 0 else AGAIN[(self.told - 1) % len(AGAIN)]
        self.told += 1
        self.since_s = now_s
        return occasion

    @property
    def _is_slow(self) -> bool:
        return self.expected_s is not None and self.expected_s >= SLOW_S

    @property
    def _wait_s(self) -> float:
        if self.told == 0 and self._is_slow:
            return 0.0
        return WAITS_S[min(self.told, len(WAITS_S) - 1)]

    @property
    def _least_run_s(self) -> float:
        return 0.0 if self._is_slow else LEAST_RUN_S
