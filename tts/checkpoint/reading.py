"""From a checkpoint file to its spec and its weights, or to what is wrong with it.

In: the path of a .ckpt, .pth or .safetensors file from a stranger.  Out: a `Checkpoint`, a
`Description` or a `CheckpointError`, and nothing else: no other exception, nothing run, nothing
written.  Reading takes at most four times the file's size in memory, and 64 MiB.  Needs no torch.
Each call opens and closes its file; safe to call from any thread.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

import numpy as np

from tts.checkpoint.archive import ZIP_TAIL, open_archive
from tts.checkpoint.contents import Contents
from tts.checkpoint.errors import CheckpointError, WrongKind
from tts.checkpoint.foreign import what_is
from tts.checkpoint.identify import Kind, fitting_refs, identify
from tts.checkpoint.layout import CODEBOOK
from tts.checkpoint.plain import looks_plain, open_plain
from tts.checkpoint.tensors import Array, TensorRef
from tts.spec import T2S_VERSIONS, SovitsSpec, T2sSpec

MAX_FILE_BYTES = 4 << 30
"""Largest file that is opened; the largest official one has 0.8 GB."""

S = TypeVar("S", T2sSpec, SovitsSpec)

_HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Checkpoint(Generic[S]):
    """A checked model file: all tensors of its spec, none besides, every value finite."""

    spec: S
    tensors: dict[str, Array]
    """float16 or float32, by upstream's names without the prefix "model."; writable."""
    info: str
    """What the training wrote into the file, as "GPT-e15" or "8epoch_216iteration"."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a checkpoint file is, read off its description alone; its weights are not looked at."""

    format: Literal["torch", "safetensors"]
    kind: Kind
    version: str
    languages: tuple[str, ...]
    """What the model can speak, as BCP 47 primary languages."""
    spec: T2sSpec | SovitsSpec | None
    """None for a LoRA, which has no sizes of its own."""
    parameters: int
    """Numbers that synthesis uses, the codebook's running statistics left out."""
    dtypes: tuple[str, ...]
    """Types of the stored weights, in the names of safetensors."""
    size_bytes: int
    info: str
    usable: bool
    """Whether `read` would take it, if its weights are sound."""
    note: str
    """Why it is not usable, or ""."""


def read(path: Path | str) -> Checkpoint[T2sSpec] | Checkpoint[SovitsSpec]:
    """Read and check a model file of either kind.

    Raises `CheckpointError` when it is no sound checkpoint, `NeedsBase` for a LoRA and
    `UnsupportedVersion` for a version that the engine cannot speak with.
    """
    with _opened(path) as contents:
        model = identify(contents)
        if model.spec is None or model.problem is not None:
            raise model.problem or CheckpointError("it has no sizes of its own")
        tensors = contents.load(model.refs)
        for name, array in tensors.items():
            _check_finite(name, array)
        if isinstance(model.spec, T2sSpec):
            return Checkpoint(model.spec, tensors, model.info)
        return Checkpoint(model.spec, tensors, model.info)


def read_t2s(path: Path | str) -> Checkpoint[T2sSpec]:
    """As `read`; raises `WrongKind` for a SoVITS file."""
    checkpoint = read(path)
    if not isinstance(checkpoint.spec, T2sSpec):
        raise WrongKind(f"{Path(path).name}: a SoVITS checkpoint; a T2S one (.ckpt) is needed")
    return Checkpoint(checkpoint.spec, checkpoint.tensors, checkpoint.info)


def read_sovits(path: Path | str) -> Checkpoint[SovitsSpec]:
    """As `read`; raises `WrongKind` for a T2S file."""
    checkpoint = read(path)
    if not isinstance(checkpoint.spec, SovitsSpec):
        raise WrongKind(f"{Path(path).name}: a T2S checkpoint; a SoVITS one (.pth) is needed")
    return Checkpoint(checkpoint.spec, checkpoint.tensors, checkpoint.info)


def read_state(path: Path | str) -> dict[str, Array]:
    """Read a bare state dict, as the speaker-verification network and the vocoders have.

    The floating tensors are checked to be finite; which names there must be is for the caller to
    know.  Raises `CheckpointError`.
    """
    with _opened(path) as contents:
        if not contents.top or not all(isinstance(v, TensorRef) for v in contents.top.values()):
            raise CheckpointError("not a bare state dict: it holds other things than tensors")
        arrays = contents.load(fitting_refs(contents.top, contents.size_bytes))
        for name, array in arrays.items():
            if np.issubdtype(array.dtype, np.inexact):
                _check_finite(name, array)
        return arrays


def describe(path: Path | str) -> Description:
    """Say what a checkpoint file is, without reading its weights.

    Raises `CheckpointError` when it is none, or when its tensors do not fit its sizes.
    """
    with _opened(path) as contents:
        model = identify(contents)
        return Description(
            format=contents.format,
            kind=model.kind,
            version=T2S_VERSIONS[model.version.name] if model.kind == "t2s" else model.version.name,
            languages=model.version.languages,
            spec=model.spec,
            parameters=sum(
                ref.elements for name, ref in model.refs.items() if not name.startswith(CODEBOOK)
            ),
            dtypes=tuple(sorted({ref.dtype for ref in model.refs.values()})),
            size_bytes=contents.size_bytes,
            info=model.info,
            usable=model.problem is None,
            note="" if model.problem is None else str(model.problem),
        )


@contextmanager
def _opened(path: Path | str) -> Iterator[Contents]:
    """Open a file as what its first bytes say; puts its name before every error's message."""
    name = Path(path).name
    try:
        with open(path, "rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            if size_bytes > MAX_FILE_BYTES:
                raise CheckpointError(
                    f"{size_bytes} bytes; no checkpoint has more than {MAX_FILE_BYTES}"
                )
            head = file.read(_HEAD_BYTES)
            if len(head) >= 64 and head[2:4] == ZIP_TAIL:
                fingerprint = hashlib.md5(head, usedforsecurity=False).hexdigest()
                yield open_archive(file, head, size_bytes, fingerprint)
            elif looks_plain(head, size_bytes):
                yield open_plain(file, size_bytes)
            else:
                raise CheckpointError(what_is(head, size_bytes))
    except CheckpointError as error:
        raise type(error)(f"{name}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{name}: cannot be read: {error.strerror}") from error


def _check_finite(name: str, array: Array) -> None:
    finite = np.isfinite(array)
    if not finite.all():
        count = array.size - int(np.count_nonzero(finite))
        raise CheckpointError(
            f"the tensor {name!r} is not finite: {count} of its {array.size} values are NaN or "
            "infinite; the training failed or the file is damaged"
        )
