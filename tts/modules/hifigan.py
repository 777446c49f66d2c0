"""The HiFi-GAN waveform decoder (Kong et al. 2020, arXiv 2010.05646) of SoVITS.

In: latent frames and a speaker vector.  Out: samples, `prod(rates)` for each frame.  Each sample
depends on a bounded number of frames each side.  Any thread.
"""

import math

from torch import Tensor, nn
from torch.nn import functional as F

from tts.spec import DECODER_END_KERNEL

SLOPE = 0.1
LAST_SLOPE = 0.01


class ResBlock(nn.Module):
    """Pairs of convolutions, the first of each pair dilated: x [B, C, N] -> [B, C, N]."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=step, padding=step * (kernel - 1) // 2)
            for step in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=(kernel - 1) // 2) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            y = dilated(F.leaky_relu(x, SLOPE))
            x = x + plain(F.leaky_relu(y, SLOPE))
        return x


class HifiGan(nn.Module):
    """Upsampling stages, each followed by the mean of parallel residual blocks."""

    def __init__(
        self,
        *,
        latent: int,
        gin: int,
        initial: int,
        rates: tuple[int, ...],
        kernels: tuple[int, ...],
        resblock_kernels: tuple[int, ...],
        resblock_dilations: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        self.reach_frames = reach_frames(rates, kernels, resblock_kernels, resblock_dilations)
        self.conv_pre = nn.Conv1d(
            latent, initial, DECODER_END_KERNEL, padding=DECODER_END_KERNEL // 2
        )
        self.cond = nn.Conv1d(gin, initial, 1)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = initial
        for rate, kernel in zip(rates, kernels, strict=True):
            padding = (kernel - rate) // 2
            self.ups.append(
                nn.ConvTranspose1d(channels, channels // 2, kernel, rate, padding=padding)
            )
            channels //= 2
            self.resblocks.extend(
                ResBlock(channels, *block)
                for block in zip(resblock_kernels, resblock_dilations, strict=True)
            )
        self.conv_post = nn.Conv1d(
            channels, 1, DECODER_END_KERNEL, padding=DECODER_END_KERNEL // 2, bias=False
        )

    def forward(self, z: Tensor, g: Tensor) -> Tensor:
        """z [B, latent, F], g [B, G, 1] -> audio [B, N] within -1..1."""
        x = self.conv_pre(z) + self.cond(g)
        for stage, upsample in enumerate(self.ups):
            x = upsample(F.leaky_relu(x, SLOPE))
            blocks = self._blocks(stage)
            x = sum(block(x) for block in blocks) / len(blocks)
        audio: Tensor = self.conv_post(F.leaky_relu(x, LAST_SLOPE)).tanh()
        return audio.squeeze(1)

    def _blocks(self, stage: int) -> nn.ModuleList:
        count = len(self.resblocks) // len(self.ups)
        return self.resblocks[stage * count : (stage + 1) * count]


def reach_frames(
    rates: tuple[int, ...],
    kernels: tuple[int, ...],
    resblock_kernels: tuple[int, ...],
    resblock_dilations: tuple[tuple[int, ...], ...],
) -> int:
    """Frames each side of a frame that its samples depend on, by the sizes of a decoder."""
    block_reach = max(
        sum((step + 1) * (kernel - 1) // 2 for step in dilations)
        for kernel, dilations in zip(resblock_kernels, resblock_dilations, strict=True)
    )
    # From the samples of frame 0 back to the frames: first and last position at each stage.
    first, last = -(DECODER_END_KERNEL // 2), math.prod(rates) - 1 + DECODER_END_KERNEL // 2
    for rate, kernel in reversed(list(zip(rates, kernels, strict=True))):
        padding = (kernel - rate) // 2
        # Input i of a transposed convolution makes the outputs from i * rate - padding on.
        first = -((kernel - 1 - padding - (first - block_reach)) // rate)
        last = (last + block_reach + padding) // rate
    return max(-first, last) + DECODER_END_KERNEL // 2
