"""One utterance on its way out: its waiting audio, how loud it leaves, and where it breaks off.

In: runs of 48 kHz samples, and where phones end.  Out: the samples in order, with their gain.  Its
clock is the number of samples taken.  Knows nothing of frames, queues or callers; pure but for its
own state.

A break is planned ahead: the voice goes on to the next phone boundary or, where none is known, to
the quietest moment within `BREAK_WITHIN_SAMPLES`, fades out before it, and then gives nothing.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

RATE_HZ = 48_000
BREAK_WITHIN_SAMPLES = RATE_HZ * 50 // 1000
"""A phone lasts some 80 ms, so its end mostly lies within; the yield must not wait for more."""
DUCK_RAMP_SAMPLES = RATE_HZ * 10 // 1000
RESTORE_RAMP_SAMPLES = RATE_HZ * 50 // 1000
RESUME_RAMP_SAMPLES = RATE_HZ * 5 // 1000
"""From a break: long enough for no click, short enough to leave the next consonant its onset."""
_QUIET_SAMPLES = RATE_HZ * 5 // 1000
"""A closure between two phones is hardly shorter."""
_STEP_SAMPLES = RATE_HZ // 1000


@dataclass
class Utterance:
    """What is known of one utterance, from its place in the order to its end."""

    number: int
    waiting: deque[Pcm] = field(default_factory=deque)
    waiting_samples: int = 0
    sent_samples: int = 0
    # [position on the line, length] of each unbroken run sent; breaks are underruns and holds,
    # so few.
    runs: list[list[int]] = field(default_factory=list)
    complete: bool = False  # No more audio will be accepted.
    over: bool = False  # Its end was reported.
    starved: bool = True  # Waits for a whole frame before it (re)starts.
    heard_in_all_s: float | None = None
    break_at: int | None = None
    """Sample at which it breaks off; None while it speaks on."""
    _fade_samples: int = 0
    _gain: float = 1.0
    _target: float = 1.0
    _gain_step: float = 0.0
    _phone_ends: list[int] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Whether what was left of it was dropped."""
        return self.heard_in_all_s is not None

    @property
    def broken(self) -> bool:
        """Whether it has come to its break and says nothing."""
        return self.break_at is not None and self.sent_samples >= self.break_at

    def put(self, pcm: Pcm) -> None:
        """Append audio."""
        if len(pcm):
            self.waiting.append(pcm)
            self.waiting_samples += len(pcm)

    def add_phone_ends(self, times_s: Sequence[float]) -> None:
        """Where phones end, in seconds of the utterance; in any order, past ones are forgotten."""
        for time_s in times_s:
            at = round(time_s * RATE_HZ)
            if at > self.sent_samples:
                insort(self._phone_ends, at)

    def take(self, count: int) -> Pcm:
        """Give the next samples at their gain: `count`, or fewer up to a break or for want of more.

        The result may be what was put, not a copy.
        """
        if self.break_at is not None:
            count = min(count, self.break_at - self.sent_samples)
        pcm = self._take_waiting(count)
        if len(pcm) and (self._gain != 1.0 or self._target != 1.0 or self.break_at is not None):
            pcm = np.rint(pcm * self._gains(len(pcm))).astype(np.int16)
        self.sent_samples += len(pcm)
        return pcm

    # Loudness

    def duck(self, db: float) -> None:
        """Lower the voice by `db` within 10 ms."""
        self._ramp_to(10 ** (-db / 20), DUCK_RAMP_SAMPLES)

    def break_off(self, fade_samples: int) -> None:
        """Plan a break, if there is none.  The fade is shorter where too little audio waits."""
        if self.break_at is not None:
            return
        earliest = min(fade_samples, self.waiting_samples)
        latest = min(max(BREAK_WITHIN_SAMPLES, fade_samples), self.waiting_samples)
        self.break_at = self.sent_samples + self._best_break(earliest, latest)
        self._fade_samples = min(fade_samples, self.break_at - self.sent_samples)

    def restore(self) -> None:
        """Speak on at full level: within 5 ms after a break, within 50 ms from a lower voice."""
        if self.break_at is not None:
            self._gain *= self._fade_at(self.sent_samples)
            self.break_at = None
            self._ramp_to(1.0, RESUME_RAMP_SAMPLES)
        elif self._target != 1.0:
            self._ramp_to(1.0, RESTORE_RAMP_SAMPLES)

    def stop(self, fade_samples: int) -> int:
        """Break off and drop what lies behind the break; returns how many samples were dropped.

        `heard_in_all_s` is then what the caller hears of it in all: the louder half of the fade
        counts.
        """
        if self.sent_samples:
            self.break_off(fade_samples)
        else:
            self.break_at = 0
        assert self.break_at is not None
        last = self._take_waiting(self.break_at - self.sent_samples)
        dropped = self.waiting_samples
        self.waiting.clear()
        self.waiting_samples = 0
        self.put(last)
        self.heard_in_all_s = (self.break_at - self._fade_samples / 2) / RATE_HZ
        self.complete = True
        return dropped

    def _ramp_to(self, gain: float, samples: int) -> None:
        self._target = gain
        self._gain_step = (gain - self._gain) / samples

    def _gains(self, count: int) -> NDArray[np.float32] | np.float32:
        """Gain of the next samples, float32 [count] or of all; moves the ramp on."""
        if self._gain == self._target:
            if self.break_at is None:
                return np.float32(self._gain)
            gains = np.full(count, self._gain, np.float32)
        else:
            gains = np.arange(1, count + 1, dtype=np.float32) * np.float32(self._gain_step)
            gains += np.float32(self._gain)
            low, high = sorted((self._gain, self._target))
            np.clip(gains, low, high, out=gains)
            self._gain += count * self._gain_step
            if not low < self._gain < high:
                self._gain = self._target
        if self.break_at is not None and self._fade_samples > 1:
            left = self.break_at - 1 - self.sent_samples - np.arange(count, dtype=np.float32)
            gains *= np.clip(left / np.float32(self._fade_samples - 1), 0.0, 1.0)
        return gains

    def _fade_at(self, position: int) -> float:
        """How far the fade before the break has come at a sample: 1 before it, 0 at its end."""
        assert self.break_at is not None
        if self._fade_samples < 2:
            return 0.0 if position >= self.break_at else 1.0
        return min(1.0, max(0.0, (self.break_at - 1 - position) / (self._fade_samples - 1)))

    # Where it breaks off

    def _best_break(self, earliest: int, latest: int) -> int:
        """Samples from here to the best break, from `earliest` to `latest`."""
        at = bisect_left(self._phone_ends, self.sent_samples + earliest)
        if at < len(self._phone_ends) and self._phone_ends[at] <= self.sent_samples + latest:
            return self._phone_ends[at] - self.sent_samples
        return earliest + _quietest(self._peek(latest)[max(0, earliest - _QUIET_SAMPLES) :])

    def _peek(self, count: int) -> NDArray[np.float32]:
        parts: list[Pcm] = []
        for run in self.waiting:
            if count <= 0:
                break
            parts.append(run[:count])
            count -= len(parts[-1])
        return np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)

    def _take_waiting(self, count: int) -> Pcm:
        parts: list[Pcm] = []
        missing = count
        while missing > 0 and self.waiting:
            run = self.waiting[0]
            parts.append(run[:missing])
            if len(run) > missing:
                self.waiting[0] = run[missing:]
            else:
                self.waiting.popleft()
            missing -= len(parts[-1])
        if not parts:
            return np.zeros(0, np.int16)
        pcm = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self.waiting_samples -= len(pcm)
        return pcm


def _quietest(sound: NDArray[np.float32]) -> int:
    """Where in a sound [N] its quietest 5 ms begin, in steps of a millisecond; the first of many.

    A moment counts as quieter only where it has less than half the energy of the first one: for
    less it is not worth to wait.
    """
    if len(sound) < 2 * _QUIET_SAMPLES:
        return 0
    sums = np.concatenate(([0.0], np.cumsum(np.square(sound, dtype=np.float64))))
    energies = (sums[_QUIET_SAMPLES:] - sums[:-_QUIET_SAMPLES])[::_STEP_SAMPLES]
    best = int(np.argmin(energies))
    return best * _STEP_SAMPLES if energies[best] < energies[0] / 2 else 0
