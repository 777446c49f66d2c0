"""ERes2NetV2, the speaker-verification network whose embedding v2Pro and v2ProPlus want.

In: a Kaldi filter bank of a reference clip.  Out: one vector.  Runs when a voice is compiled,
never while it speaks.  Architecture: Chen et al. 2024, arXiv 2406.02167; weights: 3D-Speaker.
Any thread.
"""

import re
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tts.checkpoint.errors import CheckpointError
from tts.models import weights

STAGES = 4
FUSED_FROM = 2
"""Stages from this one on fuse their parts by attention, those before it by addition."""
_SQUEEZE = 4
_CEILING = 20.0
# The classifier's head and the counters of training.
_UNUSED = r"seg_|.*\.num_batches_tracked$"


@dataclass(frozen=True, slots=True)
class SpeakerSpec:
    """Sizes of the network, as they are found in a checkpoint."""

    channels: int
    """Channels of the first convolution; each stage's planes are 1, 2, 4, 8 times as many."""
    blocks: tuple[int, ...]
    """Blocks of each stage."""
    widths: tuple[int, ...]
    """Channels of each part inside a block of each stage."""
    scale: int
    """Parts that a block splits its channels into."""
    expansion: int
    """Output channels of a block relative to its stage's planes."""

    @classmethod
    def of(cls, tensors: weights.Tensors) -> Self:
        """Read the sizes off the tensors; raises `CheckpointError` when they are another's."""
        names = [re.match(r"layer(\d)\.(\d+)\.", name) for name in tensors]
        found = {(int(name[1]), int(name[2])) for name in names if name}
        blocks = tuple(sum(stage == n for stage, _ in found) for n in range(1, STAGES + 1))
        try:
            channels = tensors["conv1.weight"].shape[0]
            return cls(
                channels=channels,
                blocks=blocks,
                widths=tuple(
                    tensors[f"layer{stage}.0.convs.0.weight"].shape[0]
                    for stage in range(1, STAGES + 1)
                ),
                scale=sum(bool(re.match(r"layer1\.0\.convs\.\d+\.", name)) for name in tensors),
                expansion=tensors["layer1.0.conv3.weight"].shape[0] // channels,
            )
        except KeyError as missing:
            raise CheckpointError(
                f"not an ERes2NetV2 speaker network: {missing.args[0]} is missing"
            ) from None


class BatchNorm(nn.Module):
    """Batch normalisation by the statistics of training, over channels of [B, C, ...]."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as x."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class Sum(nn.Module):
    """Fuse two feature maps by adding them."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Same shape as x and y."""
        return x + y


class AttentiveFusion(nn.Module):
    """Fuse two feature maps [B, C, H, W], weighing one against the other at every point."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local_att = nn.Sequential(
            nn.Conv2d(2 * channels, channels // _SQUEEZE, 1),
            BatchNorm(channels // _SQUEEZE),
            nn.SiLU(),
            nn.Conv2d(channels // _SQUEEZE, channels, 1),
            BatchNorm(channels),
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Same shape as x and y."""
        weight = 1 + self.local_att(torch.cat([x, y], dim=1)).tanh()
        fused: Tensor = x * weight + y * (2 - weight)
        return fused


class Block(nn.Module):
    """A residual block whose parts are convolved one after another, each fed the one before."""

    def __init__(
        self, inputs: int, outputs: int, *, width: int, scale: int, stride: int, attentive: bool
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width * scale, 1, stride, bias=False)
        self.bn1 = BatchNorm(width * scale)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(scale)
        )
        self.bns = nn.ModuleList(BatchNorm(width) for _ in range(scale))
        self.fuse_models = nn.ModuleList(
            AttentiveFusion(width) if attentive else Sum() for _ in range(scale - 1)
        )
        self.conv3 = nn.Conv2d(width * scale, outputs, 1, bias=False)
        self.bn3 = BatchNorm(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H / stride, W / stride]."""
        first, *others = _clip(self.bn1(self.conv1(x))).chunk(len(self.convs), dim=1)
        parts = [_clip(self.bns[0](self.convs[0](first)))]
        later = zip(others, self.fuse_models, self.convs[1:], self.bns[1:], strict=True)
        for other, fuse, conv, norm in later:
            parts.append(_clip(norm(conv(fuse(parts[-1], other)))))
        return _clip(self.bn3(self.conv3(torch.cat(parts, dim=1))) + self.shortcut(x))


class SpeakerEncoder(nn.Module):
    """Filter bank in, speaker embedding out; attributes bear the names of the checkpoint."""

    def __init__(self, spec: SpeakerSpec) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, spec.channels, 3, padding=1, bias=False)
        self.bn1 = BatchNorm(spec.channels)
        outputs = [spec.channels * 2**stage * spec.expansion for stage in range(STAGES)]
        stages = [
            _stage(spec, stage, [spec.channels, *outputs][stage], outputs[stage])
            for stage in range(STAGES)
        ]
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.layer3_ds = nn.Conv2d(outputs[2], outputs[3], 3, stride=2, padding=1, bias=False)
        self.fuse34 = AttentiveFusion(outputs[3])

    @classmethod
    def load(cls, tensors: weights.Tensors, *, dtype: torch.dtype, device: torch.device) -> Self:
        """A network with a checkpoint's weights; raises `CheckpointError` for what does not fit."""
        with weights.hollow():
            model = cls(SpeakerSpec.of(tensors))
        weights.load(model, tensors, dtype=dtype, device=device, renamed={}, unused=_UNUSED)
        return model

    def forward(self, fbank: Tensor) -> Tensor:
        """Log energies [B, F, 80] -> embedding [B, E], the mean over frames of the fused maps."""
        x = self.bn1(self.conv1(fbank.mT[:, None])).relu()  # [B, C, 80, F]
        x = self.layer3(self.layer2(self.layer1(x)))
        fused: Tensor = self.fuse34(self.layer4(x), self.layer3_ds(x))
        return fused.flatten(1, 2).mean(dim=-1)


def _stage(spec: SpeakerSpec, stage: int, inputs: int, outputs: int) -> nn.Sequential:
    """The blocks of one stage; the first takes its inputs in and, past stage 0, halves the map."""
    blocks = []
    for number in range(spec.blocks[stage]):
        blocks.append(
            Block(
                outputs if number else inputs,
                outputs,
                width=spec.widths[stage],
                scale=spec.scale,
                stride=2 if stage and not number else 1,
                attentive=stage >= FUSED_FROM,
            )
        )
    return nn.Sequential(*blocks)


def _clip(x: Tensor) -> Tensor:
    return x.clamp(0.0, _CEILING)
