"""Where the caller's voice begins and ends, on the clock of samples received.

In: 20 ms frames of one call.  Out: `SpeechStarted` and `SpeechStopped`, with the estimated times
of the true onset and offset.  Knows nothing of turns, texts or the agent's own voice.  `VoiceGate`
decides and is pure; `VoiceActivity` feeds it from webrtcvad and silero.  One object a call, on the
event loop.
"""

import math
from collections.abc import Sequence

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from agent.config import VadConfig
from agent.silero import FRESH, WINDOW_SAMPLES, Silero
from agent.turns.events import EPSILON_S, SILENT_DBFS, SpeechStarted, SpeechStopped

SAMPLE_RATE_HZ = 16_000
FRAME_SAMPLES = 320
FRAME_S = FRAME_SAMPLES / SAMPLE_RATE_HZ
WINDOW_S = WINDOW_SAMPLES / SAMPLE_RATE_HZ

_SURE_TAIL_S = 0.02
"""How long silero goes on after the last sound: 0.01 s on clean speech, up to 0.1 s in noise."""
_UNSURE = 0.15
"""This far below the threshold a window neither counts as voice nor breaks a run of it."""
_FLOOR_DBFS = -55.0
"""Quieter sound is nobody speaking to us: voices in the next room, the noise of a good line."""


class VoiceGate:
    """The decision, one step a 20 ms frame; `speaking` says what it believes.

    A start must be sure: silero's windows of `start_ms` in a row.  A stop is fast: silero silent
    for `stop_ms` and webrtcvad silent now.  webrtcvad hears voice in some noises, so its veto ends
    after another `stop_ms`.
    """

    def __init__(self, config: VadConfig) -> None:
        self.speaking = False
        self._threshold = config.threshold
        self._start_s = config.start_ms / 1000
        self._stop_s = config.stop_ms / 1000
        self._frames = 0
        self._windows = 0
        self._run_windows = 0
        self._onset_s = 0.0
        self.last_voice_s = 0.0
        """End of the newest window in which silero heard voice."""

    @property
    def now_s(self) -> float:
        """Time at the end of the newest frame."""
        return self._frames * FRAME_S

    @property
    def run_s(self) -> float:
        """Length of the voice that goes on now, believed or not."""
        return self._run_windows * WINDOW_S

    def step(self, fast: bool, sure: float | None) -> SpeechStarted | SpeechStopped | None:
        """Take one frame: webrtcvad's word, and silero's if one of its windows ended in it."""
        self._frames += 1
        if sure is not None:
            self._windows += 1
            self._take_window(sure)
        if not self.speaking:
            if self._run_windows * WINDOW_S < self._start_s - EPSILON_S:
                return None
            self.speaking = True
            return SpeechStarted(self._onset_s)
        silent_s = self.now_s - self.last_voice_s + EPSILON_S
        if silent_s < self._stop_s or (fast and silent_s < 2 * self._stop_s):
            return None
        self.speaking = False
        self._run_windows = 0
        return SpeechStopped(max(self._onset_s, self.last_voice_s - _SURE_TAIL_S))

    def _take_window(self, sure: float) -> None:
        end_s = self._windows * WINDOW_S
        if sure >= self._threshold:
            if self._run_windows == 0 and not self.speaking:
                self._onset_s = end_s - WINDOW_S
            self._run_windows += 1
            self.last_voice_s = end_s
        elif sure < self._threshold - _UNSURE:
            self._run_windows = 0


class VoiceActivity:
    """One call's detector.  `process` takes about 0.1 ms."""

    def __init__(self, config: VadConfig, silero: Silero) -> None:
        self._gate = VoiceGate(config)
        self._fast = webrtcvad.Vad(config.webrtc_mode)
        self._silero = silero
        self._state = FRESH
        self._reset = _ResetRule()
        self._floor = 10 ** (_FLOOR_DBFS / 20)
        self._pending = np.zeros(0, np.float32)
        self.level_dbfs = SILENT_DBFS
        """Loudness (RMS) of the newest frame."""

    @property
    def speaking(self) -> bool:
        """Whether a voice is believed to be there."""
        return self._gate.speaking

    @property
    def last_voice_s(self) -> float:
        """Time at which a voice was last heard, on the clock of samples received."""
        return self._gate.last_voice_s

    @property
    def run_s(self) -> float:
        """Length of what sounds like voice and goes on now, believed or not."""
        return self._gate.run_s

    def process(self, pcm: NDArray[np.int16]) -> Sequence[SpeechStarted | SpeechStopped]:
        """Take 20 ms of 16 kHz audio int16 [320].  Raises ValueError for anything else."""
        if pcm.shape != (FRAME_SAMPLES,) or pcm.dtype != np.int16:
            raise ValueError(f"pcm is {pcm.dtype}{list(pcm.shape)}, must be int16[320]")
        sound = pcm.astype(np.float32) / np.float32(32768)
        loudness = _rms(sound)
        self.level_dbfs = max(SILENT_DBFS, 20 * math.log10(loudness)) if loudness else SILENT_DBFS
        fast = loudness >= self._floor and self._fast.is_speech(pcm.tobytes(), SAMPLE_RATE_HZ)
        self._pending = np.concatenate((self._pending, sound))
        sure = None
        if len(self._pending) >= WINDOW_SAMPLES:
            sure = self._listen(self._pending[:WINDOW_SAMPLES])
            self._pending = self._pending[WINDOW_SAMPLES:]
        event = self._gate.step(fast, sure)
        return [] if event is None else [event]

    def _listen(self, window: NDArray[np.float32]) -> float:
        # On the event loop: 0.1 ms a window is less than handing it to a thread and back.
        probability, self._state = self._silero.step(window, self._state)
        if self._reset.due(probability, self._gate.speaking):
            self._state = FRESH
        return probability if _rms(window) >= self._floor else 0.0


class _ResetRule:
    """When silero should forget: long music or silence deafens its memory to the next voice.

    Every 2 s, but only while nobody speaks and the last five windows were clearly no voice.
    """

    _EVERY_WINDOWS = math.ceil(2.0 / WINDOW_S)

    def __init__(self) -> None:
        self._since_reset = 0
        self._clear_windows = 0

    def due(self, probability: float, speaking: bool) -> bool:
        self._since_reset += 1
        self._clear_windows = self._clear_windows + 1 if probability < 0.1 else 0
        if speaking or self._clear_windows < 5 or self._since_reset < self._EVERY_WINDOWS:
            return False
        self._since_reset = 0
        return True


def _rms(sound: NDArray[np.float32]) -> float:
    return math.sqrt(float(np.dot(sound, sound)) / len(sound))
