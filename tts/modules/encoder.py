"""The transformer encoder that SoVITS uses three times: over content, over text, over both.

In and out: features [B, C, T] of a whole utterance, every frame of which sees every other.  No
mask: one utterance, or several of equal length.  Any thread.
"""

from torch import Tensor, nn

from tts.modules.attention import RelativeAttention
from tts.modules.norm import ChannelNorm
from tts.spec import RELATIVE_WINDOW


class FeedForward(nn.Module):
    """Two convolutions with a ReLU between them: [B, C, T] -> [B, C, T]."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv1d(channels, filters, kernel, padding="same")
        self.conv_2 = nn.Conv1d(filters, channels, kernel, padding="same")

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        y: Tensor = self.conv_2(self.conv_1(x).relu())
        return y


class Encoder(nn.Module):
    """Layers of attention and feed-forward, each normalised after its residual sum."""

    def __init__(self, channels: int, filters: int, heads: int, layers: int, kernel: int) -> None:
        super().__init__()
        each = range(layers)
        self.attn_layers = nn.ModuleList(
            RelativeAttention(channels, heads, RELATIVE_WINDOW) for _ in each
        )
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in each)
        self.ffn_layers = nn.ModuleList(FeedForward(channels, filters, kernel) for _ in each)
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in each)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] -> [B, C, T]."""
        layers = zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        )
        for attention, norm_1, feed_forward, norm_2 in layers:
            x = norm_1(x + attention(x))
            x = norm_2(x + feed_forward(x))
        return x
