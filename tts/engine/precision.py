"""How precisely the models compute, decided once: as asked, or what is fastest here.

In: a device and what the configuration asks for.  Out: the number types.  What is fastest on a CPU
depends on instructions (AMX, AVX-512 BF16) that torch uses without saying so: a short trial tells.
On the thread that loads the models.
"""

import time
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

AUTO, INT8 = "auto", "int8"

_WORTH = 1.3
"""Half precision must be so many times as fast as single: it costs accuracy."""


@dataclass(frozen=True, slots=True)
class Precision:
    """The number types of a voice's two models."""

    t2s: torch.dtype
    """Of what is not int8: norms, attention, sampling."""
    t2s_int8: bool
    """Whether the T2S model's linear layers multiply 8-bit integers."""
    sovits: torch.dtype

    @classmethod
    def of(cls, device: torch.device, *, dtype: str, t2s_dtype: str) -> "Precision":
        """`dtype` and `t2s_dtype`: names of `torch` types, or "auto"; the latter also "int8".

        "auto" is float16 on a GPU; on a CPU int8 for T2S, which memory bounds, and for the rest
        bfloat16 where that is worth it, else float32.  Raises ValueError for int8 on a GPU.
        """
        cuda = device.type == "cuda"
        if cuda and t2s_dtype == INT8:
            raise ValueError('t2s_dtype = "int8": allowed on a CPU only')
        if dtype == AUTO:
            sovits = torch.float16 if cuda else _faster_on_cpu()
        else:
            sovits = _named(dtype)
        if t2s_dtype == INT8 or (t2s_dtype == AUTO and not cuda):
            return cls(torch.float32, True, sovits)
        return cls(torch.float16 if t2s_dtype == AUTO else _named(t2s_dtype), False, sovits)


def _named(name: str) -> torch.dtype:
    return cast(torch.dtype, getattr(torch, name))


def _faster_on_cpu() -> torch.dtype:
    """bfloat16 if a convolution of the decoder's takes less time in it by far, else float32."""
    single, half = (_convolution_s(dtype) for dtype in (torch.float32, torch.bfloat16))
    return torch.bfloat16 if single >= _WORTH * half else torch.float32


@torch.inference_mode()
def _convolution_s(dtype: torch.dtype) -> float:
    """The least of a few times of a convolution of the second stage, in seconds."""
    layout = torch.channels_last
    x = torch.ones(1, 128, 1, 400, dtype=dtype).to(memory_format=layout)
    weight = torch.ones(128, 128, 1, 7, dtype=dtype).to(memory_format=layout)
    return min(_elapsed_s(x, weight) for _ in range(4))


def _elapsed_s(x: Tensor, weight: Tensor) -> float:
    began_s = time.perf_counter()
    F.conv2d(x, weight, padding=(0, 3))
    return time.perf_counter() - began_s
