"""How a voice comes into the folder of voices: a clip and its text, checked, copied, written down.

In: the folder, an id, a clip with its text, the weights.  Out: a folder with a voice.toml, or a
reference more in one, whole or not at all.  Nothing is compiled here, and torch is not needed.
Blocking; any thread, one writer of a voice at a time.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tts import checkpoint
from tts.checkpoint import CheckpointError
from tts.pretrained.official import PREFIX
from tts.voices.clip import accepted, check_clip
from tts.voices.errors import VoiceError, VoiceExists
from tts.voices.manifest import (
    FILE_NAME,
    ConsentTable,
    Manifest,
    load_manifest,
    manifest_of,
    parse_manifest,
    table_toml,
    to_toml,
)
from tts.voices.store import check_id, find_folder


@dataclass(frozen=True, slots=True)
class NewReference:
    """A clip to be copied into a voice, and what is said in it."""

    clip: Path
    text: str
    language: str
    emotion: str


@dataclass(frozen=True, slots=True)
class NewVoice:
    """What a voice is made of, besides its first reference."""

    name: str
    t2s: str
    """An official name, or a path: relative to the process' folder, not to the voice's."""
    sovits: str
    description: str = ""
    licence: str = ""
    denoise: bool = False
    consent: ConsentTable | None = None


def add_voice(
    voices_dir: Path, voice_id: str, new: NewVoice, reference: NewReference
) -> Sequence[str]:
    """Make a voice; returns what would make it sound better.

    Raises `VoiceExists` when there is one with this id, `ClipRefused` with all that is wrong with
    the clip, `ManifestError` for values that are not allowed, `VoiceError` for weights that cannot
    be used, and `OSError`.  Then there is nothing of it.
    """
    folder = voices_dir / check_id(voice_id)
    if folder.exists():
        raise VoiceExists(f"{folder} exists already; choose another id")
    # A name with a dot is no voice: nobody sees it before it is whole.
    scratch = voices_dir / f".{voice_id}.{os.getpid()}.part"
    try:
        warnings = write_voice(scratch, new, reference)
        os.rename(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return warnings


def write_voice(folder: Path, new: NewVoice, reference: NewReference) -> Sequence[str]:
    """Make a voice's folder in the folder of voices, under any name; see `add_voice`.

    What was written when `OSError` is raised stays for the caller to clear away.
    """
    file_name, voices_dir = _file_name(reference), folder.parent
    manifest = manifest_of(
        {
            "name": new.name,
            "description": new.description,
            "licence": new.licence,
            "denoise": new.denoise,
            "weights": {
                "t2s": _written(new.t2s, voices_dir),
                "sovits": _written(new.sovits, voices_dir),
            },
            "reference": [_values(reference, file_name)],
            "consent": new.consent,
        }
    )
    check_weights("t2s", new.t2s)
    check_weights("sovits", new.sovits)
    checked = check_clip(reference.clip, denoised=new.denoise)
    accepted([checked])
    folder.mkdir(parents=True)
    shutil.copyfile(reference.clip, folder / file_name)
    (folder / FILE_NAME).write_text(to_toml(manifest), encoding="utf-8")
    return checked.warnings


def add_reference(
    voices_dir: Path, voice_id: str, reference: NewReference, consent: ConsentTable | None = None
) -> Sequence[str]:
    """Give a voice another emotion, and a consent record if it has none; returns what would make
    it sound better.

    The manifest keeps what stands in it, comments too.  Raises `VoiceNotFound`, `VoiceExists` when
    the voice has this emotion or a consent record already, `ClipRefused`, `ManifestError` and
    `OSError`.  Then the voice is as it was.
    """
    return extend(find_folder(voices_dir, voice_id), reference, consent)


def extend(
    folder: Path, reference: NewReference, consent: ConsentTable | None = None
) -> Sequence[str]:
    """The same for a voice's folder, wherever it lies."""
    manifest = load_manifest(folder)
    emotions = [one.emotion for one in manifest.reference]
    if reference.emotion in emotions:
        raise VoiceExists(
            f"voice {manifest.name!r} has the emotion {reference.emotion!r} already; it has:"
            f" {', '.join(emotions)}"
        )
    if consent and manifest.consent:
        raise VoiceExists(
            f"voice {manifest.name!r} has a consent record already; edit its {FILE_NAME}"
        )
    file_name = _free_name(folder, _file_name(reference))
    text = _with_tables(folder, manifest, _values(reference, file_name), consent)
    checked = check_clip(reference.clip, denoised=manifest.denoise)
    accepted([checked])
    scratch = folder / f".{file_name}.{os.getpid()}.part"
    try:
        # The clip first: the manifest never names what is not there.
        shutil.copyfile(reference.clip, scratch)
        os.replace(scratch, folder / file_name)
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, folder / FILE_NAME)
    finally:
        scratch.unlink(missing_ok=True)
    return checked.warnings


def _with_tables(
    folder: Path, manifest: Manifest, reference: dict[str, str], consent: ConsentTable | None
) -> str:
    """The manifest's text with a reference at its end, and a consent record."""
    values = manifest.model_dump()
    values["reference"] = [*values["reference"], reference]
    wanted = manifest_of(values if consent is None else {**values, "consent": consent})
    text = (folder / FILE_NAME).read_text(encoding="utf-8").rstrip("\n")
    text += "\n\n" + table_toml("[[reference]]", wanted.reference[-1])
    if consent:
        text += "\n" + table_toml("[consent]", consent)
    try:
        if parse_manifest(text) == wanted:
            return text
    except VoiceError:
        pass  # its references are written as one value, to which no table can be added
    raise VoiceError(
        f"{folder.name}/{FILE_NAME}: nothing can be added behind its end; write each reference"
        " as a table [[reference]]"
    )


def _values(reference: NewReference, file_name: str) -> dict[str, str]:
    return {
        "emotion": reference.emotion,
        "audio": file_name,
        "text": reference.text,
        "language": reference.language,
    }


def _file_name(reference: NewReference) -> str:
    return f"{reference.emotion}{reference.clip.suffix.lower()}"


def _free_name(folder: Path, wanted: str) -> str:
    """A name that no file in the folder has."""
    name, number = Path(wanted), 1
    while (folder / name).exists():
        number += 1
        name = Path(wanted).with_stem(f"{Path(wanted).stem}-{number}")
    return name.name


def _written(weights: str, voices_dir: Path) -> str:
    """What a manifest says of weights: a name, a path from the voice's folder, or a whole path."""
    if weights.startswith(PREFIX):
        return weights
    path = Path(weights).absolute()
    if path.is_relative_to(voices_dir.absolute()):
        return str(Path("..") / path.relative_to(voices_dir.absolute()))
    return str(path)


def check_weights(kind: str, weights: str) -> None:
    """Raise `VoiceError` unless the weights are of this kind; official ones may still be pulled."""
    if weights.startswith(PREFIX):
        return
    try:
        about = checkpoint.describe(weights)
    except CheckpointError as error:
        raise VoiceError(f"weights.{kind}: {error}") from error
    if about.kind != kind or not about.usable:
        reason = about.note or f"it is a {about.kind} file, which is the wrong one"
        raise VoiceError(f"weights.{kind} = {weights!r}: {reason}")
