"""The normalising flow of SoVITS, in the direction of synthesis: latent in, latent out.

It moves the text encoder's guess towards what the waveform decoder was trained on.  Each output
frame depends on a bounded number of frames each side.  Any thread.
"""

import torch
from torch import Tensor, nn

from tts.modules.wavenet import WaveNet
from tts.spec import FLOW_COUPLINGS, FLOW_KERNEL, FLOW_LAYERS


class Coupling(nn.Module):
    """One half of the channels shifts the other: x [B, C, F], g [B, G, 1] -> [B, C, F]."""

    def __init__(self, channels: int, hidden: int, gin: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(channels // 2, hidden, 1)
        self.enc = WaveNet(hidden, FLOW_KERNEL, FLOW_LAYERS, gin)
        self.post = nn.Conv1d(hidden, channels // 2, 1)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        """Undo the shift that training added."""
        kept, shifted = x.chunk(2, dim=1)
        shift = self.post(self.enc(self.pre(kept), g))
        return torch.cat([kept, shifted - shift], dim=1)


class Flow(nn.Module):
    """Couplings, last to first, each after its channels were reversed."""

    def __init__(self, channels: int, hidden: int, gin: int) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(
            Coupling(channels, hidden, gin) for _ in range(FLOW_COUPLINGS)
        )

    @property
    def reach_frames(self) -> int:
        """Frames each side of a frame that its output depends on."""
        return FLOW_COUPLINGS * FLOW_LAYERS * (FLOW_KERNEL // 2)

    def forward(self, z_p: Tensor, g: Tensor) -> Tensor:
        """z_p [B, C, F], g [B, G, 1] -> z [B, C, F]."""
        z = z_p
        for coupling in reversed(self.couplings):
            z = coupling(z.flip(1), g)
        return z
