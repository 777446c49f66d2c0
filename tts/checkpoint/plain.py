"""Reads and writes safetensors: a JSON header and the bytes of the tensors, nothing else.

In: an open file, or tensors and a few strings about them.  Out: the file's `Contents`, or a file.
Only files that `write_plain` wrote can be read as checkpoints, because a bare safetensors file
does not say how many heads its attention has.  One thread at a time for each file.
"""

import json
from collections.abc import Mapping
from io import BufferedReader
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tts.checkpoint.contents import Contents
from tts.checkpoint.errors import CheckpointError
from tts.checkpoint.tensors import ITEM_BYTES, Array, Storage, TensorRef, make_array, view

MAX_HEADER_BYTES = 1 << 20
"""Longest header that is read; that of the largest official model has about 0.1 MB."""

_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_LAYOUT = "parley"
_LAYOUT_VERSION = "1"
_DTYPES = {"float16": "F16", "float32": "F32"}


def looks_plain(head: bytes, size_bytes: int) -> bool:
    """Whether a file that begins like this is meant to be safetensors."""
    length = int.from_bytes(head[:_LENGTH_BYTES], "little")
    return head[_LENGTH_BYTES : _LENGTH_BYTES + 1] == b"{" and 2 <= length < max(size_bytes, 2**32)


def open_plain(file: BufferedReader, size_bytes: int) -> Contents:
    """Read the header of a safetensors file.

    Raises `CheckpointError` when the header is damaged, does not fit the file, or when the file
    was not written by `write_plain`.
    """
    header, data_at = _read_header(file, size_bytes)
    about = header.pop(_METADATA, None)
    weight = _place_tensors(header, size_bytes - data_at)
    if not isinstance(about, dict) or about.get(_LAYOUT) != _LAYOUT_VERSION:
        raise CheckpointError(
            "a safetensors file that Parley did not write: it does not say how its layers are "
            "divided; convert the original .ckpt or .pth file instead"
        )

    def load(refs: dict[str, TensorRef]) -> dict[str, Array]:
        return {
            name: make_array(ref, _read(file, data_at + int(ref.storage.record), ref.nbytes))
            for name, ref in refs.items()
        }

    return Contents(
        format="safetensors",
        top={"weight": weight, "config": _config(about), "info": about.get("info", "")},
        declared=(),
        mark="",
        size_bytes=size_bytes,
        load=load,
    )


def _read_header(file: BufferedReader, size_bytes: int) -> tuple[dict[str, object], int]:
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    data_at = _LENGTH_BYTES + length
    if data_at > size_bytes:
        raise CheckpointError(
            f"it is cut off: its header claims {length} bytes, the file has {size_bytes}"
        )
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(f"its header has {length} bytes; at most {MAX_HEADER_BYTES} are read")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise CheckpointError("its header is damaged: it is not JSON") from error
    if not isinstance(header, dict):
        raise CheckpointError("its header is damaged: it is not a JSON object")
    return header, data_at


def _place_tensors(header: dict[str, object], data_bytes: int) -> dict[str, TensorRef]:
    """Describe every tensor; together they must be all of the data, without holes or overlaps."""
    placed: list[tuple[int, int, str]] = []
    refs: dict[str, TensorRef] = {}
    for name, entry in header.items():
        match entry:
            case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(a), int(b)]}:
                if dtype not in ITEM_BYTES:
                    raise CheckpointError(f"{name[:80]!r} has the unknown dtype {dtype[:20]!r}")
                storage = Storage(str(int(a)), dtype, max(0, b - a) // ITEM_BYTES[dtype])
                ref = view(storage, 0, tuple(shape))
            case _:
                raise CheckpointError(f"its header is damaged: {name[:80]!r} is no tensor")
        if ref.nbytes != b - a:
            raise CheckpointError(
                f"{name[:80]!r} of shape {list(ref.shape)} takes {ref.nbytes} bytes, "
                f"its place has {b - a}"
            )
        refs[name] = ref
        placed.append((a, b, name))
    reached = 0
    for a, b, name in sorted(placed):
        if a != reached:
            raise CheckpointError(f"the data of {name[:80]!r} begins at {a} instead of {reached}")
        reached = b
    if reached != data_bytes:
        raise CheckpointError(
            f"it is cut off or damaged: its tensors take {reached} bytes, {data_bytes} are there"
        )
    return refs


def _read(file: BufferedReader, at: int, count: int) -> NDArray[np.uint8]:
    data = np.empty(count, dtype=np.uint8)
    file.seek(at)
    if file.readinto(data.data) != count:
        raise CheckpointError("it was cut off while it was being read")
    return data


def _config(about: dict[str, object]) -> object:
    try:
        return json.loads(str(about.get("config", "")))
    except (ValueError, RecursionError) as error:
        raise CheckpointError("its header is damaged: its config is not JSON") from error


def write_plain(
    file: BinaryIO, tensors: Mapping[str, Array], config: Mapping[str, object], info: str
) -> None:
    """Write tensors (float16 or float32) and what their checkpoint says of itself.

    The same tensors, config and info give the same bytes.
    """
    # The wider type first keeps every tensor aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    about = {_LAYOUT: _LAYOUT_VERSION, "config": json.dumps(config, sort_keys=True), "info": info}
    header: dict[str, object] = {_METADATA: about}
    at = 0
    for name in names:
        array = tensors[name]
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        at += array.nbytes
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % _LENGTH_BYTES)
    file.write(len(encoded).to_bytes(_LENGTH_BYTES, "little") + encoded)
    for name in names:
        file.write(np.ascontiguousarray(tensors[name]).data)
