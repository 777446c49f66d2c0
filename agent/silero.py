"""Silero's voice model: how likely a window of sound holds a voice.

In: windows of 512 samples at 16 kHz and the state left by the window before.  Out: a probability
and the next state.  One ONNX session is shared by all calls and threads; whoever feeds a stream
owns that stream's state.  Knows nothing of thresholds or speech segments.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class SileroState:
    """What the model remembers of one stream; never changed in place."""

    memory: NDArray[np.float32]
    """The recurrent state [2, 1, 128]."""
    context: NDArray[np.float32]
    """The last samples of the window before [1, 64]."""


FRESH = SileroState(
    memory=np.zeros((2, 1, 128), np.float32),
    context=np.zeros((1, _CONTEXT_SAMPLES), np.float32),
)
"""The state before the first window."""


class Silero:
    """The shared session; calls take about 0.1 ms and may come from any thread."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        # One thread: a window is too little work to share, and waking others costs more.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._rate = np.array(SAMPLE_RATE_HZ, np.int64)

    def step(self, window: NDArray[np.float32], state: SileroState) -> tuple[float, SileroState]:
        """Probability of voice in a window [512] in -1..1, and the state for the next one."""
        sound = np.concatenate((state.context, window[np.newaxis]), axis=1)
        probability, memory = self._session.run(
            None, {"input": sound, "state": state.memory, "sr": self._rate}
        )
        return float(probability[0, 0]), SileroState(memory, sound[:, -_CONTEXT_SAMPLES:])

    def probabilities(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability for each whole window of a recording [N], from a fresh state."""
        state, found = FRESH, []
        for start in range(0, len(audio) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
            probability, state = self.step(audio[start : start + WINDOW_SAMPLES], state)
            found.append(probability)
        return np.array(found, np.float32)
