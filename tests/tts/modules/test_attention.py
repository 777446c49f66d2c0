"""Relative attention is what its formula says, offset by offset."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tts.modules.attention import RelativeAttention, place_offsets, take_offsets

frame_counts = st.integers(1, 12)
windows = st.integers(1, 5)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@given(frame_counts, windows)
def test_offsets_land_on_their_diagonals(frames: int, window: int) -> None:
    by_offset = random(1, 2, frames, 2 * window + 1)
    placed = place_offsets(by_offset, window)
    for row in range(frames):
        for column in range(frames):
            near = abs(column - row) <= window
            expected = by_offset[..., row, column - row + window] if near else torch.zeros(1, 2)
            assert torch.equal(placed[..., row, column], expected.to(placed))


@given(frame_counts, windows)
def test_taking_offsets_undoes_placing_them(frames: int, window: int) -> None:
    weights = random(1, 2, frames, frames)
    taken = take_offsets(weights, window)
    assert taken.shape == (1, 2, frames, 2 * window + 1)
    near = (torch.arange(frames)[None] - torch.arange(frames)[:, None]).abs() <= window
    assert torch.equal(place_offsets(taken, window), weights * near)


@pytest.mark.parametrize("frames", [1, 3, 9])
def test_every_frame_mixes_values_and_the_value_of_their_offset(frames: int) -> None:
    window, heads = 2, 2
    attention = RelativeAttention(6, heads, window).to(torch.float64).requires_grad_(False)
    attention.emb_rel_k.copy_(random(1, 5, 3, seed=1))
    attention.emb_rel_v.copy_(random(1, 5, 3, seed=2))
    x = random(1, 6, frames, seed=3)
    q, k, v = (conv(x)[0] for conv in (attention.conv_q, attention.conv_k, attention.conv_v))
    mixed = torch.zeros(6, frames, dtype=torch.float64)
    for head in (slice(0, 3), slice(3, 6)):
        for row in range(frames):
            keys, values = k[head].clone().T, v[head].clone().T  # [frames, 3]
            for column in range(max(0, row - window), min(frames, row + window + 1)):
                keys[column] += attention.emb_rel_k[0, column - row + window]
                values[column] += attention.emb_rel_v[0, column - row + window]
            weights = (keys @ q[head, row] / 3**0.5).softmax(0)
            mixed[head, row] = weights @ values
    torch.testing.assert_close(attention(x), attention.conv_o(mixed[None]))
