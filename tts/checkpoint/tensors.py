"""A tensor as a file describes it, and as a numpy array.

In: dtype, shape, strides and place of a tensor, and the bytes of its storage.  Out: a writable
array of the same values.  All claims are checked against the storage before anything is made of
them.  Knows nothing of file formats; pure functions, any thread.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tts.checkpoint.errors import CheckpointError

Array = NDArray[np.generic]

MAX_RANK = 8

# numpy has no bfloat16: its bits are read as integers and widened.
_READ_AS = {
    "F16": "<f2",
    "F32": "<f4",
    "F64": "<f8",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
    "C64": "<c8",
    "C128": "<c16",
}
FLOATING = frozenset({"F16", "F32", "F64", "BF16"})

ITEM_BYTES = {name: np.dtype(read_as).itemsize for name, read_as in _READ_AS.items()}
"""Bytes of one element, by dtype; the keys are the dtypes that can be read."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements in the file."""

    record: str
    """Where it lies; a name that the file's reader understands."""
    dtype: str
    elements: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor that has been described but not read."""

    storage: Storage
    offset: int
    """First element, counted from the beginning of the storage."""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """Step along each axis, in elements; 1 along an axis of one element."""

    @property
    def dtype(self) -> str:
        """Type of the elements, in the names of safetensors."""
        return self.storage.dtype

    @property
    def elements(self) -> int:
        """How many elements the shape has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take as they are stored."""
        return self.elements * ITEM_BYTES[self.dtype]


def view(
    storage: Storage,
    offset: object,
    shape: tuple[object, ...],
    strides: tuple[object, ...] | None = None,
) -> TensorRef:
    """Describe a tensor over a storage; without strides, one whose elements follow each other.

    Raises `CheckpointError` when it is empty or does not fit into the storage.
    """
    sizes = _whole_numbers(shape, "size")
    (start,) = _whole_numbers((offset,), "offset")
    steps = _contiguous(sizes) if strides is None else _whole_numbers(strides, "stride")
    if len(sizes) != len(steps):
        raise CheckpointError(f"a tensor has {len(sizes)} sizes and {len(steps)} strides")
    if 0 in sizes:
        raise CheckpointError(f"a tensor of shape {list(sizes)} has no elements")
    steps = tuple(step if size > 1 else 1 for size, step in zip(sizes, steps, strict=True))
    ref = TensorRef(storage, start, sizes, steps)
    last = start + sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if last >= storage.elements:
        raise CheckpointError(
            f"a tensor of shape {list(sizes)} and strides {list(steps)} reaches element {last} "
            f"of a storage that has {storage.elements}"
        )
    if ref.elements > storage.elements:
        raise CheckpointError(
            f"a tensor of shape {list(sizes)} shows {ref.elements} elements of a storage that has "
            f"{storage.elements}: zero or overlapping strides {list(steps)}"
        )
    return ref


def _contiguous(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(sizes[axis + 1 :]) for axis in range(len(sizes)))


def _whole_numbers(values: tuple[object, ...], what: str) -> tuple[int, ...]:
    if len(values) > MAX_RANK:
        raise CheckpointError(f"a tensor has {len(values)} axes; at most {MAX_RANK} are read")
    for value in values:
        if type(value) is not int or not 0 <= value < 2**62:
            shown = value if isinstance(value, int) else type(value).__name__
            raise CheckpointError(f"a tensor has the {what} {shown}; it must be 0 or more")
    return tuple(value for value in values if isinstance(value, int))


def make_array(ref: TensorRef, data: NDArray[np.uint8]) -> Array:
    """The tensor's values out of its storage's bytes [elements * item size].

    bfloat16 and float64 come as float32, everything else as it is stored.  A tensor that is all of
    a run of its storage shares its memory.
    """
    flat = data.view(_READ_AS[ref.dtype])
    item_bytes = ITEM_BYTES[ref.dtype]
    array: Array = np.lib.stride_tricks.as_strided(
        flat[ref.offset :], ref.shape, [step * item_bytes for step in ref.strides]
    )
    array = np.ascontiguousarray(array).reshape(ref.shape)
    if ref.dtype == "BF16":
        bits = array.astype(np.uint32)
        bits <<= 16
        return bits.view(np.float32)
    if ref.dtype == "F64":
        with np.errstate(over="ignore"):  # what overflows is infinite, and is refused as such
            return array.astype(np.float32)
    return array
