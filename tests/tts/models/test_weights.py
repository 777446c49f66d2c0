"""A checkpoint's arrays become a module's weights, or the error says which of them does not fit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from tts.checkpoint.errors import CheckpointError
from tts.models import weights

CPU = torch.device("cpu")
Arrays = dict[str, NDArray[np.float16]]


def layers() -> nn.Module:
    with weights.hollow():
        return nn.ModuleDict(
            {"up": nn.ConvTranspose1d(6, 4, 3), "out": nn.Conv1d(4, 2, 3, bias=False)}
        )


def test_a_hollow_module_has_shapes_and_no_values() -> None:
    with weights.hollow():
        module = nn.ModuleList([nn.Embedding(3, 2), nn.Linear(2, 4), nn.LayerNorm(4)])
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    shapes = [tuple(parameter.shape) for parameter in module.parameters()]
    assert shapes == [(3, 2), (4, 2), (4,), (4,), (4,)]
    assert nn.Embedding(3, 2).weight.std() > 0


@pytest.mark.real
def test_loading_a_model_does_not_import_the_compiler() -> None:
    """It takes a second or two, and nothing of it is used."""
    code = (
        "import sys, torch\n"
        "from tests.tts.models.t2s_vectors import small_model\n"
        "from tests.tts.models.golden_sovits import small\n"
        "small_model('v2'), small('v2')\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def stored(seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    shapes = {
        "up.weight_g": (6, 1, 1),
        "up.weight_v": (6, 4, 3),
        "up.bias": (4,),
        "last.weight": (2, 4, 3),
        "training.step": (1,),
    }
    return {name: random.standard_normal(shape).astype("f2") for name, shape in shapes.items()}


def loaded(arrays: Arrays, dtype: torch.dtype = torch.float32) -> nn.Module:
    module = layers()
    weights.load(
        module,
        arrays,
        dtype=dtype,
        device=CPU,
        renamed={"out.": "last."},
        unused=r"training\.",
    )
    return module


def test_weight_norm_becomes_the_weight_that_torch_computes() -> None:
    arrays = stored()
    normed = nn.utils.parametrizations.weight_norm(nn.ConvTranspose1d(6, 4, 3))
    parameters = normed.parametrizations.weight
    parameters.original0.data = torch.from_numpy(arrays["up.weight_g"].astype("f4"))
    parameters.original1.data = torch.from_numpy(arrays["up.weight_v"].astype("f4"))
    torch.testing.assert_close(loaded(arrays).get_parameter("up.weight"), normed.weight.detach())


def test_a_renamed_weight_comes_from_its_name_in_the_file() -> None:
    arrays = stored()
    weight = loaded(arrays).get_parameter("out.weight")
    assert np.array_equal(weight.numpy(), arrays["last.weight"].astype("f4"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_weight_has_the_asked_precision(dtype: torch.dtype) -> None:
    assert {parameter.dtype for parameter in loaded(stored(), dtype).parameters()} == {dtype}


def test_the_arrays_can_change_afterwards() -> None:
    arrays = stored()
    module = loaded(arrays)
    before = module.get_parameter("up.bias").clone()
    arrays["up.bias"] += 1
    assert torch.equal(module.get_parameter("up.bias"), before)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("up.bias", "up.bias is missing"),
        ("last.weight", "last.weight is missing"),
        ("up.weight_g", "up.weight_g, one half of a weight-normalised pair, is missing"),
        ("up.weight_v", "up.weight_v, one half of a weight-normalised pair, is missing"),
    ],
)
def test_a_missing_tensor_is_named(missing: str, message: str) -> None:
    arrays = stored()
    del arrays[missing]
    with pytest.raises(CheckpointError, match=message):
        loaded(arrays)


def test_a_tensor_of_another_shape_is_named_with_both_shapes() -> None:
    arrays = stored() | {"last.weight": np.zeros((2, 4, 5), "f2")}
    with pytest.raises(CheckpointError, match=r"last.weight has .* \[2, 4, 5\].* \[2, 4, 3\]"):
        loaded(arrays)


def test_a_gain_that_does_not_belong_to_its_direction_is_named() -> None:
    arrays = stored() | {"up.weight_g": np.ones((4, 1, 1), "f2")}
    with pytest.raises(CheckpointError, match=r"up.weight_g has the shape \[4, 1, 1\]"):
        loaded(arrays)


def test_a_tensor_without_a_place_is_named() -> None:
    arrays = stored() | {"up.extra": np.zeros(1, "f2")}
    with pytest.raises(CheckpointError, match="no place for up.extra"):
        loaded(arrays)
