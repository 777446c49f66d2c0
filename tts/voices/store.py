"""The folder of voices: which there are, and what can be done with each.

In: the folder.  Out: `StoredVoice`s, the broken ones among them: one never hides the others.  Knows
nothing of models; torch is not needed.  Blocking; any thread.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tts.errors import VoiceNotFound
from tts.voices.compiled import FILE_NAME, CompiledVoice, load_compiled, weights_path
from tts.voices.errors import NotCompiled, VoiceError
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import Manifest, load_manifest
from tts.voices.sources import changes

_ID = re.compile(r"[a-z0-9_-]{1,64}")


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


def look_at(folder: Path, pretrained_dir: Path) -> StoredVoice:
    """A voice and its state.  Raises nothing for any content of the folder."""

    def voice(
        state: State, reason: str, manifest: Manifest | None, compiled: CompiledVoice | None
    ) -> StoredVoice:
        return StoredVoice(folder.name, folder, state, reason, manifest, compiled)

    try:
        check_id(folder.name)
        manifest = load_manifest(folder)
    except VoiceError as error:
        return voice(State.BROKEN, str(error), None, None)
    try:
        compiled = load_compiled(folder / FILE_NAME)
    except NotCompiled as error:
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
