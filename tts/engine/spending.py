"""What engine time was spent on, and how much of it was for nothing.

In: steps and pieces of one request, and how much of its audio was taken; works of all of them.
Out: seconds and counts.  Pure; no clock of its own.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tts.engine.types import Kind, Work


class Spending:
    """The engine time of one request."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        # Audio and engine time up to the end of each piece.
        self._audio_s = [0.0]
        self._spent_s = [0.0]

    def spend(self, seconds: float) -> None:
        """The engine worked on it; of work done as one with others', its share."""
        self.spent_s += seconds

    def gave(self, audio_s: float) -> None:
        """What was spent since the last piece went into this one."""
        self._audio_s.append(self._audio_s[-1] + audio_s)
        self._spent_s.append(self.spent_s)

    def wasted_s(self, taken_s: float) -> float:
        """Engine time that went into anything but the first `taken_s` seconds of audio."""
        i = bisect_right(self._audio_s, taken_s)
        if i == len(self._audio_s):
            return self.spent_s - self._spent_s[-1]
        start_s, end_s = self._audio_s[i - 1], self._audio_s[i]
        share = (taken_s - start_s) / (end_s - start_s)
        used_s = self._spent_s[i - 1] + share * (self._spent_s[i] - self._spent_s[i - 1])
        return self.spent_s - used_s


@dataclass(frozen=True, slots=True)
class Spent:
    """Sums over the requests of an engine that have ended and that nobody reads any more."""

    streams: int = 0
    spent_s: float = 0.0
    """Engine time."""
    wasted_s: float = 0.0
    """Of it, for audio that nobody took or that was cancelled before it can have been played."""
    steps_after_cancel: int = 0
    """Steps begun for a request that was cancelled already: 0, or something is broken."""
    underruns: int = 0
    """Pieces that came after playback had run dry, waiting for text aside."""


@dataclass(slots=True)
class Ran:
    """What an engine did since it started, for whomever."""

    seconds: float = 0.0
    """Time that it worked."""
    steps: int = 0
    """Steps of requests, besides the works they wait for."""
    tokens: int = 0
    """Tokens that it drew."""
    batches: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    """How often so many works of a kind ran as one."""

    def batch(self, works: Sequence[Work], seconds: float) -> None:
        """These works ran as one."""
        kind = works[0].kind
        self.seconds += seconds
        self.batches[kind, len(works)] += 1
        if kind is Kind.TOKEN:
            self.tokens += sum(work.size for work in works)

    def step(self, seconds: float) -> None:
        """A request took a step."""
        self.seconds += seconds
        self.steps += 1

    def now(self) -> "Ran":
        """It as it is now, and stays."""
        return replace(self, batches=self.batches.copy())
