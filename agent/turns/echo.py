"""How much of what the microphone hears is the agent's own voice, from loudness alone.

In: the loudness of each 20 ms frame of the caller's line and of the agent's voice as it left.
Out: how loud the echo of it must be by now, and by how much the caller's line is above that.

Three things are learnt while the agent speaks.  Whether there is an echo at all: the line then
rises and falls as the agent did, a fixed time later; a caller with headphones gives no such
likeness.  The delay with the greatest likeness.  And the coupling: how much weaker the voice comes
back.  What is learnt stays until the agent's voice is seen to come back weaker than that.  Who
talks over the echo is louder than it, and is therefore neither mistaken for it nor learnt from.

Pure.  About 10 µs a frame while the agent speaks, else next to nothing.
"""

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from agent.turns.events import SILENT_DBFS

_LAGS = 16
"""Delays of 0 to 300 ms: two playout buffers and the network.  The line's own round trip beyond
that is compensated nowhere, and such an echo goes unnoticed."""
_WINDOW_FRAMES = 100
KNOWN_FRAMES = 50
"""After a second of its own voice the agent can tell an echo."""
_LEARN_EVERY_FRAMES = 5
_LEAST_FRAMES = 20
_ALIKE = 0.75
"""Least correlation of an echo over a whole window: of real ones, in rooms of 0.15 to 0.4 s and
down to 7 dB above the noise, 95 % have more than 0.8; of a caller who talks all the time while the
agent does, 95 % have less than 0.65."""
_ALIKE_IN_SHORT = 0.2
"""More is asked for the less there is to compare: 0.85 of 50 frames."""
AGENT_SPEAKS_DBFS = -55.0
_FLOOR_DBFS = -70.0
"""What is quieter is taken to be as loud as this: digital silence has no likeness to anything."""
_DECAY_DB = 1.2
"""Each frame, by which a room's echo dies away: 60 dB in a second."""
_WEAKER_DB = 0.3
"""Each frame, by which the coupling falls while less comes back than it says."""
_LEAST_MARGIN_DB, _MOST_MARGIN_DB = 5.0, 10.0


class EchoGuard:
    """One call's echo."""

    def __init__(self) -> None:
        self.echo_dbfs = SILENT_DBFS
        """The loudest that the echo can be now; `SILENT_DBFS` where there is none."""
        self.coupling_db: float | None = None
        """Loudness of the echo less that of the agent's voice; None while there is no echo."""
        self.frames = 0
        """Of the agent's voice so far: from `KNOWN_FRAMES` on it is known whether there is one."""
        self._agent: deque[float] = deque([SILENT_DBFS] * _LAGS, maxlen=_LAGS)
        self._lag = 0
        self._margin_db = _MOST_MARGIN_DB
        self._said = np.full((_WINDOW_FRAMES, _LAGS), _FLOOR_DBFS, np.float32)
        self._heard = np.full(_WINDOW_FRAMES, _FLOOR_DBFS, np.float32)

    def step(self, level_dbfs: float, agent_dbfs: float) -> float:
        """Take a frame; return by how many dB the line is above the echo.

        At or below 0 the echo explains it; infinite while there is no echo.
        """
        self._agent.appendleft(agent_dbfs)
        if max(self._agent) > AGENT_SPEAKS_DBFS:
            self._learn(max(level_dbfs, _FLOOR_DBFS))
        self._expect()
        if self.coupling_db is None:
            return math.inf
        return level_dbfs - self.echo_dbfs

    def _learn(self, level_dbfs: float) -> None:
        at = self.frames % _WINDOW_FRAMES
        self._said[at] = np.maximum(np.fromiter(self._agent, np.float32, _LAGS), _FLOOR_DBFS)
        self._heard[at] = level_dbfs
        self.frames += 1
        if self.coupling_db is not None:
            self._weaken(float(self._said[at, self._lag]), level_dbfs)
        if self.frames >= KNOWN_FRAMES and self.frames % _LEARN_EVERY_FRAMES == 0:
            self._compare(min(self.frames, _WINDOW_FRAMES))

    def _weaken(self, said_dbfs: float, heard_dbfs: float) -> None:
        """An echo that comes back weaker than thought is one that the caller's device cancels."""
        assert self.coupling_db is not None
        expected = said_dbfs + self.coupling_db
        if said_dbfs > AGENT_SPEAKS_DBFS and expected > _FLOOR_DBFS + _LEAST_MARGIN_DB:
            if heard_dbfs < expected - _MOST_MARGIN_DB:
                self.coupling_db -= _WEAKER_DB
        if self.coupling_db < _FLOOR_DBFS:
            self.coupling_db = None

    def _compare(self, frames: int) -> None:
        """Look for the delay at which the line is most like the agent's voice."""
        said, heard = self._said[:frames], self._heard[:frames]
        alike = _correlations(said, heard)
        lag = int(np.argmax(alike))
        if alike[lag] < _ALIKE + _ALIKE_IN_SHORT * (1 - frames / _WINDOW_FRAMES):
            return
        loud = said[:, lag] >= np.median(said[said[:, lag] > AGENT_SPEAKS_DBFS, lag])
        came_back = heard[loud] - said[loud, lag]
        coupling = float(np.median(came_back))
        spread = float(np.quantile(np.abs(came_back - coupling), 0.9))
        self._lag, self.coupling_db = lag, coupling
        self._margin_db = min(max(spread + 2.0, _LEAST_MARGIN_DB), _MOST_MARGIN_DB)

    def _expect(self) -> None:
        if self.coupling_db is None:
            self.echo_dbfs = SILENT_DBFS
            return
        near = max(
            self._agent[lag] for lag in range(max(0, self._lag - 1), min(_LAGS, self._lag + 2))
        )
        now = near + self.coupling_db + self._margin_db
        self.echo_dbfs = max(now, self.echo_dbfs - _DECAY_DB, SILENT_DBFS)


def _correlations(said: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson's r of `heard` [F] with each column of `said` [F, L], over the frames in which the
    agent speaks; 0 where there are few, or one of the two does not vary.

    With its silence every caller who begins soon after the agent would be like it.
    """
    speaks = said > AGENT_SPEAKS_DBFS
    counts = np.maximum(speaks.sum(axis=0), 1)
    said = np.where(speaks, said, 0.0)
    said = np.where(speaks, said - said.sum(axis=0) / counts, 0.0)
    heard = np.where(speaks, heard[:, np.newaxis], 0.0)
    heard = np.where(speaks, heard - heard.sum(axis=0) / counts, 0.0)
    norms = np.sqrt((said * said).sum(axis=0) * (heard * heard).sum(axis=0))
    alike = np.zeros(_LAGS, np.float32)
    enough = (norms > 1e-3) & (counts >= _LEAST_FRAMES)
    np.divide((said * heard).sum(axis=0), norms, out=alike, where=enough)
    return alike
