"""Linear layers with int8 weights, for CPUs: a quarter of the memory, and of the time to read it.

In: float32 rows.  Out: float32 rows, close to those of the layer that it was made of.  Weights have
one scale for each output.  Activations are quantised as they come, each row between its own
smallest and largest value; hence the law: a row's result does not depend on the rows beside it, to
rounding when it is alone and to the last bit otherwise.  Knows nothing of models.  Any thread.

The kernels are FBGEMM's, which know one scale for all rows they are given.  A row alone takes
`linear_dynamic`, one call.  Several rows are put on one scale before the product, each by its own,
and brought back after it; as bytes are multiplied as integers, that is the same sum.

Without VNNI, x86 multiplies bytes in pairs and adds each pair in 16 bits, where 255 * 127 * 2 does
not fit.  Instead of giving up one bit of every activation, as torch's own way is, weights are
scaled so that two neighbours of one sign come to no more than `_PAIR_MOST` together.
"""

import warnings

import torch
from torch import Tensor, nn

_LEVELS = 255
_WEIGHT_MOST = 127
_PAIR_MOST = 128
"""255 * 128 is below 2^15."""
_SMALLEST_STEP = 6.1e-5
"""`linear_dynamic` has it: a row of less than 0.016 between its ends loses precision."""

_ROW = torch.ops.quantized.linear_dynamic.default
_ROWS = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default


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
        self._bias = bias.clone()
        self._of_ones = numbers.sum(1) * scales
        """What the weights make of a row of ones."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch announces other ways of quantising
            weight = torch._make_per_channel_quantized_tensor(
                numbers, scales.double(), torch.zeros(len(scales), dtype=torch.int64), 0
            )
            self._packed = torch.ops.quantized.linear_prepack(weight, self._bias)

    def forward(self, x: Tensor) -> Tensor:
        """A row with an infinite number stays infinite; a NaN may vanish from a row alone."""
        if x.numel() == x.shape[-1]:
            y: Tensor = _ROW(x, self._packed)
            return y
        if self._positive:
            step = (x.amax(-1, keepdim=True) / _LEVELS).clamp_min_(_SMALLEST_STEP)
            y = _ROWS(x / step, 1.0, 0, self._packed)
        else:
            low, high = torch.aminmax(x, dim=-1, keepdim=True)
            step = high.clamp_min_(0).sub_(low.clamp_max_(0))
            step = step.div_(_LEVELS).clamp_min_(_SMALLEST_STEP)
            zero = (low / step).round_()  # below or at 0
            y = _ROWS((x / step).sub_(zero), 1.0, 0, self._packed)
            y.addcmul_(zero, self._of_ones)
        # The bias is in y already, and must not be scaled: bias + step * (y - bias).
        return torch.lerp(self._bias, y, step)

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
