"""What a GPT-SoVITS model is: its sizes and its version, as plain values.

In: what was seen of a checkpoint (which tensors, how many symbols, what the file says of itself).
Out: one frozen spec that the models are built from.  Versions are data: this is the one file in
which their names stand.  Knows nothing of files, tensors or torch; safe to use from any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

CODES = 1024
"""Entries of the semantic codebook; the T2S vocabulary is one larger, by its end token."""

# What is the same in every model, and which no file says.
RELATIVE_WINDOW = 4
"""Farthest offset that the attention of SoVITS's encoders tells apart."""
MRTE_HEADS = 4
STYLE_HEADS = 2
STYLE_LAYERS = 2
"""Gated convolutions of the reference encoder."""
STYLE_KERNEL = 5
FLOW_COUPLINGS = 4
FLOW_LAYERS = 4
"""Gated convolutions in each coupling of the flow."""
FLOW_KERNEL = 5
DECODER_END_KERNEL = 7
"""Kernel of the waveform decoder's first and last convolution."""
DECODER_DILATIONS = 3
"""Dilated convolutions in each residual block of the waveform decoder."""

Family = Literal["direct", "speaker", "flow matching"]
"""Which parts a SoVITS model has, beyond the common ones: nothing, the speaker-verification path,
or the flow-matching transformer that makes mel frames instead of samples."""


@dataclass(frozen=True, slots=True)
class T2sSpec:
    """Sizes of the autoregressive model that turns phones into semantic tokens."""

    hidden: int
    heads: int
    layers: int
    ffn: int
    """Width of the feed-forward layers: 4 * hidden."""
    phones: int
    """Rows of the phone embedding: 512 in v1 files (322 used), 732 later."""
    vocabulary: int
    """Semantic codes and the end token: 1025."""
    eos: int
    """The end token, the last of the vocabulary."""
    bert: int
    """Width of the text features."""
    max_sec: float
    """Longest audio the model was trained on, in seconds."""


@dataclass(frozen=True, slots=True)
class SovitsSpec:
    """Sizes of the model that turns semantic tokens, phones and a reference into sound.

    The fields from `upsample_initial` on describe the waveform decoder; a flow-matching model has
    none, and they are 0 or empty.
    """

    version: str
    """A name out of `VERSIONS`."""
    symbols: int
    """Rows of the text embedding: 322 or 732."""
    sample_rate_hz: int
    """Rate of the audio that comes out."""
    hop_samples: int
    """Samples of the reference between two frames of its spectrogram, and of audio a frame."""
    hidden: int
    filters: int
    heads: int
    layers: int
    """Layers of the text encoder; the two others have half as many."""
    kernel: int
    latent: int
    gin: int
    """Width of the speaker vector."""
    ssl: int
    """Width of the content features and of a codebook entry."""
    mrte_hidden: int
    style_hidden: int
    reference_bins: int
    """Bins of the reference spectrogram that are used, from the lowest: 1025 in v1, 704 later."""
    speaker: int
    """Width of the speaker-verification embedding; 0 without."""
    upsample_initial: int
    upsample_rates: tuple[int, ...]
    upsample_kernels: tuple[int, ...]
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the model family, as far as it differs from the others."""

    name: str
    family: Family
    symbols: int
    """Size of its phone table."""
    languages: tuple[str, ...]
    """What its phone table can write, as BCP 47 primary languages."""
    sample_rate_hz: int
    supported: bool
    """Whether our engine can speak with it."""
    marks: tuple[str, ...] = ()
    """What upstream writes over the first two bytes (`PK`) of such files."""
    first_upsample_kernel: int = 0
    """Kernel of the decoder's first layer, where that tells versions of a family apart."""
    fingerprint: str = ""
    """MD5 of the first 8192 bytes of the official file, where nothing else names the version."""


_FIRST = ("zh", "en", "ja")
_LATER = (*_FIRST, "ko", "yue")

VERSIONS = (
    Version("v1", "direct", 322, _FIRST, 32000, True, marks=("00",)),
    Version("v2", "direct", 732, _LATER, 32000, True, marks=("01",)),
    Version("v2Pro", "speaker", 732, _LATER, 32000, True, marks=("05",), first_upsample_kernel=16),
    Version(
        "v2ProPlus", "speaker", 732, _LATER, 32000, True, marks=("06",), first_upsample_kernel=20
    ),
    Version(
        "v3",
        "flow matching",
        732,
        _LATER,
        24000,
        False,
        marks=("02", "03"),
        fingerprint="43797be674a37c1c83ee81081941ed0f",
    ),
    Version(
        "v4",
        "flow matching",
        732,
        _LATER,
        48000,
        False,
        marks=("04",),
        fingerprint="4f26b9476d0c5033e04162c486074374",
    ),
)
"""Every version there is a file of."""

UNDECIDED = Version("v3 or v4", "flow matching", 732, _LATER, 0, False)
"""A flow-matching file that does not say which it is: the tensors of both are alike."""

T2S_VERSIONS = {"v1": "v1", "v2": "v2 and later"}
"""What T2S files are called: all later versions share the phone table of v2."""


def version_named(name: str) -> Version | None:
    """The version with this name, or None."""
    return next((version for version in (*VERSIONS, UNDECIDED) if version.name == name), None)


def version_marked(mark: str) -> Version | None:
    """The version whose files begin with these two characters, or None."""
    return next((version for version in VERSIONS if mark in version.marks), None)


def tell_version(
    family: Family, symbols: int, first_upsample_kernel: int, declared: Sequence[str]
) -> Version | None:
    """The version of a SoVITS model, or None when no version has that many symbols.

    `declared` are the names the file gives itself, most trusted first.  They choose only between
    versions that the tensors leave open.
    """
    open_ = [v for v in VERSIONS if v.family == family and v.symbols == symbols]
    if len(open_) < 2:
        return open_[0] if open_ else None
    for name in declared:
        for version in open_:
            if version.name == name:
                return version
    for version in open_:
        if version.first_upsample_kernel and version.first_upsample_kernel == first_upsample_kernel:
            return version
    return open_[0] if open_[0].first_upsample_kernel else UNDECIDED


def lora_version(declared: Sequence[str]) -> Version:
    """The version of a LoRA, which has no tensor of its base and is known by its names alone."""
    return tell_version(UNDECIDED.family, UNDECIDED.symbols, 0, declared) or UNDECIDED


def t2s_version(phones: int) -> Version | None:
    """The oldest version whose phone table fits a T2S model's embedding, the largest that does."""
    fitting = [v for v in VERSIONS if v.family == "direct" and v.symbols <= phones]
    return max(fitting, key=lambda v: v.symbols) if fitting else None
