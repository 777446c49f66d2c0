"""voice.toml: what a voice is made of and how it speaks, written by a person.

In: a voice's folder, or the text of its manifest.  Out: one frozen `Manifest`, or a
`ManifestError` that names each key, its value and what is allowed.  Says where files should be and
opens none of them.  Any thread.
"""

import datetime
import json
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from tts.audio.loudness import TARGET_LUFS
from tts.config import Table, explain
from tts.pretrained.official import PREFIX, WEIGHTS
from tts.voices.errors import ManifestError

FILE_NAME = "voice.toml"

MAX_FILE_BYTES = 256 << 10
MAX_TEXT_CHARS = 500
"""Longest text of a reference: nobody says more in 10 s."""

Language = Literal["zh", "en", "ja", "ko", "yue"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Emotion = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts:
        raise ValueError("a path inside the voice's folder is allowed")
    return path


def _weights(name: str) -> str:
    if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in WEIGHTS:
        allowed = ", ".join(f'"{PREFIX}{version}"' for version in WEIGHTS)
        raise ValueError(f"allowed are {allowed}, or a path")
    return name


def _with_words(text: str) -> str:
    if not any(char.isalnum() for char in text):
        raise ValueError("a text with at least one word is allowed")
    return text


InsidePath = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
WeightsName = Annotated[str, Field(min_length=1), AfterValidator(_weights)]


class WeightsTable(Table):
    """The two models that the voice is spoken with."""

    t2s: WeightsName
    """Path of the .ckpt (or converted .safetensors) file, relative to the voice's folder; or
    "official:v1", "official:v2", "official:v2Pro", "official:v2ProPlus": the official weights of
    that version in `pretrained_dir`."""
    sovits: WeightsName
    """The same for the .pth file."""


class ReferenceTable(Table):
    """A clip of the speaker in one emotion."""

    emotion: Emotion
    """Name that a request chooses it by: letters, digits, "-" and "_"."""
    audio: InsidePath
    """Path of the clip in the voice's folder: 3 to 10 s of this speaker alone."""
    text: Annotated[Words, Field(max_length=MAX_TEXT_CHARS), AfterValidator(_with_words)]
    """What is said in the clip, word for word."""
    language: Language
    """The language of the text."""
    also: tuple[InsidePath, ...] = ()
    """More clips of the speaker in this emotion: the voice sounds like the mean of them all."""


class ConsentTable(Table):
    """Who allowed the voice to be used, when, and for what."""

    who: Words
    """The person whose voice it is, or who may speak for them."""
    when: datetime.date
    what: Words
    """What they agreed to, in their words."""
    evidence: str = ""
    """Where it is written or heard: a path, an address, a file number."""


class MannerTable(Table):
    """How the voice speaks unless a request says otherwise."""

    speed: Annotated[float, Field(ge=0.5, le=2.0)] = 1.0
    """Rate; above 1 is faster."""
    top_k: Annotated[int, Field(ge=1, le=1025)] = 15
    """Tokens that the next one is chosen from; fewer is steadier."""
    top_p: Annotated[float, Field(ge=0.0, le=1.0)] = 1.0
    """Share of the probability that the next token is chosen from; less is steadier."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """Above 1 is livelier, below 1 steadier."""
    repetition_penalty: Annotated[float, Field(ge=0.1, le=10.0)] = 1.35
    """What the logits of earlier tokens are divided by; above 1 keeps it from droning."""
    noise_scale: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    """How much the sound varies around its mean."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """The same seed and text give the same audio."""


class LoudnessTable(Table):
    """How loud the voice is made."""

    target_lufs: Annotated[float, Field(ge=-40.0, le=-10.0)] = TARGET_LUFS
    """Integrated loudness by ITU-R BS.1770.  All voices that keep the default are as loud as one
    another."""


class Manifest(Table):
    """The whole file."""

    name: Words
    """What people call the voice."""
    description: str = ""
    licence: str = ""
    """Terms under which clips and weights may be used."""
    languages: tuple[Language, ...] = ()
    """Languages it is offered in, the first by default.  Without: that of the first reference,
    then the others that its weights can speak."""
    denoise: bool = False
    """Take the noise out of the clips before listening to them; for clips that have any."""
    weights: WeightsTable
    reference: tuple[ReferenceTable, ...]
    """By emotion; the first is the default.  At least one."""
    consent: ConsentTable | None = None
    manner: MannerTable = MannerTable()
    loudness: LoudnessTable = LoudnessTable()

    @model_validator(mode="after")
    def _one_reference_an_emotion(self) -> Self:
        emotions = [one.emotion for one in self.reference]
        if not emotions:
            raise ValueError("reference = []: at least one is needed")
        for emotion in emotions:
            if emotions.count(emotion) > 1:
                raise ValueError(
                    f"reference: {emotions.count(emotion)} have the emotion {emotion!r};"
                    " one for each is allowed, more clips of it stand under `also`"
                )
        return self


def load_manifest(folder: Path) -> Manifest:
    """Read the manifest of a voice's folder.  Raises `ManifestError`."""
    path = folder / FILE_NAME
    shown = f"{folder.name}/{FILE_NAME}"
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ManifestError("not a file but a folder or a device")
        if about.st_size > MAX_FILE_BYTES:
            raise ManifestError(f"{about.st_size} bytes; at most {MAX_FILE_BYTES} are allowed")
        return parse_manifest(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ManifestError(f"{shown}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{shown}: not UTF-8: byte {error.start}") from error
    except ManifestError as error:
        raise ManifestError(f"{shown}: {error}") from error


def parse_manifest(text: str) -> Manifest:
    """Read a manifest's text.  Raises `ManifestError`."""
    try:
        return manifest_of(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ManifestError(f"not TOML: {error}") from error


def manifest_of(values: Mapping[str, object]) -> Manifest:
    """Check plain values.  Raises `ManifestError`."""
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        raise ManifestError("; ".join(explain(error, Manifest))) from error


def to_toml(manifest: Manifest) -> str:
    """The text of a manifest, without what is as by default; reading it gives the same manifest."""
    values = manifest.model_dump(exclude_defaults=True)
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    references = values.pop("reference")
    blocks = [_lines({key: value for key, value in values.items() if key not in tables})]
    blocks.append(["[weights]", *_lines(tables.pop("weights"))])
    blocks += [["[[reference]]", *_lines(reference)] for reference in references]
    blocks += [[f"[{name}]", *_lines(table)] for name, table in tables.items()]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def table_toml(heading: str, table: Table) -> str:
    """The text of one table under its heading, as "[[reference]]"."""
    return "\n".join([heading, *_lines(table.model_dump(exclude_defaults=True))]) + "\n"


def _lines(values: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in values.items()]


def _value(value: object) -> str:
    match value:
        case str():
            # A JSON string is a TOML string, but for one character.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case bool():
            return str(value).lower()
        case datetime.date():
            return value.isoformat()
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case _:
            return repr(value)
