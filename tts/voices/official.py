"""The official pretrained files of GPT-SoVITS: what each version needs and where it lies.

Out: paths relative to the folder of pretrained files, which is laid out as the repository
`lj1995/GPT-SoVITS` on the hub, so that a folder that upstream filled works as it is.  Two extras
come from elsewhere: `G2PW` (from an archive) and `LANGUAGE_MODEL`.  Plain values; opens nothing.
"""

from dataclasses import dataclass

REPOSITORY = "lj1995/GPT-SoVITS"
"""On the hub; holds everything below but the two extras."""

HUBERT = "chinese-hubert-base"
"""Folder of the content encoder; needed to compile a voice."""
ROBERTA = "chinese-roberta-wwm-ext-large"
"""Folder of the Chinese language model; needed to speak Chinese."""
SPEAKER = "sv/pretrained_eres2netv2w24s4ep4.ckpt"
"""The speaker encoder; needed to compile a voice of the Pro versions."""
G2PW = "G2PWModel"
"""Folder of the Chinese reading model; an extra."""
LANGUAGE_MODEL = "fast_langdetect/lid.176.bin"
"""The large language detector; an extra."""

HUBERT_FILES = tuple(
    f"{HUBERT}/{name}" for name in ("config.json", "preprocessor_config.json", "pytorch_model.bin")
)
ROBERTA_FILES = tuple(
    f"{ROBERTA}/{name}" for name in ("config.json", "tokenizer.json", "pytorch_model.bin")
)


@dataclass(frozen=True, slots=True)
class Weights:
    """The two checkpoints of one version."""

    t2s: str
    sovits: str
    speaker: bool = False
    """Whether compiling a voice needs `SPEAKER`, too."""


_LATER_T2S = "s1v3.ckpt"

WEIGHTS = {
    "v1": Weights("s1bert25hz-2kh-longer-epoch=68e-step=50232.ckpt", "s2G488k.pth"),
    "v2": Weights(
        "gsv-v2final-pretrained/s1bert25hz-5kh-longer-epoch=12-step=369668.ckpt",
        "gsv-v2final-pretrained/s2G2333k.pth",
    ),
    "v2Pro": Weights(_LATER_T2S, "v2Pro/s2Gv2Pro.pth", speaker=True),
    "v2ProPlus": Weights(_LATER_T2S, "v2Pro/s2Gv2ProPlus.pth", speaker=True),
}
"""By the names of `tts.spec.VERSIONS`."""


def files(versions: tuple[str, ...], *, chinese: bool) -> tuple[str, ...]:
    """Every file that voices of these versions need, each once; RoBERTa's only if `chinese`."""
    chosen = [WEIGHTS[version] for version in versions]
    paths = [path for weights in chosen for path in (weights.t2s, weights.sovits)]
    paths += HUBERT_FILES
    if any(weights.speaker for weights in chosen):
        paths.append(SPEAKER)
    if chinese:
        paths += ROBERTA_FILES
    return tuple(dict.fromkeys(paths))
