"""A voice's saved state: all that is computed once of its reference clips and their texts.

In: a `CompiledVoice` to save, or the path of a saved one.  Out: one safetensors file, or the voice.
numpy only: whoever speaks makes tensors of it on their device.  Knows nothing of manifests, models
or of how the numbers came to be.  The package safetensors, of an extra, is imported when a file is
read or written.  Any thread.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.carriers import missing
from tts.voices.errors import NotCompiled

FILE_NAME = "compiled.safetensors"
"""What the state is called in its voice's folder."""

WEIGHTS_FOLDER = ".weights"
"""Where the folder of voices keeps the converted weights of all of them."""

MAX_FILE_BYTES = 64 << 20
"""Largest file that is read; a reference of 10 s and 200 Chinese phones takes less than 1 MB."""

_LAYOUT = "parley voice"
_LAYOUT_VERSION = "1"
_DTYPES = {"codes": np.int64, "phones": np.int64, "features": np.float32, "ge": np.float32}
_AXES = {"codes": 1, "phones": 1, "features": 2, "ge": 1}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One reference of one emotion, as the models take it."""

    codes: NDArray[np.int64]
    """[S] semantic codes of the clip."""
    phones: NDArray[np.int64]
    """[T] rows of the phone table: what is said in the clip."""
    features: NDArray[np.float32]
    """[bert, T] text features of the phones; zeros where the language has none."""
    ge: NDArray[np.float32]
    """[gin] speaker vector, the mean over the reference's clips."""


@dataclass(frozen=True, slots=True)
class Source:
    """What one of a voice's sources was when the voice was compiled."""

    sha256: str
    size_bytes: int
    modified_ns: int
    """Size and time of change tell an untouched file without reading it; 0 for what is no file."""


@dataclass(frozen=True, slots=True)
class CompiledVoice:
    """A voice ready to be spoken with, but for its weights."""

    prompts: Mapping[str, Prompt]
    """By emotion; the first is the default.  At least one."""
    languages: tuple[str, ...]
    """What it speaks, as BCP 47 primary languages; the first is the default.  At least one."""
    sample_rate_hz: int
    """Rate of the audio that its weights make."""
    gain_db: float
    """Brings the voice to its target loudness; measured when it was compiled."""
    t2s_sha256: str
    """Of the converted weights; see `weights_path`."""
    sovits_sha256: str
    sources: Mapping[str, Source]
    """What it was compiled of, by names that people know: "neutral.wav", "[[reference]] happy"."""


def weights_path(voices_dir: Path, sha256: str) -> Path:
    """Where the converted weights with this digest lie; voices that share weights share it."""
    return voices_dir / WEIGHTS_FOLDER / f"{sha256}.safetensors"


def save_compiled(voice: CompiledVoice, path: Path) -> None:
    """Write the state; a reader never sees half a file.

    Raises `OSError` when it cannot be written; then `path` is as it was.
    """
    with _explained():
        from safetensors.numpy import save
    about = {
        _LAYOUT: _LAYOUT_VERSION,
        "emotions": json.dumps(list(voice.prompts)),
        "languages": json.dumps(voice.languages),
        "sample_rate_hz": str(voice.sample_rate_hz),
        "gain_db": repr(voice.gain_db),
        "t2s_sha256": voice.t2s_sha256,
        "sovits_sha256": voice.sovits_sha256,
        "sources": json.dumps(
            {
                name: [one.sha256, one.size_bytes, one.modified_ns]
                for name, one in voice.sources.items()
            }
        ),
    }
    arrays = {
        f"{number}.{part}": np.ascontiguousarray(getattr(prompt, part), dtype)
        for number, prompt in enumerate(voice.prompts.values())
        for part, dtype in _DTYPES.items()
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(save(arrays, metadata=about))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_compiled(path: Path) -> CompiledVoice:
    """Read a saved state and check it.

    Raises `NotCompiled` when there is none, or when it is damaged or of another layout, and
    `ImportError` naming the extra without safetensors.
    """
    with _explained():
        from safetensors import SafetensorError, safe_open
    shown = f"{path.parent.name}/{path.name}"
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a file but a folder or a device")
        if about.st_size > MAX_FILE_BYTES:
            raise ValueError(f"it has {about.st_size} bytes, at most {MAX_FILE_BYTES} are read")
        with safe_open(path, framework="numpy") as file:
            said = file.metadata() or {}
            if said.get(_LAYOUT) != _LAYOUT_VERSION:
                raise ValueError("it was written by another version of Parley")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _voice(said, arrays)
    except FileNotFoundError:
        raise NotCompiled(f"{shown}: not there; the voice is not compiled yet") from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotCompiled(f"{shown}: cannot be used: {error}; compile the voice again") from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise missing("safetensors", needed_for="compiled voices") from error


def _voice(about: Mapping[str, str], arrays: Mapping[str, NDArray[np.generic]]) -> CompiledVoice:
    """The voice of a file's parts.  Raises ValueError, KeyError or TypeError when some is wrong."""
    emotions, languages = _names(about, "emotions"), _names(about, "languages")
    gain_db = float(about["gain_db"])
    if not np.isfinite(gain_db):
        raise ValueError(f"its gain is {gain_db}")
    for key in ("t2s_sha256", "sovits_sha256"):
        if not _SHA256.fullmatch(about[key]):
            raise ValueError(f"its {key} is no SHA-256")
    return CompiledVoice(
        prompts={emotion: _prompt(arrays, number) for number, emotion in enumerate(emotions)},
        languages=languages,
        sample_rate_hz=int(about["sample_rate_hz"]),
        gain_db=gain_db,
        t2s_sha256=about["t2s_sha256"],
        sovits_sha256=about["sovits_sha256"],
        sources={
            str(name): Source(str(sha256), int(size_bytes), int(modified_ns))
            for name, (sha256, size_bytes, modified_ns) in json.loads(about["sources"]).items()
        },
    )


def _names(about: Mapping[str, str], key: str) -> tuple[str, ...]:
    names = json.loads(about[key])
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"it names no {key}")
    return tuple(names)


def _prompt(arrays: Mapping[str, NDArray[np.generic]], number: int) -> Prompt:
    parts = {}
    for part, dtype in _DTYPES.items():
        array = arrays[f"{number}.{part}"]
        if array.dtype != dtype or array.ndim != _AXES[part] or array.size == 0:
            raise ValueError(f"{number}.{part} is {array.dtype} {list(array.shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{number}.{part} is not finite")
        parts[part] = array
    if parts["features"].shape[1] != len(parts["phones"]):
        raise ValueError(f"{number}.features has not one column for each phone")
    return Prompt(
        codes=parts["codes"].astype(np.int64, copy=False),
        phones=parts["phones"].astype(np.int64, copy=False),
        features=parts["features"].astype(np.float32, copy=False),
        ge=parts["ge"].astype(np.float32, copy=False),
    )
