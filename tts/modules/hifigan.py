"""The HiFi-GAN waveform decoder (Kong et al. 2020, arXiv 2010.05646) of SoVITS.

In: latent frames and a speaker vector.  Out: samples, `prod(rates)` for each frame, of all frames
or of some, at the cost of those and little more.  Each sample depends on a bounded number of frames
each side.  Any thread.

Inside, a tensor holds a run of positions of a layer's whole output, a `Span`: each layer computes
what the layers after it need and no more, and pads with zeros where the whole has its ends and
nowhere else.  Activations are [B, C, 1, N] in memory order (channels last), because the two-
dimensional convolutions that CPUs have for such images are up to four times as fast as the one-
dimensional ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tts.spec import DECODER_END_KERNEL

SLOPE = 0.1
LAST_SLOPE = 0.01


@dataclass(frozen=True, slots=True)
class Span:
    """Positions first..last-1 of the `whole` that a layer makes of the whole latent."""

    first: int
    last: int
    whole: int

    @property
    def length(self) -> int:
        """How many positions it has."""
        return self.last - self.first

    def wider(self, reach: int) -> "Span":
        """With `reach` positions more on each side, as far as there are any."""
        return Span(max(0, self.first - reach), min(self.whole, self.last + reach), self.whole)

    def of(self, x: Tensor, held: "Span") -> Tensor:
        """The part of x [..., N], which holds `held`, that is this span; not a copy."""
        return x[..., self.first - held.first : self.last - held.first]


class Conv(nn.Conv1d):
    """A convolution that keeps the length, for any span of its output."""

    @property
    def reach(self) -> int:
        """Positions each side of one that it depends on."""
        return self.dilation[0] * (self.kernel_size[0] - 1) // 2

    def span(self, x: Tensor, held: Span, wanted: Span) -> Tensor:
        """x [B, C, 1, N], which holds `held`, -> the span `wanted` [B, D, 1, M] of the output."""
        needed = wanted.wider(self.reach)
        inside = needed.length == wanted.length + 2 * self.reach
        out = F.conv2d(
            needed.of(x, held),
            self.weight.unsqueeze(2),
            self.bias,
            padding=(0, 0 if inside else self.reach),
            dilation=(1, *self.dilation),
        )
        # With zeros on both sides the output is `needed`; where no end is, it is wrong and cut off.
        return out if inside else wanted.of(out, needed)

    def lay_out(self) -> None:
        """Put the weight into the memory order of the activations."""
        self.weight.data = self.weight.data.mT.contiguous().mT


class Upsampling(nn.ConvTranspose1d):
    """A transposed convolution, `rate` positions for each one of its input, for any span.

    It is computed as a product and a sum, because a CPU takes tens of milliseconds to build the
    transposed convolution of a length that it has not met.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, rate: int) -> None:
        self.rate, self.width, self.cut = rate, kernel, (kernel - rate) // 2
        super().__init__(inputs, outputs, kernel, rate, padding=self.cut)

    def length(self, inputs: int) -> int:
        """Positions of the output of a whole input."""
        return (inputs - 1) * self.rate - 2 * self.cut + self.width

    def needed(self, wanted: Span, inputs: int) -> Span:
        """What of the whole input the span `wanted` of the output depends on."""
        # Input i makes the outputs from i * rate - cut on.
        first = -((self.width - 1 - self.cut - wanted.first) // self.rate)
        last = (wanted.last - 1 + self.cut) // self.rate + 1
        return Span(max(0, first), min(inputs, last), inputs)

    def span(self, x: Tensor, held: Span, wanted: Span) -> Tensor:
        """x [B, C, 1, N], which holds `held`, -> the span `wanted` [B, D, 1, M] of the output."""
        needed = self.needed(wanted, held.whole)
        inputs = needed.of(x, held).permute(0, 2, 3, 1)  # [B, 1, N, C]
        weight = self.weight.permute(2, 1, 0)  # [width, D, C]
        made = F.linear(inputs, weight.flatten(0, 1)).view(*inputs.shape[:3], *weight.shape[:2])
        # Each input has a place of `rate` positions; what it makes goes on in the places after.
        later = (self.width - 1) // self.rate
        shape = (len(x), 1, needed.length + later, self.rate, self.out_channels)
        out = self._bias.expand(shape).clone(memory_format=torch.contiguous_format)
        for place in range(later + 1):
            part = made[:, :, :, place * self.rate : (place + 1) * self.rate]
            out[:, :, place : place + needed.length, : part.shape[3]] += part
        out = out.flatten(2, 3).permute(0, 3, 1, 2)  # [B, D, 1, positions], channels last
        first = needed.first * self.rate - self.cut
        return wanted.of(out, Span(first, first + out.shape[-1], wanted.whole))

    @property
    def _bias(self) -> Tensor:
        return cast(Tensor, self.bias)

    def lay_out(self) -> None:
        """Put the weight into the order in which it is multiplied."""
        self.weight.data = self.weight.data.permute(2, 1, 0).contiguous().permute(2, 1, 0)


class ResBlock(nn.Module):
    """Pairs of convolutions, the first of each pair dilated, each pair with a residual."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            Conv(channels, channels, kernel, dilation=step) for step in dilations
        )
        self.convs2 = nn.ModuleList(Conv(channels, channels, kernel) for _ in dilations)

    @property
    def pairs(self) -> Sequence[tuple[Conv, Conv]]:
        """The convolutions in their order."""
        return cast(Sequence[tuple[Conv, Conv]], list(zip(self.convs1, self.convs2, strict=True)))

    @property
    def reach(self) -> int:
        """Positions each side of one that it depends on."""
        return sum(dilated.reach + plain.reach for dilated, plain in self.pairs)

    def span(self, x: Tensor, held: Span, wanted: Span) -> Tensor:
        """x [B, C, 1, N], which holds `held`, -> the span `wanted` of the output; x stays."""
        reach = self.reach
        for dilated, plain in self.pairs:
            reach -= dilated.reach
            between = wanted.wider(reach)
            y = F.leaky_relu_(dilated.span(F.leaky_relu(x, SLOPE), held, between), SLOPE)
            reach -= plain.reach
            after = wanted.wider(reach)
            x = plain.span(y, between, after).add_(after.of(x, held))
            held = after
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
        self.hop_samples = math.prod(rates)
        self.conv_pre = Conv(latent, initial, DECODER_END_KERNEL)
        self.cond = nn.Conv1d(gin, initial, 1)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        channels = initial
        for rate, kernel in zip(rates, kernels, strict=True):
            self.ups.append(Upsampling(channels, channels // 2, kernel, rate))
            channels //= 2
            self.resblocks.extend(
                ResBlock(channels, *block)
                for block in zip(resblock_kernels, resblock_dilations, strict=True)
            )
        self.conv_post = Conv(channels, 1, DECODER_END_KERNEL, bias=False)

    def lay_out(self) -> None:
        """Put the weights into the memory order of the activations; values and shapes stay.

        Without it the samples are the same and each call turns the weights over.
        """
        for layer in self.modules():
            if isinstance(layer, Conv | Upsampling):
                layer.lay_out()

    def forward(self, z: Tensor, g: Tensor, first: int = 0, last: int | None = None) -> Tensor:
        """z [B, latent, F], g [B, G, 1] -> audio [B, N] of the frames first..last-1, within -1..1.

        The audio is that part of the whole z's; beyond the ends of z there is nothing.
        """
        frames = z.shape[-1]
        spans = self._spans(frames, first, frames if last is None else last)
        held = Span(0, frames, frames)
        x = z.mT.unsqueeze(1).contiguous().permute(0, 3, 1, 2)  # [B, latent, 1, F], channels last
        x = self.conv_pre.span(x, held, spans[0]).add_(self.cond(g).unsqueeze(2))
        for stage, (upsample, blocks) in enumerate(self._stages):
            held, inside, wanted = spans[2 * stage : 2 * stage + 3]
            x = upsample.span(F.leaky_relu_(x, SLOPE), held, inside)
            total = blocks[0].span(x, inside, wanted)
            for block in blocks[1:]:
                total.add_(block.span(x, inside, wanted))
            x = total.div_(len(blocks))
        held, wanted = spans[-2:]
        audio: Tensor = self.conv_post.span(F.leaky_relu_(x, LAST_SLOPE), held, wanted).tanh_()
        return audio.flatten(1)

    def _spans(self, frames: int, first: int, last: int) -> list[Span]:
        """What is needed of the layers: after `conv_pre`, then for each stage after its upsampling
        and after its blocks, then the samples."""
        stages = self._stages
        lengths = [frames]
        for upsample, _ in stages:
            lengths.append(upsample.length(lengths[-1]))
        samples = Span(first * self.hop_samples, last * self.hop_samples, lengths.pop())
        spans = [samples, samples.wider(self.conv_post.reach)]
        for upsample, blocks in reversed(stages):
            spans.append(spans[-1].wider(max(block.reach for block in blocks)))
            spans.append(upsample.needed(spans[-1], lengths.pop()))
        return spans[::-1]

    @property
    def _stages(self) -> Sequence[tuple[Upsampling, Sequence[ResBlock]]]:
        """Each upsampling, and the parallel blocks after it."""
        ups, blocks = (cast(Sequence[Any], list(part)) for part in (self.ups, self.resblocks))
        count = len(blocks) // len(ups)
        return [(up, blocks[n * count : (n + 1) * count]) for n, up in enumerate(ups)]


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
