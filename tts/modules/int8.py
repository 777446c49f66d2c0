"""Linear layers with int8 weights, for CPUs: a quarter of the memory, and of the time to read it.

In: float32 rows.  Out: float32 rows, close to those of the layer that it was made of.  Weights have
one scale for each output.  Activations are quantised as they come, each row by its own largest
value; hence the law: a row's result is the same to the last bit whatever rows stand beside it, as
the products are summed as integers.  Knows nothing of models.  Any thread.

The kernel is FBGEMM's, which takes one scale for all rows: rows are divided by their largest value
before it and multiplied after it.  Without VNNI, x86 multiplies bytes in pairs and adds each pair
in 16 bits, where 255 * 127 * 2 does not fit.  Instead of giving up one bit of every activation, as
torch's own way is, weights are scaled so that two neighbours of one sign come to no more than
`_PAIR_MOST` together.
"""

import warnings

import torch
from torch import Tensor, nn

_LEVELS = 255
_WEIGHT_MOST = 127
_PAIR_MOST = 128
"""255 * 128 is below 2^15."""


class Int8Linear(nn.Module):
    """What a linear layer does, nearly: x [..., I] float32 -> [..., O]."""

    bias: Tensor

    def __init__(self, layer: nn.Linear, *, positive: bool = False) -> None:
        """`positive`: no input is below zero, as after a ReLU; all levels are then above zero."""
        super().__init__()
        numbers, scales = quantised(layer.weight.detach().float())
        bias = torch.zeros(1) if layer.bias is None else layer.bias.detach().float().clone()
        self.register_buffer("bias", bias, persistent=False)
        self.weight_bytes = numbers.numel()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces other ways of quantising
            weight = torch._make_per_channel_quantized_tensor(
                numbers, scales.double(), torch.zeros(len(scales), dtype=torch.int64), 0
            )
            self._packed = torch.ops.quantized.linear_prepack(weight, None)
        self._step, self._zero = (1 / _LEVELS, 0) if positive else (2 / (_LEVELS - 1), 128)
        self._product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default

    def forward(self, x: Tensor) -> Tensor:
        """Rows of zeros become NaN and then bytes of any value, which their zero takes away."""
        largest = torch.linalg.vector_norm(x, torch.inf, -1, True)
        y = self._product(x / largest, self._step, self._zero, self._packed)
        return torch.addcmul(self.bias, y, largest)


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Weights [O, I] as int8 [O, I] and what they are multiplied by, [O]."""
    pairs = weight.view(len(weight), -1, 2)
    sums = torch.maximum(pairs.clamp_min(0).sum(2), -pairs.clamp_max(0).sum(2)).amax(1)
    # Rounding may lift each of the two by a half.
    scales = torch.maximum(weight.abs().amax(1) / _WEIGHT_MOST, sums / (_PAIR_MOST - 1))
    scales = scales.clamp_min(torch.finfo(torch.float32).tiny)
    return (weight / scales[:, None]).round().to(torch.int8), scales
