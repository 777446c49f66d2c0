"""A complete small voice in folders as users have them, its weights random: it babbles.

No trained weights can be had where tests run.  The models are the golden ones, of the sizes that
upstream's classes allow; HuBERT, RoBERTa and the clips are made here, the same at every run.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertTokenizerFast,
    HubertConfig,
    HubertModel,
)

from tests.tts.babble import babble
from tests.tts.models.golden_sovits import GOLDEN
from tts import checkpoint
from tts.pretrained import official
from tts.voices.compiling import compile_voice
from tts.voices.manifest import FILE_NAME

CLIP_RATE_HZ = 24000
CLIP_S = 4.0
TEXTS = {
    "en": "Good morning, this is my voice.",
    "zh": "早上好，这是我的声音。",
    "ja": "おはようございます、私の声です。",
    "ko": "안녕하세요, 제 목소리입니다.",
    "yue": "早晨，呢個係我把聲。",
}
CHARACTERS = "早上好这是我的声音您感谢来电明天气暖和会下一点小雨今，。"
BERT_WIDTH = 1024


@dataclass(frozen=True, slots=True)
class TinyVoices:
    """The two folders that a service is told of."""

    voices_dir: Path
    pretrained_dir: Path

    def add(
        self,
        voice_id: str = "tiny",
        *,
        version: str = "v2",
        language: str = "en",
        emotions: Sequence[str] = ("neutral",),
        settings: str = "",
    ) -> Path:
        """The folder of a new voice that is not compiled; `settings` ends its voice.toml."""
        folder = self.voices_dir / voice_id
        folder.mkdir(parents=True)
        for kind in ("t2s_{}.ckpt", "sovits_{}.pth"):
            shutil.copy(GOLDEN / "ckpt" / kind.format(version), folder)
        lines = [
            f'name = "Tiny {voice_id}"',
            f'weights = {{ t2s = "t2s_{version}.ckpt", sovits = "sovits_{version}.pth" }}',
        ]
        for seed, emotion in enumerate(emotions):
            clip = babble(CLIP_S, CLIP_RATE_HZ, seed=seed)
            soundfile.write(folder / f"{emotion}.wav", clip, CLIP_RATE_HZ, subtype="PCM_16")
            lines += [
                "[[reference]]",
                f'emotion = "{emotion}"',
                f'audio = "{emotion}.wav"',
                f'text = "{TEXTS[language]}"',
                f'language = "{language}"',
            ]
        (folder / FILE_NAME).write_text("\n".join([*lines, settings]), encoding="utf-8")
        return folder

    def add_compiled(self, voice_id: str = "tiny", **how: str | Sequence[str]) -> Path:
        """The same, compiled; see `add`."""
        folder = self.add(voice_id, **how)  # type: ignore[arg-type]
        compile_voice(folder, pretrained_dir=self.pretrained_dir)
        return folder


def tiny_voices(root: Path, *, version: str = "v2") -> TinyVoices:
    """Empty voices and pretrained models for voices of one version, under `root`."""
    pretrained_dir = root / "pretrained"
    save_hubert(pretrained_dir / official.HUBERT, width=ssl_width(version))
    save_roberta(pretrained_dir / official.ROBERTA)
    speaker = pretrained_dir / official.SPEAKER
    speaker.parent.mkdir()
    shutil.copy(GOLDEN / "ckpt" / "sv_eres2netv2_tiny.ckpt", speaker)
    (root / "voices").mkdir()
    return TinyVoices(root / "voices", pretrained_dir)


def ssl_width(version: str) -> int:
    """Width of the content features that the small SoVITS model of a version wants."""
    return checkpoint.read_sovits(GOLDEN / "ckpt" / f"sovits_{version}.pth").spec.ssl


def save_hubert(folder: Path, *, width: int) -> None:
    """A HuBERT of two narrow layers; strides and norms as in the base model."""
    config = HubertConfig(
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        HubertModel(config).eval().save_pretrained(folder)


def save_roberta(folder: Path) -> None:
    """A BERT as wide as the official one, of one layer that is used and a few characters."""
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=BERT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForMaskedLM(config).eval().save_pretrained(folder)
