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

REPOSITORY = "lj1995/GPT-SoVITS"
"""On the hub; holds all of these but `G2PW` and `LANGUAGE_MODEL`."""

HUBERT = "chinese-hubert-base"
ROBERTA = "chinese-roberta-wwm-ext-large"
SPEAKER = "sv/pretrained_eres2netv2w24s4ep4.ckpt"
G2PW = "text/G2PWModel"
LANGUAGE_MODEL = "fast_langdetect/lid.176.bin"

CONFIG = "config.json"
MODEL = ("pytorch_model.bin", "model.safetensors")
"""What a transformers folder keeps its weights in, one or the other."""
HUBERT_FILES = tuple(f"{HUBERT}/{name}" for name in (CONFIG, "preprocessor_config.json", MODEL[0]))
ROBERTA_FILES = tuple(f"{ROBERTA}/{name}" for name in (CONFIG, "tokenizer.json", MODEL[0]))
"""What the hub has of the two folders."""


@dataclass(frozen=True, slots=True)
class OfficialWeights:
    """The two files of a version that anyone's voice can be spoken with."""

    t2s: str
    sovits: str
    speaker: bool = False
    """Whether its voices are compiled with `SPEAKER`, too."""


WEIGHTS = {
    "v1": OfficialWeights(
        "s1bert25hz-2kh-longer-epoch=68e-step=50232.ckpt",
        "s2G488k.pth",
    ),
    "v2": OfficialWeights(
        "gsv-v2final-pretrained/s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt",
        "gsv-v2final-pretrained/s2G2333k.pth",
    ),
    "v2Pro": OfficialWeights("s1v3.ckpt", "v2Pro/s2Gv2Pro.pth", speaker=True),
    "v2ProPlus": OfficialWeights("s1v3.ckpt", "v2Pro/s2Gv2ProPlus.pth", speaker=True),
}
"""By version."""


def files(versions: Sequence[str], *, chinese: bool) -> tuple[str, ...]:
    """Every file of `REPOSITORY` that voices of these versions need; RoBERTa's if `chinese`."""
    chosen = [WEIGHTS[version] for version in versions]
    paths = [path for weights in chosen for path in (weights.t2s, weights.sovits)]
    paths += HUBERT_FILES
    if any(weights.speaker for weights in chosen):
        paths.append(SPEAKER)
    if chinese:
        paths += ROBERTA_FILES
    return tuple(dict.fromkeys(paths))


def official_weights(name: str) -> OfficialWeights | None:
    """The files that a name in a manifest stands for; None when it is a path.

    Raises `KeyError` for a version that has none.
    """
    return WEIGHTS[name.removeprefix(PREFIX)] if name.startswith(PREFIX) else None


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
