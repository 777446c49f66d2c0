"""Where content meets text and timbre: the multi-reference timbre encoder of SoVITS.

In: content features, text features and a speaker vector.  Out: content features that know which
phones they speak and in whose voice, and which phones each frame looked at.  Any thread.
"""

from torch import Tensor, nn

from tts.modules.attention import CrossAttention
from tts.spec import MRTE_HEADS


class Mrte(nn.Module):
    """Content frames attend to phones; the speaker vector is added to every frame."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.cross_attention = CrossAttention(hidden, MRTE_HEADS)
        self.c_pre = nn.Conv1d(channels, hidden, 1)
        self.text_pre = nn.Conv1d(channels, hidden, 1)
        self.c_post = nn.Conv1d(hidden, channels, 1)

    def forward(self, content: Tensor, text: Tensor, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """content [B, C, F], text [B, C, T], speaker [B, hidden, 1] -> content [B, C, F], and how
        much of each frame went to each phone, [B, F, T]: the mean over the heads."""
        content = self.c_pre(content)
        found, weights = self.cross_attention(content, self.text_pre(text))
        return self.c_post(found + content + speaker), weights.mean(dim=1)
