"""The folder of voices: which there are, and what can be done with each.

In: the folder.  Out: `StoredVoice`s, the broken ones among them: one never hides the others.  Knows
nothing of models; torch is not needed.  Blocking; any thread.
"""

import re
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tts.errors import VoiceNotFound
from tts.voices.compiled import (
    FILE_NAME,
    WEIGHTS_FOLDER,
    CompiledVoice,
    load_compiled,
    weights_path,
)
from tts.voices.errors import NotCompiled, VoiceError
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import Manifest, load_manifest
from tts.voices.sources import changes

_ID = re.compile(r"[a-z0-9_-]{1,64}")
_JUST_NOW_S = 3600.0
"""A voice on its way needs weights that no voice has yet."""
_HIDDEN = re.compile(r"\.clip-[0-9a-f]{32}")


class State(StrEnum):
    """What can be done with a voice."""

    READY = "ready"
    """It can speak."""
    NOT_COMPILED = "not compiled"
    """Compiling it is next."""
    STALE = "stale"
    """It speaks as its sources were; compiling it again brings them in."""
    BROKEN = "broken"
    """Its files must be mended first."""


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """A voice as it lies in its folder."""

    id: str
    folder: Path
    state: State
    reason: str
    """Why it is not ready; empty when it is."""
    manifest: Manifest | None
    """None when it is broken."""
    compiled: CompiledVoice | None
    """None when there is no state that can be read."""


def check_id(voice_id: str) -> str:
    """The id.  Raises `VoiceError` for one that is not allowed."""
    if not _ID.fullmatch(voice_id):
        raise VoiceError(
            f"id = {voice_id!r}: 1 to 64 lower-case letters, digits, '-' and '_' are allowed"
        )
    return voice_id


def hidden_id(sha256: str) -> str:
    """The id of a voice that somebody made of a clip for a request, and not to be kept."""
    return f".clip-{sha256[:32]}"


def hidden_folders(voices_dir: Path) -> list[Path]:
    """Folders of hidden voices."""
    found = [path.parent for path in voices_dir.glob(f".clip-*/{MANIFEST}")]
    return sorted(folder for folder in found if _HIDDEN.fullmatch(folder.name))


def voice_folders(voices_dir: Path) -> list[Path]:
    """Folders with a manifest, by name; those that begin with a dot are no voices."""
    found = [path.parent for path in voices_dir.glob(f"*/{MANIFEST}")]
    return sorted(folder for folder in found if not folder.name.startswith("."))


def list_voices(voices_dir: Path, pretrained_dir: Path) -> list[StoredVoice]:
    """Every voice, whatever state it is in; none when there is no such folder."""
    return [look_at(folder, pretrained_dir) for folder in voice_folders(voices_dir)]


def find_voice(voices_dir: Path, voice_id: str, pretrained_dir: Path) -> StoredVoice:
    """One voice.  Raises `VoiceNotFound` with the ids that there are."""
    return look_at(find_folder(voices_dir, voice_id), pretrained_dir)


def find_folder(voices_dir: Path, voice_id: str) -> Path:
    """The folder of a voice.  Raises `VoiceNotFound` with the ids that there are."""
    folders = {folder.name: folder for folder in voice_folders(voices_dir)}
    if voice_id not in folders:
        ids = ", ".join(folders) or "none"
        raise VoiceNotFound(f"no voice {voice_id!r} in {voices_dir}; there are: {ids}")
    return folders[voice_id]


def drop_unused_weights(voices_dir: Path) -> None:
    """Remove converted weights that no voice speaks with, but for those made just now."""
    used: set[str] = set()
    for path in voices_dir.glob(f"*/{FILE_NAME}"):  # hidden ones too
        try:
            compiled = load_compiled(path)
        except (NotCompiled, ImportError):
            return  # nobody knows what it needs
        used |= {compiled.t2s_sha256, compiled.sovits_sha256}
    for path in (voices_dir / WEIGHTS_FOLDER).glob("*.safetensors"):
        if path.stem not in used and time.time() - path.stat().st_mtime > _JUST_NOW_S:
            path.unlink(missing_ok=True)


def look_at(folder: Path, pretrained_dir: Path) -> StoredVoice:
    """A voice and its state.  Raises nothing for any content of the folder."""

    def voice(
        state: State, reason: str, manifest: Manifest | None, compiled: CompiledVoice | None
    ) -> StoredVoice:
        return StoredVoice(folder.name, folder, state, reason, manifest, compiled)

    try:
        if not _HIDDEN.fullmatch(folder.name):
            check_id(folder.name)
        manifest = load_manifest(folder)
    except VoiceError as error:
        return voice(State.BROKEN, str(error), None, None)
    try:
        compiled = load_compiled(folder / FILE_NAME)
    except (NotCompiled, ImportError) as error:
        return voice(State.NOT_COMPILED, str(error), manifest, None)
    for sha256 in (compiled.t2s_sha256, compiled.sovits_sha256):
        path = weights_path(folder.parent, sha256)
        if not path.is_file():
            reason = f"its converted weights are missing: {path}"
            return voice(State.NOT_COMPILED, reason, manifest, compiled)
    try:
        changed = changes(compiled.sources, folder, manifest, pretrained_dir)
    except VoiceError as error:
        return voice(State.STALE, str(error), manifest, compiled)
    if changed:
        reason = f"changed since it was compiled: {', '.join(changed)}"
        return voice(State.STALE, reason, manifest, compiled)
    return voice(State.READY, "", manifest, compiled)
