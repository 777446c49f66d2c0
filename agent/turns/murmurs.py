"""When the agent shows that it listens: a short "mm-hm" in a long turn of the caller.

In: what is known of the caller's pause, on the ear's clock.  Out: whether to murmur now.  A murmur
takes no floor: it is no reply, and the caller goes on as if nothing was said.  Pure.

People place such sounds in pauses inside of a turn, once a few seconds of it have gone by (Ward and
Tsukahara 2000 give 700 ms after 110 ms of low pitch for English).  One that comes where the turn
ends sounds like a refusal to answer, so only a pause that is most likely no end gets one.
"""

from dataclasses import dataclass

SPEECH_S = 3.0
"""Speech of the turn, its pauses included, before its first murmur."""
BETWEEN_S = 6.0
"""Least time between two murmurs."""
PAUSE_S = (0.3, 0.5)
"""Silence in which one may come: earlier it talks over a breath, later it talks over the caller."""
MOST_OVER = 0.35
"""Probability that the turn is over from which on none comes."""


@dataclass(slots=True)
class Murmurs:
    """The rule for one call; asked in every pause of the caller."""

    enabled: bool
    _last_s: float = -BETWEEN_S

    def step(
        self,
        now_s: float,
        *,
        turn_s: float,
        silence_s: float,
        over: float | None,
        in_slot: bool,
    ) -> bool:
        """Whether the agent murmurs at `now_s`; it counts as done then.

        `turn_s`: since the turn began.  `silence_s`: since the caller's voice was last heard.
        `over`: probability that the turn is over, None while it is not known.  `in_slot`: the
        caller spells or reads something out, and must hear no other voice.  Not to be asked while
        the agent has a reply under way.
        """
        shortest_s, longest_s = PAUSE_S
        if (
            not self.enabled
            or in_slot
            or over is None
            or over >= MOST_OVER
            or turn_s < SPEECH_S
            or not shortest_s <= silence_s <= longest_s
            or now_s - self._last_s < BETWEEN_S
        ):
            return False
        self._last_s = now_s
        return True
