"""smart-turn v3.2: how likely the caller's last words were the end of what they had to say.

In: the audio of the turn so far.  Out: a probability.  Knows nothing of thresholds, silence or
texts.  One ONNX session a process, on its own lane; `TurnModel` is called from the event loop.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

from agent import weights
from agent.offload import Lane

SAMPLE_RATE_HZ = 16_000
_WINDOW_S = 8
_WINDOW_SAMPLES = _WINDOW_S * SAMPLE_RATE_HZ


class TurnModel:
    """The shared model: `start` it once, `close` it at the end."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        # Each call asks about once in 100 ms of silence; 64 waiting is far beyond any load.
        self._lane = Lane("turn-model", threads=1, urgent_limit=64)
        self._session: onnxruntime.InferenceSession | None = None
        # Whisper's features over 8 s, which is what the model was trained on.
        self._features = FeatureExtractor(feature_size=80, chunk_length=_WINDOW_S)

    async def start(self) -> None:
        """Load the model.  Raises `agent.weights.WeightsMissing`."""
        self._session = await self._lane.run(self._load)

    async def close(self) -> None:
        """Wait for what runs and end the lane."""
        await self._lane.close()

    async def probability(self, audio: NDArray[np.float32]) -> float:
        """Probability that the turn is complete, from its audio [N], 16 kHz mono in -1..1.

        Only the last 8 s count.  Takes about 30 ms; cancelling loses nothing.
        """
        return await self._lane.run(self._infer, audio)

    def _load(self) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = self._path or weights.find(weights.SMART_TURN)
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def _infer(self, audio: NDArray[np.float32]) -> float:
        if self._session is None:
            raise RuntimeError("TurnModel.probability was called before start()")
        features = self.features(audio)[np.newaxis]
        return float(self._session.run(None, {"input_features": features})[0].item())

    def features(self, audio: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel features [80, 800]: 8 s, silence before shorter audio, unit variance."""
        recent = audio[-_WINDOW_SAMPLES:].astype(np.float32)
        padded = np.pad(recent, (_WINDOW_SAMPLES - len(recent), 0))
        normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
        return np.asarray(self._features(normal, padding=0), np.float32)
