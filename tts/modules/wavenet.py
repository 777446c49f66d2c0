"""A stack of gated convolutions steered by a speaker vector (WaveNet without dilation).

In and out: features [B, C, F]; each output frame depends on `layers * (kernel // 2)` frames each
side of it and on nothing else.  Any thread.
"""

import torch
from torch import Tensor, nn


class WaveNet(nn.Module):
    """Gated residual layers, their skips summed: x [B, C, F], g [B, G, 1] -> [B, C, F]."""

    def __init__(self, channels: int, kernel: int, layers: int, gin: int) -> None:
        super().__init__()
        self.cond_layer = nn.Conv1d(gin, 2 * channels * layers, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(channels, 2 * channels, kernel, padding=kernel // 2) for _ in range(layers)
        )
        # The last layer has no successor, so it makes no residual half.
        outputs = [2 * channels] * (layers - 1) + [channels]
        self.res_skip_layers = nn.ModuleList(nn.Conv1d(channels, out, 1) for out in outputs)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        """Same shape as x."""
        channels = x.shape[1]
        conditions = self.cond_layer(g).chunk(len(self.in_layers), dim=1)
        skipped = torch.zeros_like(x)
        layers = zip(self.in_layers, self.res_skip_layers, conditions, strict=True)
        for in_layer, res_skip_layer, condition in layers:
            filtered, gate = (in_layer(x) + condition).chunk(2, dim=1)
            out = res_skip_layer(filtered.tanh() * gate.sigmoid())
            skipped = skipped + out[:, -channels:]
            x = x + out[:, :channels]  # after the last layer nobody reads it
        return skipped
