"""Random voices have the official sizes, and the models that they are loaded into have them too."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.random_voice import NAMES, parameters, sovits_spec, t2s_spec, table, tensors, write
from tts.checkpoint import describe, read
from tts.models import weights
from tts.models.sovits import Sovits
from tts.models.t2s import T2s

# Counted in upstream's own models, T2S and SoVITS, without the training-only encoder.
OFFICIAL = {
    "v1": (77_493_762, 40_778_112),
    "v2": (77_606_402, 40_815_744),
    "v2Pro": (77_606_402, 65_788_032),
    "v2ProPlus": (77_606_402, 84_698_368),
}


def test_every_version_that_speaks_has_sizes() -> None:
    assert NAMES == tuple(OFFICIAL)


@pytest.mark.parametrize("version", NAMES)
def test_the_files_hold_as_many_numbers_as_the_official_ones(version: str) -> None:
    specs = t2s_spec(version), sovits_spec(version)
    assert tuple(parameters(spec) for spec in specs) == OFFICIAL[version]


@pytest.mark.golden
@pytest.mark.parametrize("version", NAMES)
def test_the_models_hold_what_the_files_hold_but_gains(version: str) -> None:
    with weights.hollow():
        t2s, sovits = T2s(t2s_spec(version)), Sovits(sovits_spec(version))
    assert sum(p.numel() for p in t2s.parameters()) == OFFICIAL[version][0]
    # Weight norm is fused at load: its gains end up in the weights.
    shapes = table(sovits.spec)
    gains = sum(math.prod(s) for name, s in shapes.items() if name.endswith("weight_g"))
    assert sum(p.numel() for p in sovits.parameters()) == OFFICIAL[version][1] - gains
    assert sovits.codebook.shape == shapes["quantizer.vq.layers.0._codebook.embed"]


@pytest.mark.golden
@pytest.mark.parametrize("version", ["v1", "v2Pro"])
def test_a_written_file_reads_as_an_official_one(tmp_path: Path, version: str) -> None:
    for name, spec in (("t2s.ckpt", t2s_spec(version)), ("sovits.pth", sovits_spec(version))):
        write(tmp_path / name, spec, seed=3)
        found = read(tmp_path / name)
        assert found.spec == spec
        assert {n: t.shape for n, t in found.tensors.items()} == table(spec)
        assert describe(tmp_path / name).usable
    assert describe(tmp_path / "sovits.pth").version == version


@pytest.mark.golden
def test_a_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    one, same, other = (tensors(sovits_spec("v2"), seed) for seed in (1, 1, 2))
    for name, values in one.items():
        assert np.array_equal(values, same[name])
        fixed = values.min() == values.max()
        assert np.array_equal(values, other[name]) == fixed


@pytest.mark.golden
def test_the_decoder_neither_vanishes_nor_clips() -> None:
    spec = sovits_spec("v2Pro")
    cpu = torch.device("cpu")
    model = Sovits.load(spec, tensors(spec), dtype=torch.float32, device=cpu)
    rng = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        audio = model.decode(
            torch.randint(1024, (1, 8), generator=rng),
            torch.randint(spec.symbols, (1, 5), generator=rng),
            torch.randn(1, spec.gin, 1, generator=rng),
            torch.randn(1, spec.latent, 16, generator=rng),
        )
    assert 0.03 < float(audio.square().mean().sqrt()) < 0.4
    assert float(audio.abs().max()) < 0.99
