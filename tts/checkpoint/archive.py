"""Opens torch's zip format: a pickle that describes tensors, and one record for each storage.

In: an open file whose first two bytes may have been overwritten by a version mark.  Out: its
`Contents`.  The records are read in memory and never unpacked to disk; nothing in them is run.
Knows nothing of which tensors a model needs.  One thread at a time for each file.
"""

import io
import struct
import zipfile
import zlib
from collections import defaultdict
from io import BufferedReader
from typing import cast

import numpy as np
from numpy.typing import NDArray

from tts.checkpoint.contents import Contents
from tts.checkpoint.errors import CheckpointError
from tts.checkpoint.pickles import MAX_BYTES, read_pickle
from tts.checkpoint.tensors import ITEM_BYTES, Array, Storage, TensorRef, make_array
from tts.spec import VERSIONS, version_marked

ZIP_TAIL = b"\x03\x04"
"""How a zip file goes on after its first two bytes."""

MAX_DIRECTORY_BYTES = 1 << 20
"""Longest zip directory that is read; the largest official file's has about 0.1 MB."""

# What zipfile raises on damaged archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
)


def open_archive(file: BufferedReader, head: bytes, size_bytes: int, fingerprint: str) -> Contents:
    """Read the description of a torch archive.

    `head` is the file's beginning, `fingerprint` the MD5 of its first 8192 bytes.  Raises
    `CheckpointError` when the archive is damaged or is not torch's.
    """
    mark = "" if head[:2] == b"PK" else head[:2].decode("ascii", "backslashreplace")
    marked = version_marked(mark)
    if mark and marked is None:
        known = ", ".join(sorted(m for version in VERSIONS for m in version.marks))
        raise CheckpointError(
            f"its first two bytes are the unknown version mark {mark!r}; known are {known}"
        )
    official = [version for version in VERSIONS if version.fingerprint == fingerprint]
    archive = _Archive(file, size_bytes)
    top = archive.read_description()
    return Contents(
        format="torch",
        top=top,
        declared=tuple(version.name for version in (marked, *official) if version is not None),
        mark=mark,
        size_bytes=size_bytes,
        load=archive.load,
    )


class _Archive:
    """The zip file and what was found in it."""

    def __init__(self, file: BufferedReader, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        repaired = _Repaired(file)
        try:
            self._zip = zipfile.ZipFile(repaired)
        except _DAMAGE as error:
            raise CheckpointError(
                "it is cut off or damaged: the zip directory at its end is missing "
                f"({error}); download it again"
            ) from error
        repaired.longest_read = size_bytes
        self._records = {info.filename: info for info in self._zip.infolist()}
        self._check_records()
        self._folder = self._find_folder()

    def _check_records(self) -> None:
        for name, info in self._records.items():
            if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
                raise CheckpointError(f"its record {name[:80]!r} points outside of the archive")
            if info.flag_bits & 1:
                raise CheckpointError(f"its record {name[:80]!r} is encrypted")
        packed = [info for info in self._records.values() if _is_packed(info)]
        if packed:
            worst = max(packed, key=lambda info: info.file_size)
            raise CheckpointError(
                f"its record {worst.filename[:80]!r} is compressed ({worst.file_size} bytes out of "
                f"{worst.compress_size}); torch never compresses"
            )
        total = sum(info.file_size for info in self._zip.infolist())
        if total > self._size_bytes:
            raise CheckpointError(
                f"its records claim {total} bytes, the file has {self._size_bytes}: they overlap"
            )

    def _find_folder(self) -> str:
        """The name of the folder that all of torch's records lie in."""
        folders = [name[: -len("data.pkl")] for name in self._records if name.endswith("/data.pkl")]
        if len(folders) != 1:
            shown = ", ".join(sorted(self._records)[:3]) or "nothing"
            raise CheckpointError(
                f"a zip archive, but none of torch's: it has no data.pkl; it holds {shown[:120]}"
            )
        (folder,) = folders
        if f"{folder}constants.pkl" in self._records:
            raise CheckpointError("a TorchScript program, not a checkpoint")
        order = f"{folder}byteorder"  # archives of old torch versions have none
        if order in self._records and self._read(order).tobytes() != b"little":
            raise CheckpointError("its numbers are not little-endian")
        return folder

    def read_description(self) -> dict[str, object]:
        """What the pickle describes; its storages are checked when they are loaded."""
        name = f"{self._folder}data.pkl"
        if self._records[name].file_size > MAX_BYTES:
            raise CheckpointError(
                f"its description of the tensors has {self._records[name].file_size} bytes; "
                f"at most {MAX_BYTES} are read"
            )
        described = read_pickle(self._read(name).tobytes())
        if isinstance(described, TensorRef):
            raise CheckpointError("it holds a single tensor, not a checkpoint")
        if not isinstance(described, dict):
            raise CheckpointError(f"it holds a {type(described).__name__}, not a checkpoint")
        return {str(key): value for key, value in described.items()}

    def _check_record(self, storage: Storage) -> None:
        """Raise `CheckpointError` unless the storage's record has exactly its bytes."""
        info = self._records.get(f"{self._folder}data/{storage.record}")
        if info is None:
            raise CheckpointError(f"the data of storage {storage.record[:40]!r} is missing")
        claimed = storage.elements * ITEM_BYTES[storage.dtype]
        if info.file_size != claimed:
            raise CheckpointError(
                f"storage {storage.record[:40]!r} claims {claimed} bytes, its record has "
                f"{info.file_size}"
            )

    def load(self, refs: dict[str, TensorRef]) -> dict[str, Array]:
        """The values of these tensors; each record is read once, whole, against its checksum."""
        users: dict[Storage, list[str]] = defaultdict(list)
        for name, ref in refs.items():
            users[ref.storage].append(name)
        arrays: dict[str, Array] = {}
        for storage, names in users.items():
            self._check_record(storage)
            data = self._read(f"{self._folder}data/{storage.record}")
            for name in names:
                arrays[name] = make_array(refs[name], data)
        return {name: arrays[name] for name in refs}

    def _read(self, name: str) -> NDArray[np.uint8]:
        info = self._records[name]
        data = np.empty(info.file_size, dtype=np.uint8)
        try:
            with cast(io.BufferedIOBase, self._zip.open(info)) as record:
                count = record.readinto(data.data)
        except _DAMAGE as error:
            raise CheckpointError(f"it is damaged: {error}; download it again") from error
        if count != info.file_size:
            raise CheckpointError(f"it is cut off within record {name[:80]!r}; download it again")
        return data


def _is_packed(info: zipfile.ZipInfo) -> bool:
    return info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size


class _Repaired(io.RawIOBase):
    """The file as zip wants to see it: beginning with `PK`, and never read in one huge piece."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self.longest_read = MAX_DIRECTORY_BYTES

    def read(self, size: int = -1) -> bytes:
        if size > self.longest_read:
            raise CheckpointError(
                f"its zip directory has {size} bytes; at most {self.longest_read} are read"
            )
        at = self._file.tell()
        data = self._file.read(size)
        return b"PK"[at : at + len(data)] + data[max(0, 2 - at) :] if at < 2 else data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
