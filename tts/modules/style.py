"""The reference encoder: how a clip sounds, as one vector.

In: the spectrogram of a reference clip.  Out: the speaker vector of SoVITS (upstream's "ge").
Runs when a voice is compiled, never while it speaks.  Any thread.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from tts.spec import STYLE_HEADS, STYLE_KERNEL, STYLE_LAYERS


class GatedConv(nn.Module):
    """A convolution with a gated linear unit and a residual: x [B, C, F] -> [B, C, F]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, 2 * channels, STYLE_KERNEL, padding=STYLE_KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return x + F.glu(self.conv(x), dim=1)


class StyleAttention(nn.Module):
    """Self-attention with a residual: x [B, F, C] -> [B, F, C]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.w_qs = nn.Linear(channels, channels)
        self.w_ks = nn.Linear(channels, channels)
        self.w_vs = nn.Linear(channels, channels)
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        # [B, H, F, D]
        q, k, v = (
            project(x).unflatten(-1, (STYLE_HEADS, -1)).transpose(1, 2)
            for project in (self.w_qs, self.w_ks, self.w_vs)
        )
        # The model was trained with the width of all heads together, not of one, as temperature.
        mixed = F.scaled_dot_product_attention(q, k, v, scale=x.shape[-1] ** -0.5)
        out: Tensor = self.fc(mixed.transpose(1, 2).flatten(2)) + x
        return out


class StyleEncoder(nn.Module):
    """Spectrogram [B, bins, F] -> speaker vector [B, gin, 1], the mean over frames."""

    def __init__(self, *, bins: int, hidden: int, gin: int) -> None:
        super().__init__()
        self.first = nn.Linear(bins, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.temporal = nn.ModuleList(GatedConv(hidden) for _ in range(STYLE_LAYERS))
        self.slf_attn = StyleAttention(hidden)
        self.last = nn.Linear(hidden, gin)

    def forward(self, spectrogram: Tensor) -> Tensor:
        """One vector for each clip of the batch."""
        x = F.mish(self.first(spectrogram.mT))  # [B, F, hidden]
        x = F.mish(self.second(x)).mT
        for gated in self.temporal:
            x = gated(x)
        by_frame: Tensor = self.last(self.slf_attn(x.mT))  # [B, F, gin]
        return by_frame.mean(dim=1)[..., None]
