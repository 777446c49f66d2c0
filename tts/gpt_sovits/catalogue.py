"""The voices that can be spoken with on this machine, before any is loaded.

In: the configuration.  Out: an entry for each compiled voice of the folder, with what callers are
told of it, the state it is in, and what loading it will take.  What cannot be used is left out,
with a line in the log.  Reads manifests, compiled states and the descriptions of weights; without
torch.  Any thread.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from loguru import logger

from tts import checkpoint
from tts.carriers import missing
from tts.checkpoint import CheckpointError
from tts.config import GptSovitsConfig
from tts.pretrained import official
from tts.spec import SovitsSpec, T2sSpec, t2s_version
from tts.text.readers import check_installed
from tts.types import Voice
from tts.voices.compiled import CompiledVoice, weights_path
from tts.voices.errors import MissingPretrained, VoiceError
from tts.voices.manifest import MannerTable
from tts.voices.store import State, StoredVoice, hidden_folders, list_voices, look_at
from tts.voices.text_files import frontend_files

ENGINE = "gpt-sovits"

VERSION = 1
"""Goes up whenever the engine makes other sound of the same voice and request."""

S = TypeVar("S", T2sSpec, SovitsSpec)


@dataclass(frozen=True, slots=True)
class Weights:
    """The converted weights of one model."""

    path: Path
    sha256: str
    parameters: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A voice that can be loaded."""

    voice: Voice
    compiled: CompiledVoice
    manner: MannerTable
    symbols: int
    """Size of its phone table."""
    t2s: Weights
    sovits: Weights


def read_catalogue(config: GptSovitsConfig, *, spoken_on: str = "") -> dict[str, Entry]:
    """The voices by id, hidden ones too.  `spoken_on`: device and precision, which are part of the
    voices' states."""
    # Asked once for each language that a voice speaks.
    readable = cache(partial(_readable, pretrained_dir=config.pretrained_dir))
    read_with = _read_with(config)
    entries: dict[str, Entry] = {}
    hidden = (look_at(one, config.pretrained_dir) for one in hidden_folders(config.voices_dir))
    for stored in (*list_voices(config.voices_dir, config.pretrained_dir), *hidden):
        try:
            entries[stored.id] = _entry(stored, readable, f"{spoken_on} {read_with}")
        except (VoiceError, CheckpointError) as error:
            logger.bind(voice=stored.id, reason=str(error)).warning("voice left out")
            continue
        if stored.state is not State.READY:
            logger.bind(voice=stored.id, reason=stored.reason).warning("voice is out of date")
    return entries


def _entry(stored: StoredVoice, readable: Callable[[str], bool], around: str) -> Entry:
    """`around`: what changes its sound and is not its own."""
    manifest, compiled = stored.manifest, stored.compiled
    if manifest is None or compiled is None:
        raise VoiceError(stored.reason)
    voices_dir = stored.folder.parent
    t2s, t2s_spec = _weights(voices_dir, compiled.t2s_sha256, T2sSpec)
    sovits, sovits_spec = _weights(voices_dir, compiled.sovits_sha256, SovitsSpec)
    version = t2s_version(t2s_spec.phones)
    if version is None or version.symbols != sovits_spec.symbols:
        raise VoiceError(
            f"its T2S weights have {t2s_spec.phones} phones, its SoVITS weights "
            f"{sovits_spec.symbols}: they are of different versions"
        )
    languages = tuple(filter(readable, compiled.languages))
    if not languages:
        raise VoiceError(f"none of its languages can be read here: {', '.join(compiled.languages)}")
    return Entry(
        voice=Voice(
            id=stored.id,
            languages=languages,
            sample_rate_hz=sovits_spec.sample_rate_hz,
            engine=ENGINE,
            description=manifest.description or manifest.name,
            emotions=tuple(compiled.prompts),
            state=_state(compiled, manifest.manner, around),
        ),
        compiled=compiled,
        manner=manifest.manner,
        symbols=sovits_spec.symbols,
        t2s=t2s,
        sovits=sovits,
    )


def _state(compiled: CompiledVoice, manner: MannerTable, around: str) -> str:
    """A digest of all that decides how a voice sounds, not of when and where it was compiled."""
    about = [VERSION, around, compiled.t2s_sha256, compiled.sovits_sha256, compiled.gain_db]
    digest = hashlib.sha256(json.dumps([about, manner.model_dump()]).encode())
    for emotion, prompt in compiled.prompts.items():
        digest.update(emotion.encode() + b"\0")
        for array in (prompt.codes, prompt.phones, prompt.features, prompt.ge):
            digest.update(repr(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def _read_with(config: GptSovitsConfig) -> str:
    """Which of the files there are that make a text read otherwise."""
    files = frontend_files(config)
    there = [one.name for one in fields(files) if one.name != "cache" and getattr(files, one.name)]
    return " ".join(there)


def _weights(voices_dir: Path, sha256: str, kind: type[S]) -> tuple[Weights, S]:
    path = weights_path(voices_dir, sha256)
    about = checkpoint.describe(path)
    if not isinstance(about.spec, kind):
        raise VoiceError(f"{path.name} is a {about.kind} file, which is the wrong one")
    return Weights(path, sha256, about.parameters), about.spec


def _readable(language: str, *, pretrained_dir: Path) -> bool:
    """Whether text in a language can be read here; one that cannot leaves a line."""
    try:
        check_installed(language)
        if language == "zh":
            if find_spec("transformers") is None:
                raise missing("transformers", needed_for="Chinese in cloned voices")
            official.find(pretrained_dir, official.ROBERTA)
    except (ImportError, MissingPretrained) as error:
        logger.bind(language=language, reason=str(error)).warning("language left out")
        return False
    return True


def preloaded(config: GptSovitsConfig, entries: Mapping[str, Entry]) -> list[Entry]:
    """The voices to load when the service starts; one that is not there leaves a line."""
    missing = [voice_id for voice_id in config.preload if voice_id not in entries]
    if missing:
        logger.bind(voices=missing, there_are=list(entries)).warning("voices to preload not found")
    return [entries[voice_id] for voice_id in config.preload if voice_id in entries]
