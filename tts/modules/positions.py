"""The fixed table of sinusoidal positions.

In: how many positions, how wide.  Out: the table.  Knows nothing of what stands at a position;
any thread.
"""

import math

import torch
from torch import Tensor


def sine_table(length: int, hidden: int) -> Tensor:
    """Sines in the even columns, cosines in the odd: [length, hidden], float32, on the CPU.

    Vaswani et al. 2017 (arXiv 1706.03762), base 10000.  The angles are rounded to float32 before
    the sine, as in the training of the models that use them: at position 1000 an exact angle
    would differ by more than the tolerance of the reference vectors.
    """
    with torch.device("cpu"):  # whatever a model is built on
        positions = torch.arange(length, dtype=torch.float32).unsqueeze(1)
        evens = torch.arange(0, hidden, 2, dtype=torch.float32)
        rates = torch.exp(evens * -(math.log(1e4) / hidden))
        table = torch.empty(length, hidden)
        table[:, 0::2] = torch.sin(positions * rates)
        table[:, 1::2] = torch.cos(positions * rates)
    return table
