"""Which of the voice on the caller's line is the caller's own, and how loud that usually is.

In: one frame of 20 ms at a time: how long voice has lasted (`VoiceDetector.run_s`), its loudness,
and that of the agent's voice.  Out: seconds of the caller's own voice.  What the echo of the agent
explains (`EchoGuard`) is not their own, nor what is no louder than a voice in the background.
Pure.
"""

import math
from collections import deque

from agent.turns.echo import EchoGuard
from agent.turns.events import EPSILON_S, SILENT_DBFS

FRAME_S = 0.02
FAR_DB = 6.0
"""This much below their usual loudness the caller does not speak to the agent, or it is somebody
else: people in the room and television are mostly 10 dB down and more, who turns their head away
about as much as this."""
ABOVE_BACKGROUND_DB = 6.0
"""A voice over the background is louder by this."""
FORGET_BACKGROUND_S = 4.0
ABOVE_NOISE_DB = 9.0
"""What is so much louder than the line's noise is a sound."""
MOST_LEAD_S = 0.1
"""The detector takes up to so long to find voice in a sound."""
_NOISE_RISES_DB = 0.1
_SMOOTH_FRAMES = 3
_STRETCH_S = 0.2
"""Shorter voice says little about how loud somebody speaks."""
_LOUDER, _QUIETER = 0.5, 0.1
"""How fast the usual loudness follows: who is nearest to the microphone is the caller."""


class OwnVoice:
    """One call's caller, as told from everything else on their line."""

    def __init__(self) -> None:
        self.usual_dbfs: float | None = None
        """Loudness of the caller's voice in their own turns; None before the first."""
        self.last_s = -math.inf
        """Ear time at which their own voice was last heard."""
        self.loudness_dbfs = SILENT_DBFS
        """Of the line, over the last 60 ms."""
        self.loud_s = 0.0
        """How long a sound has lasted that is no echo and no background, voice or not."""
        self._noise_dbfs = 0.0
        self._echo = EchoGuard()
        self._powers: deque[float] = deque([0.0] * _SMOOTH_FRAMES, maxlen=_SMOOTH_FRAMES)
        self._background_dbfs = SILENT_DBFS
        self._background_s = -math.inf
        self._run_s = 0.0
        self._above = False
        self._loudest_dbfs = SILENT_DBFS

    def step(
        self, now_s: float, *, run_s: float, level_dbfs: float, agent_dbfs: float, own_turn: bool
    ) -> float:
        """Take a frame that ended at `now_s`; return the seconds of own voice that it adds.

        `own_turn`: the agent has nothing to say, so the caller's usual loudness can be learnt.
        """
        self._powers.append(10 ** (level_dbfs / 10))
        self.loudness_dbfs = 10 * math.log10(sum(self._powers) / _SMOOTH_FRAMES + 1e-9)
        above_echo = self._echo.step(level_dbfs, agent_dbfs) > 0
        above, before = above_echo and self._above_background(now_s), self._above
        self._above = above
        self._noise_dbfs = min(level_dbfs, self._noise_dbfs + _NOISE_RISES_DB)
        sounds = above and level_dbfs > self._noise_dbfs + ABOVE_NOISE_DB
        self.loud_s = self.loud_s + FRAME_S if sounds else 0.0
        added_s = run_s if run_s < self._run_s else run_s - self._run_s
        if own_turn:
            self._learn(run_s)
        self._run_s = run_s
        if added_s < EPSILON_S:
            return 0.0
        # A window of the detector ends in this frame and began in the one before.
        if not (above or before):
            return 0.0
        self.last_s = now_s
        return added_s

    def is_far(self, loudness_dbfs: float) -> bool:
        """Whether somebody who is at loudest so loud is too quiet to speak to the agent."""
        return self.usual_dbfs is not None and loudness_dbfs < self.usual_dbfs - FAR_DB

    def put_behind(self, loudness_dbfs: float, now_s: float) -> None:
        """A voice of this loudness was none of the caller's; it may go on for long."""
        self._background_dbfs = max(self._background_dbfs, loudness_dbfs)
        self._background_s = now_s
        self._above = False

    def _above_background(self, now_s: float) -> bool:
        if self._background_dbfs <= SILENT_DBFS:
            return True
        if self.loudness_dbfs >= self._background_dbfs + ABOVE_BACKGROUND_DB:
            return True
        if self._run_s:
            self._background_s = now_s
        elif now_s - self._background_s > FORGET_BACKGROUND_S:
            self._background_dbfs = SILENT_DBFS
        return False

    def _learn(self, run_s: float) -> None:
        if run_s:
            self._loudest_dbfs = max(self._loudest_dbfs, self.loudness_dbfs)
            return
        if self._run_s >= _STRETCH_S:
            usual = self._loudest_dbfs if self.usual_dbfs is None else self.usual_dbfs
            towards = _LOUDER if self._loudest_dbfs > usual else _QUIETER
            self.usual_dbfs = usual + towards * (self._loudest_dbfs - usual)
        self._loudest_dbfs = SILENT_DBFS
