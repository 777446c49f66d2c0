"""How this caller pauses: learned from the pauses of one call.

In: the length of each pause within a turn, once speech has gone on.  Out: how likely such a pause,
a hold, is to last so long.  Pure.

Lengths of holds follow a log-logistic law: `P(at least t) = 1 / (1 + (t / median) ** SHAPE)`.  Its
tail is long enough for people who think, and it needs one number of the caller, the median.
"""

import math

MEDIAN_S = 0.34
"""Median hold of a caller of whom nothing is known."""
SHAPE = 1.9
"""How alike holds are; the same for everybody.  Both are fitted by `bench/turns_fit.py`."""
PRIOR_HOLDS = 4.0
"""How many own holds weigh as much as what is known of others."""
FADE = 0.9
"""What a hold weighs less with every later one: callers warm up, or begin to look for a number."""
MEDIAN_BOUNDS_S = (0.15, 1.2)
"""No caller is believed to be hastier or slower."""


class PauseHabits:
    """The holds of one caller."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._log_sum = 0.0

    @property
    def median_s(self) -> float:
        """Median of the caller's holds, as far as is known."""
        log_sum = PRIOR_HOLDS * math.log(MEDIAN_S) + self._log_sum
        low_s, high_s = MEDIAN_BOUNDS_S
        return min(max(math.exp(log_sum / (PRIOR_HOLDS + self._weight)), low_s), high_s)

    def held(self, pause_s: float) -> None:
        """Learn that the caller paused for so long and went on."""
        self._weight = FADE * self._weight + 1.0
        self._log_sum = FADE * self._log_sum + math.log(max(pause_s, 0.05))

    def lasts(self, silence_s: float) -> float:
        """Probability that a hold of this caller lasts at least so long."""
        return 1.0 / (1.0 + math.pow(max(silence_s, 0.0) / self.median_s, SHAPE))
