"""A function of tensors as one CUDA graph; on a CPU the same function, called as it is.

In: a function that reads and writes tensors which never move, and inputs of one shape.  Out: its
result.  Either way inputs are copied into buffers of their own and the result is a copy, so that
what runs on a CPU is what runs on a GPU.  Knows nothing of models.  For the thread that steps the
model, with no other work on the device while it captures.
"""

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UPS = 3
"""Runs before a capture: libraries choose their kernels and take their memory in the first."""


class Graphed:
    """A function for inputs of one shape: tensors in, a tensor out."""

    def __init__(self, fn: Callable[..., Tensor], *examples: Tensor) -> None:
        """Calls `fn` with `examples`, on a GPU some times over: they must do no harm.

        `fn` may change tensors of its own, in place, and must not wait for the device.
        """
        self._fn = fn
        with torch.inference_mode():
            self._inputs = [example.clone() for example in examples]
            devices = {example.device for example in examples}
            self._graph: torch.cuda.CUDAGraph | None = None
            if any(device.type == "cuda" for device in devices):
                self._capture(devices.pop())
            else:
                self._output = fn(*self._inputs)

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensor:
        """The function of these inputs.  Raises ValueError unless they look like the examples."""
        if [_look(one) for one in inputs] != [_look(own) for own in self._inputs]:
            raise ValueError(
                f"inputs {', '.join(map(_look, inputs))}: this function was captured for "
                f"{', '.join(map(_look, self._inputs))} and takes no others"
            )
        for own, new in zip(self._inputs, inputs, strict=True):
            own.copy_(new)
        if self._graph is None:
            self._output = self._fn(*self._inputs)
        else:
            self._graph.replay()
        return self._output.clone()

    def _capture(self, device: torch.device) -> None:
        with torch.cuda.device(device):
            aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(WARM_UPS):
                    self._fn(*self._inputs)
            torch.cuda.current_stream().wait_stream(aside)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._output = self._fn(*self._inputs)


def _look(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)} on {tensor.device}"
