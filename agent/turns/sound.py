"""How finished a pause sounds: the turn model's answers to it, as one.

In: probabilities with the silence that each was made after.  Out: one probability.  Pure.

smart-turn was trained to be asked after 0.2 s of silence.  Asked later it believes ever more in an
end, of holds as much as of ends, so its answers are brought to what they would have been then, and
their mean is taken.  Measured on recorded and synthetic sentences, whole and cut at their quietest
spot (`bench.turns_world.acoustics`, where the two curves stand; this is between them).
"""

import math

from agent.turns.fusion import SOUND_LOG_ODDS, log_odds

DRIFT = ((0.0, -0.6), (0.1, -0.25), (0.2, 0.0), (0.3, 0.5))
"""Silence (s), and how far the log-odds are above those after 0.2 s."""


class SoundOfPause:
    """What the turn model has said of one pause."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    @property
    def log_odds(self) -> float | None:
        """Log-odds of the end; None before the first answer."""
        return self._sum / self._count if self._count else None

    @property
    def probability(self) -> float | None:
        """Probability of the end; None before the first answer."""
        total = self.log_odds
        return None if total is None else 1 / (1 + math.exp(-total))

    def take(self, probability: float, silence_s: float) -> None:
        """Take an answer that was made of the turn with `silence_s` at its end."""
        self._sum += log_odds(probability, SOUND_LOG_ODDS) - _drift(silence_s)
        self._count += 1


def _drift(silence_s: float) -> float:
    (from_s, low), *rest = DRIFT
    if silence_s <= from_s:
        return low
    for at_s, high in rest:
        if silence_s <= at_s:
            return low + (high - low) * (silence_s - from_s) / (at_s - from_s)
        from_s, low = at_s, high
    return low
