"""Compiles a voice: everything that its clips and texts say about it, computed once.

In: a voice's folder, the folder of pretrained models and the frontends' files.  Out: its saved
state beside its manifest, and its weights converted.  The networks that only listen are let go
before the voice speaks a few sentences, by which its loudness is measured.  Blocking, for seconds;
one thread.
"""

import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tts import checkpoint
from tts.audio.loudness import BLOCK_S, measure_lufs
from tts.checkpoint import CheckpointError, WrongKind
from tts.engine.t2s_runtime import T2sRuntime
from tts.engine.utterance import MAX_PLACES, whole
from tts.engine.voice import Models
from tts.models.sovits import Sovits
from tts.models.t2s import T2s
from tts.pretrained import official
from tts.spec import t2s_version, version_named
from tts.text.cutting import ended
from tts.text.frontend import Frontend, Spoken
from tts.text.readers import FrontendFiles
from tts.voices import listening
from tts.voices.arguments import manner_of, reference_of
from tts.voices.clip import Clip, accepted, check_clip
from tts.voices.compiled import (
    FILE_NAME,
    WEIGHTS_FOLDER,
    CompiledVoice,
    Prompt,
    save_compiled,
    weights_path,
)
from tts.voices.errors import VoiceError
from tts.voices.manifest import Manifest, load_manifest
from tts.voices.sources import SOVITS, T2S, read_sources, source_files

Report = Callable[[str], None]
"""Called with what is done next, in words for people."""

# What the loudness of a voice is measured by.
_SENTENCES = {
    "en": ("Good morning, and thank you for calling.", "It will be warm tomorrow, with some rain."),
    "zh": ("您好，感谢您的来电。", "明天天气暖和，会下一点小雨。"),
    "ja": (
        "おはようございます、お電話ありがとうございます。",
        "明日は暖かく、少し雨が降るでしょう。",
    ),
    "ko": ("안녕하세요, 전화해 주셔서 감사합니다.", "내일은 따뜻하고 비가 조금 오겠습니다."),
    "yue": ("你好，多謝你打電話嚟。", "聽日天氣暖和，會落少少雨。"),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text as the models take it, on their device."""

    phones: Tensor
    """[1, T] int64."""
    features: Tensor
    """[1, bert, T]."""


def compile_voice(
    folder: Path,
    *,
    pretrained_dir: Path,
    files: FrontendFiles | None = None,
    device: torch.device | None = None,
    report: Report = lambda stage: None,
) -> CompiledVoice:
    """Compile the voice in `folder` and save it there; the weights go to the folder beside it.

    Raises `VoiceError` and its kinds for what is wrong with the voice or missing, `EngineFailed`
    when it cannot speak, and `ImportError` naming the extra when a package is missing.  Then the
    saved state is as it was.
    """
    device = device or torch.device("cpu")
    manifest = load_manifest(folder)
    places = source_files(folder, manifest, pretrained_dir)
    report("checking the clips")
    clips = _clips(manifest, places)
    report("converting the weights")
    for path in (places[T2S], places[SOVITS]):
        if path.is_relative_to(pretrained_dir):
            official.find(pretrained_dir, path.relative_to(pretrained_dir).as_posix())
    sources = read_sources(places, manifest)
    t2s_sha256 = _convert(T2S, places[T2S], folder.parent)
    sovits_sha256 = _convert(SOVITS, places[SOVITS], folder.parent)
    models = _models(
        weights_path(folder.parent, t2s_sha256), weights_path(folder.parent, sovits_sha256), device
    )
    languages = _languages(manifest, models.sovits)
    report("reading the texts")
    texts = _texts(manifest, languages[0], models, pretrained_dir, files)
    report("listening to the clips")
    count = len(manifest.reference)
    prompts = _prompts(manifest, clips, texts[:count], pretrained_dir, models.sovits)
    report("measuring the loudness")
    gain_db = _gain_db(models, next(iter(prompts.values())), texts[count:], manifest)
    voice = CompiledVoice(
        prompts=prompts,
        languages=languages,
        sample_rate_hz=models.sovits.spec.sample_rate_hz,
        gain_db=gain_db,
        t2s_sha256=t2s_sha256,
        sovits_sha256=sovits_sha256,
        sources=sources,
    )
    save_compiled(voice, folder / FILE_NAME)
    return voice


def _clips(manifest: Manifest, places: Mapping[str, Path]) -> dict[str, Clip]:
    """The clips by name.  Raises `ClipRefused` with everything that is wrong with any of them."""
    names = [name for one in manifest.reference for name in (one.audio, *one.also)]
    checked = [
        replace(check_clip(places[name], denoised=manifest.denoise), name=name) for name in names
    ]
    return dict(zip(names, accepted(checked), strict=True))


def _convert(name: str, path: Path, voices_dir: Path) -> str:
    """Make the weights a safetensors file named by its digest, and return that."""
    kept = voices_dir / WEIGHTS_FOLDER
    kept.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        converted = Path(scratch) / "converted"
        try:
            sha256 = checkpoint.convert(path, converted)
        except CheckpointError as error:
            raise VoiceError(f"{name}: {error}") from error
        os.replace(converted, weights_path(voices_dir, sha256))
    return sha256


def _models(t2s_path: Path, sovits_path: Path, device: torch.device) -> Models:
    """The models of converted weights.  Raises `VoiceError` when they are not of one kind."""
    try:
        t2s, sovits = checkpoint.read_t2s(t2s_path), checkpoint.read_sovits(sovits_path)
    except WrongKind as error:
        raise VoiceError(
            "weights: `t2s` is the .ckpt file and `sovits` the .pth file; one of these is of the"
            " other kind"
        ) from error
    version = t2s_version(t2s.spec.phones)
    if version is None or version.symbols != sovits.spec.symbols:
        raise VoiceError(
            f"weights: the T2S model has phones of {version.name if version else 'no version'}, the"
            f" SoVITS model is {sovits.spec.version}; v1 goes with v1, and later ones with later"
        )
    place: Any = {"dtype": torch.float32, "device": device}
    speaker = Sovits.load(sovits.spec, sovits.tensors, **place)
    runtime = T2sRuntime(T2s.load(t2s.spec, t2s.tensors, **place), rows=1, capacity=MAX_PLACES)
    return Models(runtime, speaker)


def _languages(manifest: Manifest, sovits: Sovits) -> tuple[str, ...]:
    """What the voice is offered in; raises `VoiceError` for what its weights cannot speak."""
    version = version_named(sovits.spec.version)
    known = version.languages if version else ()
    asked = {f"reference {one.emotion}: language": one.language for one in manifest.reference}
    asked |= {f"languages.{place}": code for place, code in enumerate(manifest.languages)}
    for key, code in asked.items():
        if code not in known:
            raise VoiceError(
                f"{key} = {code!r}: weights of {sovits.spec.version} speak {', '.join(known)}"
            )
    offered: Sequence[str] = manifest.languages
    return tuple(dict.fromkeys(offered or [manifest.reference[0].language, *known]))


def _texts(
    manifest: Manifest,
    language: str,
    models: Models,
    pretrained_dir: Path,
    files: FrontendFiles | None,
) -> list[Text]:
    """The texts of the references, and after them what the loudness is measured by."""
    said: list[tuple[str, str]] = [(one.text, one.language) for one in manifest.reference]
    said += [(sentence, language) for sentence in _SENTENCES[language]]
    frontend = Frontend(models.sovits.spec.symbols, files)
    spoken = [_read(frontend, text, code) for text, code in said]
    listening.check_files(pretrained_dir, models.sovits, spoken)
    device, width = models.t2s.model.device, models.t2s.model.spec.bert
    features = listening.read_texts(pretrained_dir, spoken, width, device)
    return [
        Text(torch.tensor([frontend.ids(runs)], device=device), vectors[None])
        for runs, vectors in zip(spoken, features, strict=True)
    ]


def _read(frontend: Frontend, text: str, language: str) -> list[Spoken]:
    try:
        return frontend.speak(ended(text, language=language), language)
    except (ValueError, OSError) as error:
        raise VoiceError(f"text in {language} cannot be read: {error}") from error


def _prompts(
    manifest: Manifest,
    clips: Mapping[str, Clip],
    texts: Sequence[Text],
    pretrained_dir: Path,
    sovits: Sovits,
) -> dict[str, Prompt]:
    """The references by emotion; `texts` are theirs, in order."""
    references, device = manifest.reference, sovits.codebook.device
    codes = listening.hear_content(
        pretrained_dir, [clips[one.audio] for one in references], sovits, device
    )
    speakers = listening.hear_speakers(
        pretrained_dir,
        [[clips[name] for name in (one.audio, *one.also)] for one in references],
        sovits,
        device,
    )
    return {
        one.emotion: Prompt(
            codes=heard,
            phones=text.phones[0].cpu().numpy(),
            features=text.features[0].cpu().numpy(),
            ge=ge,
        )
        for one, heard, text, ge in zip(references, codes, texts, speakers, strict=True)
    }


def _gain_db(models: Models, prompt: Prompt, texts: Sequence[Text], manifest: Manifest) -> float:
    """What brings the texts, spoken after a reference, to the loudness that the manifest wants."""
    reference = reference_of(prompt, device=models.t2s.model.device, dtype=torch.float32)
    manner = manner_of(manifest.manner)
    spoken = [whole(models, reference, text.phones, text.features, manner) for text in texts]
    samples, rate_hz = np.concatenate(spoken), models.sovits.spec.sample_rate_hz
    heard_lufs = measure_lufs(samples, rate_hz) if len(samples) >= BLOCK_S * rate_hz else -math.inf
    if not math.isfinite(heard_lufs):
        raise VoiceError("it says next to nothing that can be heard; are its weights sound?")
    return manifest.loudness.target_lufs - heard_lufs
