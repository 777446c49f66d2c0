"""Writes torch's file format by hand, without torch, and finds the golden files.

A tensor is given as `Stored`; everything else as plain Python values.  `Named` makes an object of
a class that the file names, `Call` the result of a function that it names.
"""

import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.checkpoint import Checkpoint, read

GOLDEN = Path(__file__).parents[2] / "golden"
CKPT = GOLDEN / "ckpt"
VERSIONS = ("v1", "v2", "v2Pro", "v2ProPlus")
MARKS = {"v2Pro": b"05", "v2ProPlus": b"06"}

_KINDS = {
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
    "uint16": "BFloat16Storage",  # its bits: numpy has no such type
    "int64": "LongStorage",
}


@dataclass(frozen=True)
class Stored:
    """A tensor over a storage of its own."""

    storage: NDArray[np.generic]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @classmethod
    def of(cls, array: NDArray[np.generic]) -> "Stored":
        strides = tuple(step // array.itemsize for step in array.strides)
        return cls(array.reshape(-1), array.shape, strides)


@dataclass(frozen=True)
class Named:
    module: str
    name: str
    state: Mapping[str, object]


@dataclass(frozen=True)
class Call:
    module: str
    name: str
    arguments: tuple[object, ...]


class _Writer:
    def __init__(self) -> None:
        self.out = io.BytesIO()
        self.records: dict[str, bytes] = {}

    def put(self, value: object) -> None:
        match value:
            case None:
                self.out.write(b"N")
            case bool():
                self.out.write(b"\x88" if value else b"\x89")
            case int():
                size = value.bit_length() // 8 + 1
                digits = value.to_bytes(size, "little", signed=True)
                self.out.write(b"\x8a" + bytes([size]) + digits)
            case float():
                self.out.write(b"G" + struct.pack(">d", value))
            case str():
                self.out.write(b"X" + struct.pack("<I", len(value.encode())) + value.encode())
            case tuple():
                self._all(b"(", value, b"t")
            case list():
                self.out.write(b"]")
                self._all(b"(", value, b"e")
            case Stored():
                self._tensor(value)
            case Named():
                self._global(value.module, value.name)
                self.out.write(b")\x81")
                self.put(value.state)
                self.out.write(b"b")
            case Call():
                self._global(value.module, value.name)
                self.put(value.arguments)
                self.out.write(b"R")
            case Mapping():
                self.out.write(b"}")
                self._all(b"(", [part for item in value.items() for part in item], b"u")
            case _:
                raise TypeError(type(value))

    def _all(self, begin: bytes, values: object, end: bytes) -> None:
        self.out.write(begin)
        assert isinstance(values, list | tuple)
        for value in values:
            self.put(value)
        self.out.write(end)

    def _global(self, module: str, name: str) -> None:
        self.out.write(f"c{module}\n{name}\n".encode())

    def _tensor(self, tensor: Stored) -> None:
        key = str(len(self.records))
        self.records[f"data/{key}"] = tensor.storage.tobytes()
        self._global("torch._utils", "_rebuild_tensor_v2")
        self.out.write(b"((")
        self.put("storage")
        self._global("torch", _KINDS[tensor.storage.dtype.name])
        self.put(key)
        self.put("cpu")
        self.put(tensor.storage.size)
        self.out.write(b"tQ")
        for part in (tensor.offset, tensor.shape, tensor.strides, False):
            self.put(part)
        self._global("collections", "OrderedDict")
        self.out.write(b")RtR")


def pickled(value: object) -> tuple[bytes, dict[str, bytes]]:
    """A protocol 2 pickle and the records of the storages it names."""
    writer = _Writer()
    writer.out.write(b"\x80\x02")
    writer.put(value)
    writer.out.write(b".")
    return writer.out.getvalue(), writer.records


def write_zip(path: Path, pickle: bytes, records: Mapping[str, bytes], mark: bytes = b"PK") -> Path:
    """Lay out an archive as torch does, with the first two bytes replaced by `mark`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", "little")
        for name, data in records.items():
            archive.writestr(f"archive/{name}", data)
        archive.writestr("archive/version", "3\n")
    path.write_bytes(mark + buffer.getvalue()[2:])
    return path


def save(path: Path, value: object, mark: bytes = b"PK") -> Path:
    """What `torch.save` does with this value."""
    pickle, records = pickled(value)
    return write_zip(path, pickle, records, mark)


def records_of(path: Path) -> tuple[bytes, dict[str, bytes]]:
    """The pickle and the data records of a golden checkpoint."""
    with zipfile.ZipFile(io.BytesIO(b"PK" + path.read_bytes()[2:])) as archive:
        inside = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    return inside["data.pkl"], {k: v for k, v in inside.items() if k.startswith("data/")}


@cache
def golden_checkpoint(name: str) -> Checkpoint:
    """A file of the golden checkpoints, read once; nobody may write to its arrays."""
    checkpoint = read(CKPT / name)
    for array in checkpoint.tensors.values():
        array.flags.writeable = False
    return checkpoint


def with_hparams(version: str, folder: Path) -> Path:
    """The golden SoVITS file of a version in its other form, with a pickled `utils.HParams`."""
    _, records = records_of(CKPT / f"sovits_{version}.pth")
    pickle = (CKPT / f"sovits_{version}.hparams.pkl").read_bytes()
    path = folder / f"sovits_{version}.hparams.pth"
    return write_zip(path, pickle, records, MARKS.get(version, b"PK"))


def hostile_files(folder: Path) -> dict[str, dict[str, str]]:
    """Unpack the hostile files and return what is expected of each."""
    with tarfile.open(GOLDEN / "hostile" / "files.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    expected: dict[str, dict[str, str]] = json.loads(
        (GOLDEN / "hostile" / "manifest.json").read_text()
    )
    return expected
