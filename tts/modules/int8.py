"""Linear layers with int8 weights, for CPUs: a quarter of the memory, and of the time to read it.

In: float32 rows.  Out: float32 rows, close to those of the layer that it was made of.  Weights have
one scale for each output.  Activations are quantised as they come, each row by its own largest
value; hence the law: a row's result does not depend on the rows beside it, to the last bit in any
company and to rounding alone.  Knows nothing of models.  Any thread.

The kernel is FBGEMM's, which takes one scale for all rows.  A row alone hands over its own; several
rows are divided by their largest values before the product and multiplied after it.

Without VNNI, x86 multiplies bytes in pairs and adds each pair in 16 bits, where 255 * 127 * 2 does
not fit.  Instead of giving up one bit of every activation, as torch's own way is, weights are
scaled so that two neighbours of one sign come to no more than `_PAIR_MOST` together.
"""

import warnings

import torch
from torch import Tensor, nn

_WEIGHT_MOST = 127
_PAIR_MOST = 128
"""Times 255, the largest byte, this is below 2^15."""

_PRODUCT = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default
"""Rows, what a byte stands for, the byte of zero, packed weights -> rows."""


class Int8Linear(nn.Module):
    """What a linear layer does, nearly: x [B, I] or [B, N, I] float32 -> the same with O."""

    def __init__(self, layer: nn.Linear, *, positive: bool = False) -> None:
        """`positive`: no input is below zero, as after a ReLU.

        Raises ValueError for an odd number of inputs.
        """
        super().__init__()
        if layer.in_features % 2:
            raise ValueError(f"a layer of {layer.in_features} inputs: int8 takes an even number")
        numbers, scales = quantised(layer.weight.detach().float())
        bias = torch.zeros(len(scales)) if layer.bias is None else layer.bias.detach().float()
        self.weight_bytes = numbers.numel()
        self._positive = positive
        # Bytes 0 to 255 for what lies between 0 and 1, or 1 to 255 between -1 and 1.
        self._byte, self._zero = (1 / 255, 0) if positive else (1 / 127, 128)
        self._bias = bias.clone()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces other ways of quantising
            weight = torch._make_per_channel_quantized_tensor(
                numbers, scales.double(), torch.zeros(len(scales), dtype=torch.int64), 0
            )
            self._packed = torch.ops.quantized.linear_prepack(weight, self._bias)

    def forward(self, x: Tensor) -> Tensor:
        """Numbers that are not finite stay visible in the rows they stand in."""
        if x.numel() == x.shape[-1]:
            step = (x if self._positive else x.abs()).amax().item() * self._byte
            y: Tensor = _PRODUCT(x, step or 1.0, self._zero, self._packed)
            return y
        # Zeros of a row of zeros become NaN and then some byte, which its size takes away again.
        sizes = (x if self._positive else x.abs()).amax(-1, keepdim=True)
        y = _PRODUCT(x / sizes, self._byte, self._zero, self._packed)
        # The bias is in y already, and must not be scaled: bias + sizes * (y - bias).
        return torch.lerp(self._bias, y, sizes)

    # Hooks would cost as much as the arithmetic around a product.
    __call__ = forward


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [O, I] as int8 [O, I] and what they are multiplied by, [O]."""
    pairs = weight.view(len(weight), -1, 2)
    sums = torch.maximum(pairs.clamp_min(0).sum(2), -pairs.clamp_max(0).sum(2)).amax(1)
    # Rounding may lift each of the two by a half.
    scales = torch.maximum(weight.abs().amax(1) / _WEIGHT_MOST, sums / (_PAIR_MOST - 1))
    scales = scales.clamp_min(torch.finfo(torch.float32).tiny)
    return (weight / scales[:, None]).round().to(torch.int8), scales
