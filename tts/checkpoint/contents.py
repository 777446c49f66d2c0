"""What a checkpoint file holds, before any weight is read: the common ground of the formats.

In: nothing.  Out: the value that `archive` and `safetensors` make of a file and that `reading`
makes a checkpoint of.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tts.checkpoint.tensors import Array, TensorRef


@dataclass(frozen=True, slots=True)
class Contents:
    """An opened file.  `load` works as long as the file is open."""

    format: Literal["torch", "safetensors"]
    top: dict[str, object]
    """What the file describes: "weight" (name -> `TensorRef`), "config", "info", ... , unchecked.
    A bare state dict has the `TensorRef`s here."""
    declared: tuple[str, ...]
    """Version names that the file's first bytes stand for."""
    mark: str
    """The two characters written over the file's first two bytes, "" where there are none."""
    size_bytes: int
    load: Callable[[dict[str, TensorRef]], dict[str, Array]]
    """Read the values of some tensors; raises `CheckpointError` when the data is damaged."""
