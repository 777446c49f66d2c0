"""HuBERT: what is said in a reference clip, as content features.

In: samples at 16 kHz, as `tts.audio.reference.for_content` prepares them.  Out: features at about
50 Hz for `Sovits.quantise`.  The network is `transformers`' own, read from a local folder; nothing
is downloaded.  Runs when a voice is compiled, never while it speaks; one thread at a time.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

try:
    from transformers import HubertModel
except ImportError as missing:
    raise ImportError(
        "HuBERT needs the package transformers: pip install 'parley-voice[gpt-sovits]'"
    ) from missing


class Hubert:
    """A HuBERT model of a local folder (config.json and weights)."""

    def __init__(self, folder: Path, *, dtype: torch.dtype, device: torch.device) -> None:
        """Load it; raises `FileNotFoundError` when the folder has no config.json."""
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"{folder} is not a HuBERT folder: it has no config.json")
        model: nn.Module = HubertModel.from_pretrained(folder, local_files_only=True)
        self._model = model.to(device=device, dtype=dtype).requires_grad_(False).eval()
        self._dtype, self._device = dtype, device

    def features(self, samples: Tensor) -> Tensor:
        """Samples [B, N] at 16 kHz, not normalised -> content features [B, C, F]."""
        heard = self._model(samples.to(device=self._device, dtype=self._dtype))
        features: Tensor = heard.last_hidden_state.mT
        return features
