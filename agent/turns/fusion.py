"""Whether a pause is the end of a turn: all that speaks for it and against it, as one number.

In: how the turn sounds, what its words tell, how this caller pauses, the silence so far.  Out: a
`Judgement`: the probability that the turn is over, and the silence after which it ends.  Pure.

Evidence adds up as log-odds.  What the pause began with, its sound and words, gives the odds at
no silence; each moment of silence multiplies them by one over the share of this caller's holds
that last so long.  A turn ends once waiting on costs more than cutting off:

    P(over) * silence >= P(not over) * cost

for a silence lasts, on average, about as long again as it has lasted, and cutting a caller off is
as bad as `cost` seconds of dead air.  The left side grows with silence and the right side falls,
so there is one such moment.
"""

import math
from dataclasses import dataclass

from agent.config import TurnsConfig
from agent.turns.habits import PauseHabits
from agent.turns.reading import Reading

SURE_LOG_ODDS = 4.0
"""No single piece of evidence counts as surer than this: 98 %."""
STEP_S = 0.001
"""How exactly the silence that is needed is worked out."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What evidence counts for, in log-odds."""

    bias: float
    """What is left when all other evidence says nothing."""
    sound: float
    """For each log-odds of the turn model."""
    words: float
    """For each log-odds of `Reading.complete`."""
    slot_open: float
    holds: float


WEIGHTS = Weights(bias=-0.6, sound=0.5, words=0.7, slot_open=-2.0, holds=-2.0)
"""Fitted by `bench/turns_fit.py`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is believed of a pause."""

    probability: float
    """That the turn is over, given the silence so far."""
    needed_s: float
    """Silence after which the turn ends, if nothing else is learned."""
    sound: float | None
    """Probability of the end from the sound alone; None if it is not known."""
    words: float | None
    """From the words alone."""
    habit: float
    """From the silence so far and this caller's pauses alone."""


class Fusion:
    """Judges the pauses of one caller."""

    def __init__(self, config: TurnsConfig, patience: float, *, weights: Weights = WEIGHTS) -> None:
        """`patience` scales the cost of cutting off and the bounds of the silence."""
        self._weights = weights
        self._cost_s = config.cut_off_cost_s * patience
        self._min_s = config.min_silence_ms / 1000 * patience
        self._max_s = max(self._min_s, config.max_silence_ms / 1000 * patience)
        self._kept_s = max(self._max_s, config.kept_floor_ms / 1000 * patience)

    def judge(
        self,
        sound: float | None,
        reading: Reading | None,
        habits: PauseHabits,
        silence_s: float,
    ) -> Judgement:
        """Judge a pause of which `silence_s` have passed; what is None says nothing."""
        at_once = self._at_once(sound, reading)
        so_far = _of_silence(habits, silence_s)
        return Judgement(
            probability=_probability(at_once + so_far),
            needed_s=self._needed_s(at_once, habits, self._bound_s(reading)),
            sound=sound,
            words=reading.complete if reading else None,
            habit=_probability(self._weights.bias + so_far),
        )

    def _at_once(self, sound: float | None, reading: Reading | None) -> float:
        """Log-odds that the turn is over, before any silence."""
        weights = self._weights
        log_odds = weights.bias
        if sound is not None:
            log_odds += weights.sound * _log_odds(sound)
        if reading is not None:
            log_odds += weights.words * _log_odds(reading.complete)
            log_odds += weights.slot_open * reading.slot_open + weights.holds * reading.holds
        return log_odds

    def _bound_s(self, reading: Reading | None) -> float:
        """Silence after which the turn ends whatever is believed of it."""
        keeps_floor = reading is not None and (reading.slot_open or reading.holds)
        return self._kept_s if keeps_floor else self._max_s

    def _needed_s(self, at_once: float, habits: PauseHabits, bound_s: float) -> float:
        low_s, high_s = self._min_s, bound_s
        if self._is_time(at_once, habits, low_s):
            return low_s
        while high_s - low_s > STEP_S:
            middle_s = (low_s + high_s) / 2
            if self._is_time(at_once, habits, middle_s):
                high_s = middle_s
            else:
                low_s = middle_s
        return high_s

    def _is_time(self, at_once: float, habits: PauseHabits, silence_s: float) -> bool:
        odds = math.exp(at_once + _of_silence(habits, silence_s))
        return odds * silence_s >= self._cost_s


def _of_silence(habits: PauseHabits, silence_s: float) -> float:
    return -math.log(habits.lasts(silence_s))


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    log_odds = math.log(bounded / (1 - bounded))
    return min(max(log_odds, -SURE_LOG_ODDS), SURE_LOG_ODDS)


def _probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
