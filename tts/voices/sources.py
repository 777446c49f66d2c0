"""What a voice is compiled of, and what of it has changed since.

In: a voice's folder and manifest.  Out: a digest of each source under a name that people know, or
the names of those that are others now.  Reads files and knows nothing of models; blocking, any
thread.
"""

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path

from tts.pretrained.official import official_weights
from tts.voices.compiled import Source
from tts.voices.errors import VoiceError
from tts.voices.manifest import Manifest

T2S, SOVITS = "weights.t2s", "weights.sovits"
"""Names of the two weight files."""


def source_files(folder: Path, manifest: Manifest, pretrained_dir: Path) -> dict[str, Path]:
    """Where a voice's weights and clips should be, by name; they are not looked for."""

    weights = manifest.weights
    t2s, sovits = official_weights(weights.t2s), official_weights(weights.sovits)
    return {
        T2S: pretrained_dir / t2s.t2s if t2s else folder / weights.t2s,
        SOVITS: pretrained_dir / sovits.sovits if sovits else folder / weights.sovits,
        **{name: folder / name for one in manifest.reference for name in (one.audio, *one.also)},
    }


def read_sources(files: Mapping[str, Path], manifest: Manifest) -> dict[str, Source]:
    """Every source as it is now.  Raises `VoiceError` naming a file that cannot be read."""
    read = {name: _of_file(name, path, None) for name, path in files.items()}
    return {**read, **_settings(manifest)}


def changes(
    known: Mapping[str, Source], folder: Path, manifest: Manifest, pretrained_dir: Path
) -> list[str]:
    """Names of the sources that are others than they were, or new, or no longer wanted.

    A file that is gone is no change: a compiled voice speaks without its sources.  One as large
    and as old as it was is not read.  Raises `VoiceError` naming a file that cannot be read.
    """
    now = _settings(manifest)
    for name, path in source_files(folder, manifest, pretrained_dir).items():
        before = known.get(name)
        if path.exists():
            now[name] = _of_file(name, path, before)
        elif before is not None:
            now[name] = before
    names = dict.fromkeys([*known, *now])
    return [
        name
        for name in names
        if name not in now or name not in known or now[name].sha256 != known[name].sha256
    ]


def _of_file(name: str, path: Path, before: Source | None) -> Source:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise VoiceError(f"{name}: {path} is not a file but a folder or a device")
        size_bytes, modified_ns = about.st_size, about.st_mtime_ns
        if before and (before.size_bytes, before.modified_ns) == (size_bytes, modified_ns):
            return before
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise VoiceError(f"{name}: {path} cannot be read: {error.strerror}") from error
    return Source(sha256, size_bytes, modified_ns)


def _settings(manifest: Manifest) -> dict[str, Source]:
    """What the manifest itself says, as far as the compiled voice depends on it."""
    said: dict[str, object] = {
        "languages": manifest.languages,
        "denoise": manifest.denoise,
        "loudness": manifest.loudness.model_dump(),
    }
    # The place counts: the first reference is the default.
    for place, one in enumerate(manifest.reference):
        said[f"reference {one.emotion}"] = [place, one.model_dump()]
    return {
        name: Source(hashlib.sha256(json.dumps(value).encode()).hexdigest(), 0, 0)
        for name, value in said.items()
    }
