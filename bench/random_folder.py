"""Cloned voices of full size with random weights, in folders as the service wants them.

In: versions, lengths of reference.  Out: a folder of compiled voices and one of pretrained files.
An utterance of theirs ends when its text would have been spoken (`bench.endings`).
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from bench import endings, random_voice
from tts import checkpoint
from tts.pretrained import official
from tts.spec import SovitsSpec, T2sSpec
from tts.voices.compiled import FILE_NAME, CompiledVoice, Prompt, save_compiled, weights_path
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.manifest import parse_manifest
from tts.voices.sources import read_sources

CODES_PER_S = 25
_MANIFEST = """
name = "{name}"
weights = {{ t2s = "official:v2", sovits = "official:v2" }}
[[reference]]
emotion = "neutral"
audio = "neutral.wav"
text = "Good morning."
language = "en"
"""
_BERT_HIDDEN, _BERT_FFN, _BERT_HEADS, _BERT_LAYERS = 1024, 4096, 16, 24
_SMALL_LAYERS = 3
"""The last two layers are not used."""


def add_voices(
    voices_dir: Path, version: str, references_s: Iterable[float], languages: Iterable[str]
) -> list[str]:
    """Voices of one version that differ in the length of their reference; returns their ids."""
    t2s, sovits = random_voice.t2s_spec(version), random_voice.sovits_spec(version)
    digests = [_weights(voices_dir, t2s), _weights(voices_dir, sovits)]
    ids = []
    for seconds in references_s:
        ids.append(voice_id(version, seconds))
        folder = voices_dir / ids[-1]
        folder.mkdir()
        manifest = _MANIFEST.format(name=ids[-1])
        (folder / MANIFEST).write_text(manifest, encoding="utf-8")
        save_compiled(
            CompiledVoice(
                prompts={"neutral": _prompt(t2s, sovits, seconds)},
                languages=tuple(languages),
                sample_rate_hz=sovits.sample_rate_hz,
                gain_db=0.0,
                t2s_sha256=digests[0],
                sovits_sha256=digests[1],
                sources=read_sources({}, parse_manifest(manifest)),
            ),
            folder / FILE_NAME,
        )
    return ids


def voice_id(version: str, reference_s: float) -> str:
    """What the voice with that reference is called."""
    return f"{version}-{reference_s:g}s"


def add_roberta(pretrained_dir: Path, texts: Iterable[str], *, full: bool) -> None:
    """What Chinese is read with, for the characters of the texts.

    In full it has the official one's layers, and 1.2 GB; else three, and Chinese comes out faster
    than it is by what the others take.
    """
    # Not before Chinese is wanted: `transformers` takes seconds to import.
    from transformers import BertConfig, BertModel, BertTokenizerFast  # type: ignore[attr-defined]
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]

    folder = pretrained_dir / official.ROBERTA
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(texts)) - {" "})]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=_BERT_HIDDEN,
        intermediate_size=_BERT_FFN,
        num_attention_heads=_BERT_HEADS,
        num_hidden_layers=_BERT_LAYERS if full else _SMALL_LAYERS,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)


def _weights(voices_dir: Path, spec: T2sSpec | SovitsSpec) -> str:
    """Write a model among the weights of the folder's voices; returns its digest."""
    made = random_voice.tensors(spec)
    if isinstance(spec, T2sSpec):
        endings.end_as_spoken(made, spec)
    with tempfile.TemporaryDirectory(dir=voices_dir, prefix=".") as passing:
        source, target = Path(passing) / "random.pth", Path(passing) / "random.safetensors"
        random_voice.save(source, spec, made)
        digest = checkpoint.convert(source, target)
        final = weights_path(voices_dir, digest)
        final.parent.mkdir(exist_ok=True)
        target.replace(final)
    return digest


def _prompt(t2s: T2sSpec, sovits: SovitsSpec, seconds: float) -> Prompt:
    codes = round(CODES_PER_S * seconds)
    phones = round(codes / endings.CODES_PER_PHONE)
    draw = np.random.default_rng(codes)
    return Prompt(
        codes=draw.integers(t2s.eos, size=codes),
        phones=draw.integers(sovits.symbols, size=phones),
        features=np.zeros((t2s.bert, phones), np.float32),
        ge=(0.1 * draw.standard_normal(sovits.gin)).astype(np.float32),
    )
