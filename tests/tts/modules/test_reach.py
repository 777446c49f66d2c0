"""How far flow and waveform decoder look each side, counted from their sizes and measured."""

import pytest
import torch
from torch import Tensor, nn

from tts.modules.flow import Flow
from tts.modules.hifigan import HifiGan


def touched(model: nn.Module, channels: int, frames: int, at: int, hop: int) -> tuple[int, int]:
    """First and last of `frames` input frames that the output of frame `at` depends on."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, channels, frames, generator=generator, dtype=torch.float64)
    g = torch.randn(1, 3, 1, generator=generator, dtype=torch.float64)
    out: Tensor = model.to(torch.float64)(x.requires_grad_(), g)
    out[..., at * hop : (at + 1) * hop].square().sum().backward()
    assert x.grad is not None
    frames_touched = x.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    return int(frames_touched.min()), int(frames_touched.max())


@pytest.mark.parametrize(
    ("rates", "kernels", "blocks"),
    [
        ((10, 8, 2, 2, 2), (16, 16, 8, 2, 2), (3, 7, 11)),
        ((10, 8, 2, 2, 2), (20, 16, 8, 2, 2), (3, 7, 11)),
        ((4, 2), (8, 4), (3, 5)),
        ((3,), (3,), (3,)),
    ],
)
def test_the_decoder_reaches_as_far_as_it_says(
    rates: tuple[int, ...], kernels: tuple[int, ...], blocks: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    decoder = HifiGan(
        latent=2,
        gin=3,
        initial=2 ** (len(rates) + 1),
        rates=rates,
        kernels=kernels,
        resblock_kernels=blocks,
        resblock_dilations=((1, 3, 5),) * len(blocks),
    )
    reach = decoder.reach_frames
    hop = torch.tensor(rates).prod().item()
    first, last = touched(decoder, 2, 2 * reach + 5, reach + 2, int(hop))
    assert max(reach + 2 - first, last - reach - 2) == reach


def test_the_flow_reaches_32_frames_each_side() -> None:
    torch.manual_seed(0)
    flow = Flow(4, 6, 3)
    assert flow.reach_frames == 32
    assert touched(flow, 4, 75, 37, 1) == (37 - 32, 37 + 32)
