"""Layer normalisation over channels.  Tensors in, tensors out; any thread."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-5


class ChannelNorm(nn.Module):
    """Normalise x [B, C, T] over C at each T; gain and offset bear their names in the files."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        normed = F.layer_norm(x.mT, self.gamma.shape, self.gamma, self.beta, _EPSILON)
        return normed.mT
