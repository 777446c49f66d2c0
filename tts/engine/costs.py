"""What model work costs, learnt from what was measured.

In: kinds, sizes and lengths of work that ran.  Out: how long such work will take, and how long a
whole tally of work will.  Pure: no clock, no thread of its own, no torch.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from tts.engine.types import Kind

MEMORY = 0.95
"""What an observation keeps of its weight when the next one of its kind and batch comes."""

STALE = 500
"""A batch size that so many works of its kind have passed by is as good as never measured: what it
once cost must not keep it from being tried again."""

OUTLIER, SURE = 3.0, 5
"""Once so many observations are there, one counts for at most so many times what was predicted, so
that one stall of the machine does not move the prediction far."""

GROWTH = 0.05
"""What one more work in a batch is taken to add to the time of a work alone, where no batch of
that size or larger was measured."""


@dataclass(slots=True)
class Tally:
    """An amount of work: what was done, or what is still to do."""

    prefills: float = 0.0
    places: float = 0.0
    """Places read by all the prefills."""
    tokens: float = 0.0
    sounds: float = 0.0
    frames: float = 0.0
    """Frames of all the sounds."""
    plain_s: float = 0.0
    """Seconds of steps that the engine took by itself."""

    def add(self, kind: Kind, size: float) -> None:
        """One more piece of work."""
        if kind is Kind.TOKEN:
            self.tokens += 1
        elif kind is Kind.SOUND:
            self.sounds += 1
            self.frames += size
        else:
            self.prefills += 1
            self.places += size

    def plus(self, other: "Tally", share: float = 1.0) -> "Tally":
        """It and a share of another."""
        return Tally(
            self.prefills + share * other.prefills,
            self.places + share * other.places,
            self.tokens + share * other.tokens,
            self.sounds + share * other.sounds,
            self.frames + share * other.frames,
            self.plain_s + share * other.plain_s,
        )

    def times(self, factor: float) -> "Tally":
        """So many times it."""
        return Tally().plus(self, factor)


@dataclass(slots=True)
class _Line:
    """Seconds as a + b * size, by least squares in which old observations fade."""

    weight: float = 0.0
    size: float = 0.0
    """Weighted mean."""
    seconds: float = 0.0
    """Weighted mean."""
    spread: float = 0.0
    """Weighted sum of squared distances of sizes from their mean."""
    joint: float = 0.0
    """The same of sizes and seconds."""
    seen: int = 0
    last: int = 0
    """How many works of its kind had run when it was last measured."""

    def add(self, size: float, seconds: float) -> None:
        if self.seen >= SURE:
            seconds = min(seconds, OUTLIER * self.at(size))
        self.seen += 1
        self.weight = MEMORY * self.weight + 1
        gain = 1 / self.weight
        off_size, off_s = size - self.size, seconds - self.seconds
        self.size += gain * off_size
        self.seconds += gain * off_s
        self.spread = MEMORY * self.spread + (1 - gain) * off_size * off_size
        self.joint = MEMORY * self.joint + (1 - gain) * off_size * off_s

    def at(self, size: float) -> float:
        # Neither a nor b is below 0: no work is free, and none gets cheaper by growing.
        proportional = self.seconds / self.size if self.size > 0 else 0.0
        slope = proportional
        if self.spread > 0.01 * self.weight * self.size * self.size:
            slope = min(max(self.joint / self.spread, 0.0), proportional)
        return self.seconds + slope * (size - self.size)


class _Kind:
    """What works of one kind took, by how many ran as one."""

    def __init__(self) -> None:
        self.ran = 0
        # Mean square of how far works were off what was predicted, as a share of that.
        self._off = 0.0
        self._lines: dict[int, _Line] = {}
        self._batches: list[int] = []
        """Those that were measured, in order."""
        # Answers since the last observation: a turn asks the same again and again.
        self._known: dict[tuple[float, int], float] = {}

    def add(self, size: float, batch: int, seconds: float) -> None:
        self.ran += 1
        self._known.clear()
        line = self._lines.get(batch)
        if line is None or self._stale(line):
            if line is None:
                insort(self._batches, batch)
            line = self._lines[batch] = _Line()
        elif (expected_s := line.at(size)) > 0:
            off = min(seconds / expected_s, OUTLIER) - 1
            self._off += (1 - MEMORY) * (off * off - self._off)
        line.last = self.ran
        line.add(size, seconds)

    def at(self, size: float, batch: int) -> float:
        """Seconds; 0 while nothing was measured."""
        known = self._known.get((size, batch))
        if known is None:
            known = self._known[size, batch] = self._reckoned(size, batch)
        return known

    def _reckoned(self, size: float, batch: int) -> float:
        """A batch between two that were measured is on the line between them."""
        i = bisect_left(self._batches, batch)
        above = self._first(self._batches[i:])
        if above == batch:
            return self._lines[batch].at(size)
        below = self._first(self._batches[i - 1 :: -1] if i else [])
        if below is None:
            return self._lines[above].at(size) if above else 0.0
        low_s = self._lines[below].at(size)
        if above is None:
            return low_s * (1 + GROWTH * (batch - below) / below)
        high_s = self._lines[above].at(size)
        return low_s + (high_s - low_s) * (batch - below) / (above - below)

    @property
    def late(self) -> float:
        """How many times what is predicted a work takes at most, two standard deviations off."""
        return 1 + 2 * math.sqrt(self._off)

    def _first(self, batches: Sequence[int]) -> int | None:
        return next((one for one in batches if not self._stale(self._lines[one])), None)

    def _stale(self, line: _Line) -> bool:
        return self.ran - line.last > STALE


class Costs:
    """Predicted seconds of work by kind, size and batch size; 0 for a kind never measured."""

    def __init__(self) -> None:
        self._kinds = {kind: _Kind() for kind in Kind}

    def observe(self, kind: Kind, size: float, batch: int, seconds: float) -> None:
        """`batch` works of a mean size took `seconds` together."""
        self._kinds[kind].add(size, batch, seconds)

    def predict(self, kind: Kind, size: float, batch: int = 1) -> float:
        """Seconds that `batch` works of this mean size will take together."""
        return self._kinds[kind].at(size, batch)

    def late(self, kind: Kind) -> float:
        """How many times what is predicted such work takes at most in some 95 of 100 cases."""
        return self._kinds[kind].late

    def prefills_s(self, work: Tally) -> float:
        """Seconds of a tally's prefills, one after the other."""
        if work.prefills == 0:
            return 0.0
        return work.prefills * self.predict(Kind.PREFILL, work.places / work.prefills)

    def sounds_s(self, work: Tally) -> float:
        """Seconds of a tally's sounds, one after the other."""
        if work.sounds == 0:
            return 0.0
        return work.sounds * self.predict(Kind.SOUND, work.frames / work.sounds)

    def token_s(self, batch: int) -> float:
        """Seconds of one token of each of `batch` requests."""
        return self.predict(Kind.TOKEN, 1, batch)
