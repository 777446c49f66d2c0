"""SoVITS models whose outputs upstream computed: small ones from files, full ones by recipe."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import tests.golden
from tests.golden import recipe
from tts import checkpoint
from tts.models.sovits import Sovits
from tts.spec import SovitsSpec

GOLDEN = Path(tests.golden.__file__).parent
CPU = torch.device("cpu")
VERSIONS = ("v1", "v2", "v2Pro", "v2ProPlus")

_V2 = SovitsSpec(
    version="v2",
    symbols=732,
    sample_rate_hz=32000,
    hop_samples=640,
    hidden=192,
    filters=768,
    heads=2,
    layers=6,
    kernel=3,
    latent=192,
    gin=512,
    ssl=768,
    mrte_hidden=512,
    style_hidden=128,
    reference_bins=704,
    speaker=0,
    upsample_initial=512,
    upsample_rates=(10, 8, 2, 2, 2),
    upsample_kernels=(16, 16, 8, 2, 2),
    resblock_kernels=(3, 7, 11),
    resblock_dilations=((1, 3, 5),) * 3,
)
_PRO = replace(_V2, version="v2Pro", gin=1024, speaker=20480)
FULL_SIZE = {
    "v1": replace(_V2, version="v1", symbols=322, reference_bins=1025),
    "v2": _V2,
    "v2Pro": _PRO,
    "v2ProPlus": replace(
        _PRO, version="v2ProPlus", upsample_initial=768, upsample_kernels=(20, 16, 8, 2, 2)
    ),
}


@lru_cache
def small(version: str, dtype: torch.dtype = torch.float32) -> Sovits:
    """The small model of a version, read from its checkpoint."""
    read = checkpoint.read_sovits(GOLDEN / "ckpt" / f"sovits_{version}.pth")
    return Sovits.load(read.spec, read.tensors, dtype=dtype, device=CPU)


def full(version: str, dtype: torch.dtype = torch.float32) -> Sovits:
    """The full-size model of a version, its weights rebuilt."""
    tensors = recipe.build(GOLDEN / "full" / f"sovits_{version}.weights.json")
    return Sovits.load(FULL_SIZE[version], tensors, dtype=dtype, device=CPU)


def arrays(part: str, name: str) -> dict[str, NDArray[Any]]:
    """Inputs and outputs that belong to a model; `part` is "npz" or "full"."""
    with np.load(GOLDEN / part / f"{name}.npz") as stored:
        return dict(stored)


def tensors(part: str, name: str) -> dict[str, torch.Tensor]:
    """The same as tensors."""
    return {key: torch.from_numpy(array) for key, array in arrays(part, name).items()}
