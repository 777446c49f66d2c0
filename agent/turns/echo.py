"""How much of what the microphone hears is the agent's own voice, from loudness alone.

In: the loudness of each 20 ms frame of the caller's line and of the agent's voice as it left.
Out: how loud the echo of it must be by now, and by how much the caller's line is above that.

Three things are learnt while the agent speaks.  Whether there is an echo at all: the line then
rises and falls as the agent did, a fixed time later; a caller with headphones gives no such
likeness.  The delay with the greatest likeness.  And the coupling: how much weaker the voice comes
back.  What is learnt stays until the agent's voice is seen to come back weaker than that.  Who
talks over the echo is louder than it, and is therefore neither mistaken for it nor learnt from.

Pure.  Some 5 µs a frame, and 0.1 ms every fifth of a second while the agent speaks.
"""

import math
from collections import deque
from itertools import islice

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from agent.turns.events import SILENT_DBFS

_LAGS = 16
"""Delays of 0 to 300 ms: two playout buffers and the network.  The line's own round trip beyond
that is compensated nowhere, and such an echo goes unnoticed."""
_WINDOW_FRAMES = 150
KNOWN_FRAMES = 50
"""After a second of its own voice the agent can tell an echo; after two it can also tell that
what is somewhat like one is none."""
_ASSUMED_DB = -10.0
"""Coupling of a loud echo."""
_UNANSWERED_FRAMES = 5
"""Quiet on the line though the echo of a loud moment was due after some delay: that delay has
none."""
_LOUD_DB = 8.0
"""Up to this much below the agent's loudest frame it is loud."""
_QUIET_DBFS = -55.0
"""What is quieter is no voice to `agent.turns.vad` either."""
_LEARN_EVERY_FRAMES = 10
_LEAST_FRAMES = 20
_ALIKE = 0.75
"""Least correlation of an echo over 2 s of the agent's voice: of real ones, in rooms of 0.15 to
0.4 s and down to 7 dB above the noise, 95 % have more than 0.8; of a caller who talks all the time
while the agent does, 95 % have less than 0.65."""
_UNLIKE = 0.6
_ALIKE_FRAMES = 100
_ALIKE_IN_SHORT = 0.2
"""More is asked for the less there is to compare: 0.85 of 50 frames."""
AGENT_SPEAKS_DBFS = -55.0
_FLOOR_DBFS = -70.0
"""What is quieter is taken to be as loud as this: digital silence has no likeness to anything."""
_DECAY_DB = 1.2
"""Each frame, by which a room's echo dies away: 60 dB in a second."""
_WEAKER_DB = 0.3
"""Each frame, by which the coupling falls while less comes back than it says."""
_LEAST_MARGIN_DB, _MOST_MARGIN_DB = 5.0, 8.0


class EchoGuard:
    """One call's echo."""

    def __init__(self) -> None:
        self.echo_dbfs = SILENT_DBFS
        """The loudest that the echo can be now; `SILENT_DBFS` where there is none."""
        self.coupling_db: float | None = None
        """Loudness of the echo less that of the agent's voice; None while there is no echo."""
        self._frames = 0  # of the agent's voice so far
        self._unanswered = [0] * _LAGS
        self._loudest_dbfs = AGENT_SPEAKS_DBFS + _LOUD_DB
        self._known = False
        kept = _WINDOW_FRAMES + _LAGS - 1
        self._said: deque[float] = deque([_FLOOR_DBFS] * kept, maxlen=kept)
        self._heard: deque[float] = deque([_FLOOR_DBFS] * _WINDOW_FRAMES, maxlen=_WINDOW_FRAMES)
        self._lag = 0
        self._margin_db = _MOST_MARGIN_DB

    def step(self, level_dbfs: float, agent_dbfs: float) -> float:
        """Take a frame; return by how many dB the line is above the echo.

        At or below 0 the echo explains it; infinite while there is no echo.
        """
        self._said.append(max(agent_dbfs, _FLOOR_DBFS))
        self._heard.append(max(level_dbfs, _FLOOR_DBFS))
        if not self._known:
            self._listen(level_dbfs)
        if agent_dbfs > AGENT_SPEAKS_DBFS:
            self._frames += 1
            if self._frames >= KNOWN_FRAMES and self._frames % _LEARN_EVERY_FRAMES == 0:
                self._compare()
        if self.coupling_db is not None:
            self._expect(self.coupling_db)
            self._weaken(self.coupling_db)
        elif self._known:
            self.echo_dbfs = SILENT_DBFS
        return math.inf if self.echo_dbfs <= SILENT_DBFS else level_dbfs - self.echo_dbfs

    def _listen(self, level_dbfs: float) -> None:
        """While nothing is known: expect the worst, unless nothing comes back."""
        recent = list(islice(reversed(self._said), _LAGS))
        loudest = max(recent)
        self._loudest_dbfs = max(self._loudest_dbfs, loudest)
        if level_dbfs < _QUIET_DBFS:
            for lag, said_dbfs in enumerate(recent):
                self._unanswered[lag] += said_dbfs > self._loudest_dbfs - _LOUD_DB
            self._known = min(self._unanswered) >= _UNANSWERED_FRAMES
        speaks = loudest > AGENT_SPEAKS_DBFS
        self.echo_dbfs = loudest + _ASSUMED_DB if speaks else SILENT_DBFS

    def _expect(self, coupling_db: float) -> None:
        said, lag = self._said, self._lag
        near = max(said[-1 - lag], said[-lag or -1], said[-2 - lag])
        now = near + coupling_db + self._margin_db
        self.echo_dbfs = max(now, self.echo_dbfs - _DECAY_DB, SILENT_DBFS)

    def _weaken(self, coupling_db: float) -> None:
        """An echo that comes back weaker than thought is one that the caller's device cancels."""
        said_dbfs = self._said[-1 - self._lag]
        expected = said_dbfs + coupling_db
        if said_dbfs > AGENT_SPEAKS_DBFS and expected > _FLOOR_DBFS + _LEAST_MARGIN_DB:
            if self._heard[-1] < expected - _MOST_MARGIN_DB:
                self.coupling_db = coupling_db - _WEAKER_DB

    def _compare(self) -> None:
        """Look for the delay at which the line is most like the agent's voice."""
        # said [F, L]: in row f, what was said L - 1 frames before it up to what was said in it.
        said = sliding_window_view(np.array(self._said), _LAGS)
        heard = np.array(self._heard)
        alike = _correlations(said, heard)
        column = int(np.argmax(alike))
        short = max(0.0, 1 - self._frames / _ALIKE_FRAMES)
        self._known = self._known or not short or alike[column] < _UNLIKE
        if alike[column] < _ALIKE + _ALIKE_IN_SHORT * short:
            return
        loudness = said[:, column]
        loud = loudness >= np.median(loudness[loudness > AGENT_SPEAKS_DBFS])
        came_back = np.sort(heard[loud] - loudness[loud])
        middle = float(came_back[len(came_back) // 2])
        spread = float(np.sort(np.abs(came_back - middle))[int(0.8 * (len(came_back) - 1))])
        self._lag, self.coupling_db = _LAGS - 1 - column, middle
        self._margin_db = min(max(spread + 2.0, _LEAST_MARGIN_DB), _MOST_MARGIN_DB)


def _correlations(said: NDArray[np.float64], heard: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's r of `heard` [F] with each column of `said` [F, L], over the frames in which the
    agent speaks; 0 where there are few, or one of the two does not vary.

    With its silence every caller who begins soon after the agent would be like it.
    """
    speaks = (said > AGENT_SPEAKS_DBFS).astype(np.float64)
    said = said * speaks
    counts, heards, heard_squares = np.stack((np.ones_like(heard), heard, heard * heard)) @ speaks
    saids, products = np.stack((np.ones_like(heard), heard)) @ said
    counts = np.maximum(counts, 1)
    said_power = (said * said).sum(axis=0) - saids**2 / counts
    heard_power = heard_squares - heards**2 / counts
    norms = np.sqrt(np.maximum(said_power * heard_power, 0.0))
    alike = np.zeros(_LAGS)
    enough = (norms > 1.0) & (counts >= _LEAST_FRAMES)
    np.divide(products - saids * heards / counts, norms, out=alike, where=enough)
    return alike
