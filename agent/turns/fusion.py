"""Whether a pause is the end of a turn: all that speaks for it and against it, as one number.

In: how the turn sounds, what its words tell, how this caller pauses, the silence so far.  Out: a
`Judgement`: the probability that the turn is over, and the silence after which it ends.  Pure.

Evidence adds up as log-odds.  What the pause began with, its sound and words, gives the odds at
no silence; each moment of silence multiplies them by one over the share of this caller's holds
that last so long.  A turn ends after the silence `t` that is expected to cost least:

    P(over) * t  +  P(not over) * P(a hold lasts at least t) * cost

Either the caller waits for `t`, or they are cut off, which is as bad as `cost` seconds of silence.
"""

import math
from dataclasses import dataclass

from agent.config import TurnsConfig
from agent.turns.habits import PauseHabits
from agent.turns.reading import Reading

WORDS_LOG_ODDS = 4.0
"""Words never count as surer than this: 98 %."""
SOUND_LOG_ODDS = 5.0
LONG_WORDS = 10
"""A turn of so many words counts as long."""
STEP_S = 0.002
"""How exactly the silence that is needed is worked out."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What evidence counts for, in log-odds."""

    bias: float
    """What is left when all other evidence says nothing."""
    sound: float
    """For each log-odds of the turn model."""
    voice: float
    """For each log-odds by which this caller's holds have sounded like ends: taken off."""
    words: float
    """For each log-odds of `Reading.complete`."""
    length: float
    """For a turn of `LONG_WORDS`; for shorter ones in proportion."""
    slot_open: float
    holds: float


WEIGHTS = Weights(
    bias=-1.15, sound=0.36, voice=0.3, words=0.3, length=0.5, slot_open=-0.3, holds=-0.5
)
"""Logistic regression on 3665 pauses of the half "calibrate" (`bench turns_fit`), each looked at
after 0.16 to 1.3 s of silence; rounded.  Not as fitted: `length` counts half, and `bias` is raised
to match, for the scripts know few short answers; `slot_open` and `holds` are set, for
`Reading.complete` has what they tell, but keeping the floor shall never make an answer come sooner.
"""


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
        at_once = self._at_once(sound, reading, habits)
        so_far = -math.log(habits.lasts(silence_s))
        return Judgement(
            probability=_probability(at_once + so_far),
            needed_s=self._needed_s(_probability(at_once), reading, habits, silence_s),
            sound=sound,
            words=reading.complete if reading else None,
            habit=_probability(self._weights.bias + so_far),
        )

    def probability(
        self,
        sound: float | None,
        reading: Reading | None,
        habits: PauseHabits,
        silence_s: float,
    ) -> float:
        """That the turn is over: what `judge` says, without the rest."""
        at_once = self._at_once(sound, reading, habits)
        return _probability(at_once - math.log(habits.lasts(silence_s)))

    def _at_once(self, sound: float | None, reading: Reading | None, habits: PauseHabits) -> float:
        """Log-odds that the turn is over, before any silence."""
        weights = self._weights
        total = weights.bias
        if sound is not None:
            total += weights.sound * log_odds(sound, SOUND_LOG_ODDS)
            total -= weights.voice * habits.sounds_over
        if reading is not None:
            total += weights.words * log_odds(reading.complete, WORDS_LOG_ODDS)
            total += weights.length * min(reading.words, LONG_WORDS) / LONG_WORDS
            total += weights.slot_open * reading.slot_open + weights.holds * reading.holds
        return total

    def _needed_s(
        self, over: float, reading: Reading | None, habits: PauseHabits, silence_s: float
    ) -> float:
        """The silence of least cost, from now on.

        Costs rise at first, where few holds end yet, then fall, then rise for good: the best is to
        end at once, or where they begin to rise again.
        """
        keeps_floor = reading is not None and (reading.slot_open or reading.holds)
        bound_s = self._kept_s if keeps_floor else self._max_s
        now_s = min(max(self._min_s, silence_s), bound_s)

        def cost(at_s: float) -> float:
            return over * at_s + (1 - over) * habits.lasts(at_s) * self._cost_s

        def rises(at_s: float) -> bool:
            return over >= (1 - over) * habits.ending(at_s) * self._cost_s

        early_s, late_s = max(now_s, habits.likeliest_s), bound_s
        if early_s >= bound_s or rises(early_s):
            return now_s
        while late_s - early_s > STEP_S:
            middle_s = (early_s + late_s) / 2
            if rises(middle_s):
                late_s = middle_s
            else:
                early_s = middle_s
        return now_s if cost(now_s) <= cost(late_s) else late_s


def log_odds(probability: float, most: float) -> float:
    """Log-odds of a probability, within plus and minus `most`."""
    if probability <= 0.0 or probability >= 1.0:
        return -most if probability <= 0.0 else most
    return min(max(math.log(probability / (1 - probability)), -most), most)


def _probability(total: float) -> float:
    return 1 / (1 + math.exp(-total))
