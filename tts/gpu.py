"""The GPUs that this process computes on: memory and use, as torch tells them.

Without torch, without a GPU or before the first tensor on one there is nothing to tell: nothing is
imported and no GPU is woken for this.  Use is known where the package nvidia-ml-py is installed.
Any thread.
"""

import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GpuState:
    """A GPU at this moment, other processes' share included."""

    index: int
    used_bytes: int
    total_bytes: int
    use: float | None
    """Share of the last moments in which it worked."""


def states() -> list[GpuState]:
    """Those that hold tensors of this process."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return []
    # Asking about a GPU that is not used would open it, at some hundred MB.
    return [_state(cuda, i) for i in range(cuda.device_count()) if cuda.memory_reserved(i)]


def _state(cuda: Any, index: int) -> GpuState:
    free_bytes, total_bytes = cuda.mem_get_info(index)
    try:
        use = cuda.utilization(index) / 100
    except (ImportError, RuntimeError):
        use = None
    return GpuState(index, total_bytes - free_bytes, total_bytes, use)
