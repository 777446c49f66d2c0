"""What a checkpoint file or a voice is, for people and as plain values; nothing of it is run.

In: a path or a voice's id.  Out: lines of text, or values for JSON.  Weights are described and not
read.  Blocking; any thread.
"""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tts import checkpoint
from tts.checkpoint import CheckpointError, Description
from tts.config import GptSovitsConfig, ServiceConfig
from tts.terminal import megabytes

if TYPE_CHECKING:
    from tts.voices.store import StoredVoice


class Summary(TypedDict):
    """A voice as a list shows it."""

    id: str
    state: str
    reason: str
    name: str
    languages: list[str]
    """What it speaks; before it is compiled, what its texts are in."""
    emotions: list[str]
    consent: bool
    """Whether it has a consent record."""


def run(args: argparse.Namespace, config: ServiceConfig) -> int:
    """Print what the target is: 0 when it can be used, 1 when not.

    Raises `CheckpointError` for a file that is no checkpoint, and `VoiceNotFound`.
    """
    path = Path(args.target)
    if path.is_file() or (path.suffix and not path.is_dir()):
        about = checkpoint.describe(path)
        if args.json:
            print_json({"file": str(path), **dataclasses.asdict(about)})
        else:
            print("\n".join(checkpoint_lines(path.name, about)))
        return 0 if about.usable else 1
    voice = _voice(args.target, config.gpt_sovits)
    if args.json:
        print_json(voice_values(voice, config.gpt_sovits.pretrained_dir))
    else:
        print("\n".join(voice_lines(voice, config.gpt_sovits.pretrained_dir)))
    return 0 if voice.compiled else 1


def _voice(target: str, config: GptSovitsConfig) -> "StoredVoice":
    """The voice of a folder, or with an id."""
    from tts.voices.manifest import FILE_NAME
    from tts.voices.store import find_voice, look_at

    if (Path(target) / FILE_NAME).is_file():
        return look_at(Path(target).absolute(), config.pretrained_dir)
    return find_voice(config.voices_dir, target, config.pretrained_dir)


def summary(voice: "StoredVoice") -> Summary:
    """The line of a voice in a list."""
    manifest, compiled = voice.manifest, voice.compiled
    references = manifest.reference if manifest else ()
    spoken = compiled.languages if compiled else dict.fromkeys(one.language for one in references)
    return Summary(
        id=voice.id,
        state=str(voice.state),
        reason=voice.reason,
        name=manifest.name if manifest else "",
        languages=list(spoken),
        emotions=[one.emotion for one in references],
        consent=bool(manifest and manifest.consent),
    )


def voice_values(voice: "StoredVoice", pretrained_dir: Path) -> dict[str, object]:
    """All that is known of a voice, as plain values."""
    manifest, compiled = voice.manifest, voice.compiled
    return {
        **summary(voice),
        "folder": str(voice.folder),
        "manifest": manifest.model_dump(mode="json") if manifest else None,
        "weights": {
            name: dataclasses.asdict(about) if isinstance(about, Description) else {"error": about}
            for name, about in _weights(voice, pretrained_dir).items()
        },
        "compiled": {
            "sample_rate_hz": compiled.sample_rate_hz,
            "gain_db": compiled.gain_db,
            "t2s_sha256": compiled.t2s_sha256,
            "sovits_sha256": compiled.sovits_sha256,
            "codes": {emotion: len(one.codes) for emotion, one in compiled.prompts.items()},
        }
        if compiled
        else None,
    }


def voice_lines(voice: "StoredVoice", pretrained_dir: Path) -> list[str]:
    """The same for people."""
    about, manifest, compiled = summary(voice), voice.manifest, voice.compiled
    rows = {"why": voice.reason, "name": about["name"], "languages": " ".join(about["languages"])}
    if manifest:
        rows |= {"about": manifest.description, "licence": manifest.licence}
        for one in manifest.reference:
            clips = " ".join([one.audio, *one.also])
            rows[one.emotion] = f'{clips}, {one.language}: "{one.text}"'
        for name, weights in _weights(voice, pretrained_dir).items():
            rows[name] = _in_a_line(weights) if isinstance(weights, Description) else weights
        consent = manifest.consent
        rows["consent"] = (
            f"{consent.who}, {consent.when}: {consent.what} {consent.evidence}".rstrip()
            if consent
            else "no record: write a table [consent] with who, when and what into voice.toml"
        )
    if compiled:
        rows["loudness"] = f"{compiled.gain_db:+.1f} dB are added"
    return [f"{voice.id}: {voice.state}", *_rows(rows)]


def checkpoint_lines(name: str, about: Description) -> list[str]:
    """A checkpoint file for people."""
    usable = "can be used" if about.usable else f"cannot be used: {about.note}"
    rows = {
        "languages": " ".join(about.languages),
        "parameters": f"{about.parameters:,}",
        "weights": f"{' '.join(about.dtypes)}, {megabytes(about.size_bytes)}, {about.format}",
        "training": about.info,
    }
    sizes = dataclasses.asdict(about.spec) if about.spec else {}
    rows |= {key: _size(value) for key, value in sizes.items() if key != "version"}
    return [f"{name}: {about.kind} {about.version}, {usable}", *_rows(rows)]


def _weights(voice: "StoredVoice", pretrained_dir: Path) -> dict[str, Description | str]:
    """What each weight file is, or what is wrong with it."""
    from tts.voices.sources import SOVITS, T2S, source_files

    if voice.manifest is None:
        return {}
    files = source_files(voice.folder, voice.manifest, pretrained_dir)
    return {name: _described(files[name]) for name in (T2S, SOVITS)}


def _described(path: Path) -> Description | str:
    try:
        return checkpoint.describe(path)
    except CheckpointError as error:
        return str(error)


def _in_a_line(about: Description) -> str:
    usable = "" if about.usable else f"; cannot be used: {about.note}"
    return f"{about.version}, {about.parameters:,} parameters, {about.info or 'no info'}{usable}"


def _size(value: object) -> str:
    """A size of a spec; those of the decoder are tuples."""
    return " ".join(map(_size, value)) if isinstance(value, tuple) else str(value)


def _rows(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows))
    return [f"  {name:{width}}  {value}" for name, value in rows.items() if value]


def print_json(value: object) -> None:
    """One JSON value on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
