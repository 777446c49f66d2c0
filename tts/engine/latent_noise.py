"""The noise that a latent is drawn with, frame by frame.

In: a seed and which frames.  Out: standard normal numbers that depend on seed and absolute frame
alone: not on the device, nor on how a sentence is cut into windows of frames.  Knows nothing of
models; any thread.
"""

import numpy as np
import torch
from torch import Tensor

from tts.engine.sampling import check_seed

# The third word of the counter keeps these numbers apart from `sampling.ExponentialNoise`'s.
_STREAM = 1


class LatentNoise:
    """The noise of one utterance.  Raises BadRequest for a seed out of range."""

    def __init__(self, seed: int, channels: int, device: torch.device) -> None:
        """`seed`: 0 to 2^64 - 1."""
        check_seed(seed)
        self._seed = seed
        self._channels = channels
        self._device = device

    def __call__(self, first: int, frames: int) -> Tensor:
        """Frames first..first + frames - 1: [1, channels, frames] float32."""
        rows = np.empty((frames, self._channels), np.float32)
        for row, frame in enumerate(range(first, first + frames)):
            # The second word of the counter: frames lie 2^64 blocks apart.
            bits = np.random.Philox(key=self._seed, counter=[0, frame, _STREAM, 0])
            np.random.Generator(bits).standard_normal(dtype=np.float32, out=rows[row])
        return torch.from_numpy(rows).to(self._device).mT[None]
