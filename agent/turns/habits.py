"""How this caller pauses: learned from the pauses of one call.

In: each pause within a turn, once speech has gone on: its length, and what the turn model made of
its sound.  Out: how likely such a pause, a hold, is to last so long, and how much this voice sounds
finished when it is not.  Pure.

Lengths of holds follow a log-logistic law: `P(at least t) = 1 / (1 + (t / median) ** SHAPE)`.  Its
tail is long enough for people who think, and it needs one number of the caller, the median.
"""

import math

MEDIAN_S = 0.45
"""Median hold of a caller of whom nothing is known."""
SHAPE = 2.6
"""How alike holds are; the same for everybody.  Both are fitted with `fusion.WEIGHTS`."""
PRIOR_HOLDS = 4.0
"""How many own holds weigh as much as what is known of others."""
FADE = 0.9
"""What a hold weighs less with every later one: callers warm up, or begin to look for a number."""
MEDIAN_BOUNDS_S = (0.15, 1.2)
"""No caller is believed to be hastier or slower."""
SOUND_PRIOR_HOLDS = 1.5
SOUND_FADE = 0.7
"""The same of how holds sound: melody changes with the mood, from sentence to sentence."""
USUAL_LOG_ODDS = -2.5
"""What the turn model makes of a hold on average."""


class PauseHabits:
    """The holds of one caller."""

    def __init__(self) -> None:
        self._weight = 0.0
        self._log_sum = 0.0
        self._sound_weight = 0.0
        self._sound_sum = 0.0

    @property
    def median_s(self) -> float:
        """Median of the caller's holds, as far as is known."""
        log_sum = PRIOR_HOLDS * math.log(MEDIAN_S) + self._log_sum
        low_s, high_s = MEDIAN_BOUNDS_S
        return min(max(math.exp(log_sum / (PRIOR_HOLDS + self._weight)), low_s), high_s)

    @property
    def sounds_over(self) -> float:
        """By how many log-odds this caller's holds sound more like ends than others' do."""
        return self._sound_sum / (SOUND_PRIOR_HOLDS + self._sound_weight)

    def held(self, pause_s: float, sound_log_odds: float | None = None) -> None:
        """Learn that the caller paused for so long, sounding so finished, and went on."""
        self._weight = FADE * self._weight + 1.0
        self._log_sum = FADE * self._log_sum + math.log(max(pause_s, 0.05))
        if sound_log_odds is not None:
            self._sound_weight = SOUND_FADE * self._sound_weight + 1.0
            self._sound_sum = SOUND_FADE * self._sound_sum + sound_log_odds - USUAL_LOG_ODDS

    def lasts(self, silence_s: float) -> float:
        """Probability that a hold of this caller lasts at least so long."""
        return 1.0 / (1.0 + math.pow(max(silence_s, 0.0) / self.median_s, SHAPE))

    def ending(self, silence_s: float) -> float:
        """Share of all holds of this caller that end in the second from `silence_s` on, at the
        pace of that moment (the law's density)."""
        if silence_s <= 0.0:
            return 0.0
        lasts = self.lasts(silence_s)
        return SHAPE / silence_s * lasts * (1.0 - lasts)

    @property
    def likeliest_s(self) -> float:
        """Silence after which most holds end."""
        return self.median_s * math.pow((SHAPE - 1) / (SHAPE + 1), 1 / SHAPE)
