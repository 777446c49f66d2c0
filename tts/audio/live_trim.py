"""Measured silence around clauses whose audio is still arriving.

In: float32 samples of one clause after another, piece by piece.  Out: the same without the silence
that a model leaves before and after each clause, and with a pause of known length after it; and
where a sample went.  Quiet audio is held back until voice follows it.  The law: what comes out does
not depend on where the pieces were cut.  Pure; one instance serves one request.

`tts.audio.trim` does the same to a clause that is complete, and so can measure silence against its
loudest frame; here the level is fixed.
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from tts.audio.trim import FADE_S, FRAME_S, LEAD_S

QUIET_DBFS = -54.0
"""A frame is silent below this, after the voice's gain: 42 dB under the loudest frames of speech at
the service's loudness."""

Samples = NDArray[np.float32]
_NOTHING: Samples = np.zeros(0, np.float32)


class LiveTrim:
    """The state of one request; places are counted in samples that came, from its first one on."""

    def __init__(self, sample_rate_hz: int, *, gain_db: float = 0.0) -> None:
        """`gain_db` is what will bring the voice to the service's loudness."""
        self._rate_hz = sample_rate_hz
        self._frame = max(1, int(sample_rate_hz * FRAME_S))
        self._lead = int(sample_rate_hz * LEAD_S)
        self._fade = int(sample_rate_hz * FADE_S)
        self._quiet_power = 10 ** ((QUIET_DBFS - gain_db) / 10)
        self._held = _NOTHING
        self._held_from = 0  # place of the first sample held
        self._judged = 0  # place up to which it is known what is silent
        self._voiced = False  # whether this clause's voice has begun; if so, a voiced frame is held
        self._begun = 0  # samples of this clause that have been given
        self._gave = 0
        self._runs: list[tuple[int, int, int]] = []  # place, samples given before it, length

    @property
    def gave(self) -> int:
        """How many samples have been given."""
        return self._gave

    @property
    def settled(self) -> int:
        """Place before which every sample has been given or cut."""
        return self._held_from

    def feed(self, samples: Samples) -> Samples:
        """More of the clause -> what can be given by now; maybe nothing."""
        self._held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        unjudged = self._held[self._judged - self._held_from :]
        count = len(unjudged) // self._frame
        frames = unjudged[: count * self._frame].reshape(count, self._frame)
        loud = np.flatnonzero(np.square(frames, dtype=np.float64).mean(axis=1) > self._quiet_power)
        voiced = self._judged + loud * self._frame
        self._judged += count * self._frame
        if len(voiced) == 0:
            if not self._voiced:
                self._drop(self._judged - self._lead)
            return _NOTHING
        if not self._voiced:
            self._voiced = True
            self._drop(int(voiced[0]) - self._lead)
        # The last voiced frame stays: if the clause ends with it, it is faded out.
        return self._give(int(voiced[-1]) - self._held_from)

    def end(self, pause_s: float) -> Samples:
        """The clause is complete -> its rest, and exactly `pause_s` of silence after its voice.

        A clause without voice gives nothing, not even the pause.
        """
        rest = _NOTHING
        if self._voiced:
            length = self._frame + int(pause_s * self._rate_hz)
            rest = self._give(min(length, len(self._held)))
            fade = min(self._fade, len(rest) // 2)
            rest[len(rest) - fade :] *= np.linspace(1, 0, fade, endpoint=False, dtype=np.float32)
            silence = np.zeros(length - len(rest), np.float32)
            self._gave += len(silence)
            rest = np.concatenate([rest, silence])
        self._drop(self._held_from + len(self._held))
        self._judged, self._voiced, self._begun = self._held_from, False, 0
        return rest

    def placed(self, came: int) -> int:
        """Where a sample went: its place among those that came -> among those given.

        One that was cut is where the next that was not begins, or where the last one ended.  What
        this says of samples that are not `settled` may change.
        """
        run = bisect_right(self._runs, came, key=lambda run: run[0]) - 1
        if run < 0:
            return self._runs[0][1] if self._runs else self._gave
        place, gave, length = self._runs[run]
        return gave + min(came - place, length)

    def _drop(self, place: int) -> None:
        """Forget what is held from before a place."""
        if place > self._held_from:
            self._held = self._held[place - self._held_from :]
            self._held_from = place

    def _give(self, count: int) -> Samples:
        """The first samples held, faded in where the clause begins; a copy."""
        given = self._held[:count].copy()
        fading = np.arange(self._begun, min(self._begun + count, self._fade), dtype=np.float32)
        given[: len(fading)] *= fading / np.float32(max(1, self._fade))
        self._runs.append((self._held_from, self._gave, count))
        self._drop(self._held_from + count)
        self._begun += count
        self._gave += count
        return given
