"""Where the official files lie in the folder of pretrained models: as in the project's hub.

In: that folder, and which file is wanted.  Out: its path, or an error that names it.  A folder that
a user of the upstream project already has works as it is.  Opens nothing; any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tts.voices.errors import MissingPretrained

PREFIX = "official:"
"""What a voice.toml writes before a version's name, as `"official:v2Pro"`."""

HUBERT = "chinese-hubert-base"
ROBERTA = "chinese-roberta-wwm-ext-large"
SPEAKER = "sv/pretrained_eres2netv2w24s4ep4.ckpt"
G2PW = "text/G2PWModel"

CONFIG = "config.json"
MODEL = ("pytorch_model.bin", "model.safetensors")
"""What a transformers folder keeps its weights in, one or the other."""


@dataclass(frozen=True, slots=True)
class OfficialWeights:
    """The two files of a version that anyone's voice can be spoken with."""

    t2s: str
    sovits: str


WEIGHTS = {
    "v1": OfficialWeights(
        "s1bert25hz-2kh-longer-epoch=68e-step=50232.ckpt",
        "s2G488k.pth",
    ),
    "v2": OfficialWeights(
        "gsv-v2final-pretrained/s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt",
        "gsv-v2final-pretrained/s2G2333k.pth",
    ),
    "v2Pro": OfficialWeights("s1v3.ckpt", "v2Pro/s2Gv2Pro.pth"),
    "v2ProPlus": OfficialWeights("s1v3.ckpt", "v2Pro/s2Gv2ProPlus.pth"),
}
"""By version."""


def find(pretrained_dir: Path, name: str) -> Path:
    """The path of an official file or folder, once all that is needed of it is there.

    Raises `MissingPretrained` naming the first file that is not.
    """
    path = pretrained_dir / name
    if name not in (HUBERT, ROBERTA):
        _need(pretrained_dir, [name])
        return path
    _need(pretrained_dir, [f"{name}/{CONFIG}"])
    _need(pretrained_dir, [f"{name}/{model}" for model in MODEL])
    return path


def _need(pretrained_dir: Path, names: Sequence[str]) -> None:
    """Raise unless one of the names is there."""
    if not any((pretrained_dir / name).exists() for name in names):
        raise MissingPretrained(
            f"{pretrained_dir / names[0]}: no such file; `parley voices pull` gets the official"
            " files, or set pretrained_dir to the folder that has them"
        )
