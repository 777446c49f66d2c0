"""Rebuilds the random weights of a full-size model, which are too large to keep.

In: a `NAME.weights.json`.  Out: float16 arrays under the names that a released checkpoint uses.
The numbers depend on the file's tag, the tensor's name and its shape alone, so that they equal
the ones that the reference outputs beside the file were computed with.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def build(path: Path) -> dict[str, NDArray[np.float16]]:
    """The tensors of one model, by name."""
    plan = json.loads(path.read_text(encoding="utf-8"))
    tag, entries = plan["tag"], plan["tensors"]
    built: dict[str, NDArray[np.float32]] = {}
    # The gains of weight-normalised layers (their mean is "g") need the directions first.
    for name, entry in sorted(entries.items(), key=lambda item: item[1][1] == "g"):
        shape, mean, std = entry
        normal = _normal(f"{tag}/{name}", shape)
        if mean == "g":
            direction = built[name.removesuffix("g") + "v"].astype(np.float64)
            length = np.sqrt(
                (direction**2).sum(axis=tuple(range(1, direction.ndim)), keepdims=True)
            )
            built[name] = (length * (1 + std * normal)).astype(np.float32)
        else:
            built[name] = normal.astype(np.float32) * np.float32(std) + np.float32(mean)
    return {name: built[name].astype(np.float16).reshape(entries[name][0]) for name in entries}


def _normal(name: str, shape: list[int]) -> NDArray[Any]:
    """Standard normal numbers of a frozen generator; a scalar is zero."""
    if not shape:
        return np.zeros(())
    return np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(shape))
