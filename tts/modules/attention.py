"""Attention over [B, C, T] features: cross-attention, and self-attention that knows offsets.

In and out: feature tensors of whole utterances.  No masks, no caches and no notion of text or
audio; any thread.  The relative form is that of Shaw et al. 2018 (arXiv 1803.02155) as VITS uses
it: a learned key and a learned value for each of the offsets -W..W, shared by the heads.
"""

import torch
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Each frame of x [B, C, T] looks at all of context [B, C, S]."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """What each frame found, [B, C, T], and where: its weights [B, H, T, S], which sum to 1."""
        q = split_heads(self.conv_q(x), self.heads)  # [B, H, T, D]
        k = split_heads(self.conv_k(context), self.heads)
        v = split_heads(self.conv_v(context), self.heads)
        weights = (q * q.shape[-1] ** -0.5 @ k.mT).softmax(dim=-1)
        return self.conv_o(join_heads(weights @ v)), weights


class RelativeAttention(nn.Module):
    """Self-attention with learned keys and values for near offsets: x [B, C, T] -> [B, C, T]."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        offsets = 2 * window + 1
        self.emb_rel_k = nn.Parameter(torch.zeros(1, offsets, channels // heads))
        self.emb_rel_v = nn.Parameter(torch.zeros(1, offsets, channels // heads))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        q = split_heads(self.conv_q(x), self.heads)  # [B, H, T, D]
        k = split_heads(self.conv_k(x), self.heads)
        v = split_heads(self.conv_v(x), self.heads)
        q = q * q.shape[-1] ** -0.5
        scores = q @ k.mT + place_offsets(q @ self.emb_rel_k.mT, self.window)
        weights = scores.softmax(dim=-1)  # [B, H, T, T]
        mixed = weights @ v + take_offsets(weights, self.window) @ self.emb_rel_v
        out: Tensor = self.conv_o(join_heads(mixed))
        return out


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[B, C, T] -> [B, H, T, D] with C = H * D."""
    batch, channels, frames = x.shape
    return x.view(batch, heads, channels // heads, frames).mT


def join_heads(x: Tensor) -> Tensor:
    """[B, H, T, D] -> [B, C, T], the inverse of `split_heads`."""
    return x.mT.flatten(1, 2)


def place_offsets(by_offset: Tensor, window: int) -> Tensor:
    """Values by offset, [B, H, T, 2W + 1], at their columns: [B, H, T, T], zero further away."""
    frames = by_offset.shape[-2]
    at = torch.arange(frames, device=by_offset.device)
    offset = at[None, :] - at[:, None] + window  # [T, T]: row i, column j -> j - i + W
    near = by_offset.gather(-1, offset.clamp(0, 2 * window).expand(*by_offset.shape[:-1], frames))
    return near.masked_fill((offset < 0) | (offset > 2 * window), 0)


def take_offsets(weights: Tensor, window: int) -> Tensor:
    """The diagonals -W..W of weights [B, H, T, T] as [B, H, T, 2W + 1], zero past the edges."""
    frames = weights.shape[-1]
    at = torch.arange(frames, device=weights.device)
    offsets = torch.arange(-window, window + 1, device=weights.device)
    column = at[:, None] + offsets[None, :]  # [T, 2W + 1]
    near = weights.gather(
        -1, column.clamp(0, frames - 1).expand(*weights.shape[:-1], 2 * window + 1)
    )
    return near.masked_fill((column < 0) | (column >= frames), 0)
