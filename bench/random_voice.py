"""Full-size models with random weights, for benches on machines that have no trained ones.

In: the name of a version and a seed.  Out: specs with the official sizes; tensors under the names
that released files use; checkpoint files in upstream's format.  The same seed gives the same
numbers.  They are scaled so that signals keep their size from layer to layer, as after training:
T2S chooses among some tens of tokens, and the decoder's samples neither vanish nor clip.  What it
says is noise, and it ends at chance; `bench.endings` changes that.
"""

import math
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tts.checkpoint.layout import Shape, Table, sovits_table, t2s_table
from tts.spec import CODES, VERSIONS, SovitsSpec, T2sSpec, version_named

NAMES = tuple(version.name for version in VERSIONS if version.supported)
"""Versions that there are sizes of."""

_T2S_PHONES = {"v1": 512}  # v1's table is larger than its 322 phones
_LATER_T2S_PHONES = 732
_PRO = {"v2Pro", "v2ProPlus"}
_PLUS = {"v2ProPlus"}

# (mean, standard deviation) of what is no weight of a layer, by the end of its name.
_PLAIN = (
    (r"(norm\d\.weight|gamma|alpha|inited)$", (1.0, 0.0)),
    (r"cluster_size$", (20.0, 0.0)),
    (r"(embed|embedding\.weight|word_embeddings\.weight)$", (0.0, 1.0)),
    (r"embed_avg$", (0.0, 20.0)),
    (r"prelu\.weight$", (0.25, 0.0)),
    (r"emb_rel_[kv]$", (0.0, 0.1)),
    (r"(bias|beta)$", (0.0, 0.05)),
)
# What the outputs of a layer are scaled by, if not by 1.
_GAINS = (
    (r"^ar_predict_layer", 3.0),
    (r"(out_proj|linear2|ffn_layers\.\d\.conv_2)", 0.3),
    (r"^enc_p\.proj", 0.7),
    (r"^flow.*\.post", 0.8),
    (r"^dec\.conv_post", 0.35),
)


def t2s_spec(version: str) -> T2sSpec:
    """The sizes of the version's official T2S file."""
    return T2sSpec(
        hidden=512,
        heads=16,
        layers=24,
        ffn=2048,
        phones=_T2S_PHONES.get(version, _LATER_T2S_PHONES),
        vocabulary=CODES + 1,
        eos=CODES,
        bert=1024,
        max_sec=54,
    )


def sovits_spec(version: str) -> SovitsSpec:
    """The sizes of the version's official SoVITS file."""
    about = version_named(version)
    assert about is not None
    return SovitsSpec(
        version=version,
        symbols=about.symbols,
        sample_rate_hz=about.sample_rate_hz,
        hop_samples=640,
        hidden=192,
        filters=768,
        heads=2,
        layers=6,
        kernel=3,
        latent=192,
        gin=1024 if version in _PRO else 512,
        ssl=768,
        mrte_hidden=512,
        style_hidden=128,
        reference_bins=1025 if version == "v1" else 704,
        speaker=20480 if version in _PRO else 0,
        upsample_initial=768 if version in _PLUS else 512,
        upsample_rates=(10, 8, 2, 2, 2),
        upsample_kernels=(20 if version in _PLUS else 16, 16, 8, 2, 2),
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5),) * 3,
    )


def table(spec: T2sSpec | SovitsSpec) -> Table:
    """Names and shapes of a model's tensors."""
    return t2s_table(spec) if isinstance(spec, T2sSpec) else sovits_table(spec)


def parameters(spec: T2sSpec | SovitsSpec) -> int:
    """Trained numbers in a model's file: all but those that its codebook keeps count with."""
    return sum(math.prod(shape) for name, shape in table(spec).items() if "._codebook." not in name)


def tensors(spec: T2sSpec | SovitsSpec, seed: int = 0) -> dict[str, NDArray[np.float16]]:
    """A model's tensors, in half precision as released files have them."""
    made: dict[str, NDArray[np.float16]] = {}
    shapes = table(spec)
    # The gain of a weight-normalised layer is the length of its direction, which comes first.
    for name in sorted(shapes, key=lambda name: name.endswith("weight_g")):
        if name.endswith("weight_g"):
            direction = made[name.removesuffix("g") + "v"].astype(np.float32)
            rest = tuple(range(1, direction.ndim))
            made[name] = np.sqrt((direction**2).sum(axis=rest, keepdims=True)).astype(np.float16)
        else:
            made[name] = _values(name, shapes[name], spec, seed)
    return {name: made[name] for name in shapes}


def write(path: Path, spec: T2sSpec | SovitsSpec, seed: int = 0) -> None:
    """Write a checkpoint file of `tensors`; see `save`."""
    save(path, spec, tensors(spec, seed))


def save(path: Path, spec: T2sSpec | SovitsSpec, made: Mapping[str, NDArray[np.float16]]) -> None:
    """Write a checkpoint file as upstream's training does: a pickle in a zip, half precision."""
    prefix = "model." if isinstance(spec, T2sSpec) else ""
    weight = {prefix + name: torch.from_numpy(array) for name, array in made.items()}
    config = _t2s_config(spec) if isinstance(spec, T2sSpec) else _sovits_config(spec)
    torch.save({"weight": weight, "config": config, "info": "random"}, path)


def _t2s_config(spec: T2sSpec) -> dict[str, object]:
    """What the version's official T2S file says of itself, as far as it speaks."""
    return {
        "data": {"max_sec": spec.max_sec},
        "model": {
            "vocab_size": spec.vocabulary,
            "phoneme_vocab_size": spec.phones,
            "embedding_dim": spec.hidden,
            "hidden_dim": spec.hidden,
            "head": spec.heads,
            "linear_units": spec.ffn,
            "n_layer": spec.layers,
            "dropout": 0,
            "EOS": spec.eos,
            "random_bert": 0,
        },
    }


def _sovits_config(spec: SovitsSpec) -> dict[str, object]:
    """What the version's official SoVITS file says of itself, as far as it speaks."""
    return {
        "train": {"segment_size": 20480},
        "data": {
            "sampling_rate": spec.sample_rate_hz,
            "filter_length": 2048,
            "hop_length": spec.hop_samples,
            "win_length": 2048,
            "n_speakers": 300,
        },
        "model": {
            "version": spec.version,
            "inter_channels": spec.latent,
            "hidden_channels": spec.hidden,
            "filter_channels": spec.filters,
            "n_heads": spec.heads,
            "n_layers": spec.layers,
            "kernel_size": spec.kernel,
            "p_dropout": 0.1,
            "resblock": "1",
            "resblock_kernel_sizes": list(spec.resblock_kernels),
            "resblock_dilation_sizes": [list(row) for row in spec.resblock_dilations],
            "upsample_rates": list(spec.upsample_rates),
            "upsample_initial_channel": spec.upsample_initial,
            "upsample_kernel_sizes": list(spec.upsample_kernels),
            "gin_channels": spec.gin,
            "semantic_frame_rate": "25hz",
        },
    }


def _values(name: str, shape: Shape, spec: T2sSpec | SovitsSpec, seed: int) -> NDArray[np.float16]:
    mean, std = _scale(name, shape, spec)
    draw_from = np.random.default_rng([seed, zlib.crc32(name.encode())])
    normal = draw_from.standard_normal(shape, dtype=np.float32)
    return (mean + std * normal).astype(np.float16)


def _scale(name: str, shape: Shape, spec: T2sSpec | SovitsSpec) -> tuple[float, float]:
    for pattern, plain in _PLAIN:
        if re.search(pattern, name):
            return plain
    gain = next((gain for pattern, gain in _GAINS if re.search(pattern, name)), 1.0)
    inputs = math.prod(shape[1:])
    if isinstance(spec, SovitsSpec) and name.startswith("dec.ups."):
        # Transposed: [in, out, kernel], and each sample is made of kernel / rate frames.
        rate = spec.upsample_rates[int(name.split(".")[2])]
        inputs = shape[0] * shape[2] // rate
    return 0.0, gain * inputs**-0.5
