"""HuBERT: what is said in a reference clip, as content features.

In: samples at 16 kHz, as `tts.audio.reference.for_content` prepares them.  Out: features at about
50 Hz for `Sovits.quantise`.  The network is `transformers`' own, read from a local folder; nothing
is downloaded.  Runs when a voice is compiled, never while it speaks; one thread at a time.
"""

from pathlib import Path

import torch
from torch import Tensor

try:
    from transformers import HubertModel

    from tts.models.local import load
except ImportError as missing:
    raise ImportError(
        "HuBERT needs the package transformers: pip install 'parley-voice[gpt-sovits]'"
    ) from missing


class Hubert:
    """A HuBERT model of a local folder (config.json and weights)."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, device: torch.device) -> None:
        """Load it; raises what `tts.models.local.load` raises."""
        self._model = load(HubertModel, folder, dtype=dtype, device=device)
        self._dtype, self._device = dtype, device

    def features(self, samples: Tensor) -> Tensor:
        """Samples [B, N] at 16 kHz, not normalised -> content features [B, C, F]."""
        heard = self._model(samples.to(device=self._device, dtype=self._dtype))
        features: Tensor = heard.last_hidden_state.mT
        return features
