"""Named arrays of a checkpoint into a module: names, shapes, weight norm, precision, device.

In: a module, built `hollow` or otherwise, and arrays under their names in the file.
Out: the same module with the arrays as its frozen parameters.  Knows nothing of files or of any
one model.  Any thread.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tts.checkpoint.errors import CheckpointError

Tensors = Mapping[str, NDArray[np.generic]]


@contextmanager
def hollow() -> Iterator[None]:
    """Within it modules are built for `load`: shapes alone, no memory and no first values."""
    with torch.device("meta"), _NoFirstValues():
        yield


class _NoFirstValues(TorchFunctionMode):
    """Leaves tensors alone that `torch.nn.init` would fill.

    On the meta device there is nothing to fill, but trying makes torch import its compiler, which
    takes a second or two.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        named = kwargs or {}
        fills = getattr(func, "__module__", "") == "torch.nn.init"
        return named["tensor"] if fills else func(*args, **named)


def load(
    module: nn.Module,
    tensors: Tensors,
    *,
    dtype: torch.dtype,
    device: torch.device,
    renamed: Mapping[str, str],
    unused: str,
) -> None:
    """Give `module` the checkpoint's values; afterwards it is in evaluation mode and frozen.

    `renamed` maps prefixes of the module's names to prefixes in the file, where they differ;
    `unused` is a pattern of the names in the file that inference has no use for.  A pair of
    weight_g and weight_v becomes the weight that it stands for.

    Raises `CheckpointError` naming the tensor that is missing, left over or of a wrong shape.
    """
    left = {name for name in tensors if not re.match(unused, name)}
    state = {}
    for own_name, slot in module.state_dict().items():
        name = _name_in_file(own_name, renamed)
        value, names = _value(tensors, name)
        if value.shape != slot.shape:
            raise CheckpointError(
                f"{name} has the shape {list(value.shape)}, the model needs {list(slot.shape)}"
            )
        state[own_name] = value.to(device=device, dtype=dtype)
        left -= names
    if left:
        raise CheckpointError(f"the model has no place for {', '.join(sorted(left)[:5])}")
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False).eval()


def _value(tensors: Tensors, name: str) -> tuple[Tensor, set[str]]:
    """A parameter in single precision, and the names in the file that it came from."""
    if name in tensors:
        return _single(tensors[name]), {name}
    gain, direction = f"{name}_g", f"{name}_v"
    if gain not in tensors and direction not in tensors:
        raise CheckpointError(f"{name} is missing")
    for half in (gain, direction):
        if half not in tensors:
            raise CheckpointError(f"{half}, one half of a weight-normalised pair, is missing")
    g, v = _single(tensors[gain]), _single(tensors[direction])
    # One gain for each row, as torch's weight_norm keeps them: g * v / |v|.
    norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
    if g.shape != norm.shape:
        raise CheckpointError(
            f"{gain} has the shape {list(g.shape)}, {direction} needs {list(norm.shape)}"
        )
    return v * (g / norm), {gain, direction}


def _single(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _name_in_file(own_name: str, renamed: Mapping[str, str]) -> str:
    for own_prefix, prefix in renamed.items():
        if own_name.startswith(own_prefix):
            return prefix + own_name.removeprefix(own_prefix)
    return own_name
