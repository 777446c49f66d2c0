"""Models and reference vectors for the tests of the autoregressive model.

The vectors come from the reference project with random weights: small models as files in the
official format, full-size ones by a recipe (`tests.golden.recipe`).
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.golden.recipe import build
from tts.checkpoint import read_t2s
from tts.models.t2s import T2s, T2sInput
from tts.spec import T2sSpec

GOLDEN = Path(__file__).parents[2] / "golden"
CPU = torch.device("cpu")
SMALL = ["v1", "v2", "v2Pro", "v2ProPlus"]

Arrays = dict[str, NDArray[np.generic]]


def small_model(version: str, dtype: torch.dtype = torch.float32) -> T2s:
    """A small model, out of its checkpoint file."""
    checkpoint = read_t2s(GOLDEN / "ckpt" / f"t2s_{version}.ckpt")
    return T2s.load(checkpoint.spec, checkpoint.tensors, dtype=dtype, device=CPU)


def full_model(version: str) -> T2s:
    """A full-size model, built by the recipe."""
    tensors = build(GOLDEN / "full" / f"t2s_{version}.weights.json")
    hidden, bert = tensors["bert_proj.weight"].shape
    spec = T2sSpec(
        hidden=hidden,
        heads=16,
        layers=sum(name.endswith("norm1.weight") for name in tensors),
        ffn=4 * hidden,
        phones=len(tensors["ar_text_embedding.word_embeddings.weight"]),
        vocabulary=len(tensors["ar_predict_layer.weight"]),
        eos=len(tensors["ar_predict_layer.weight"]) - 1,
        bert=bert,
        max_sec=54,
    )
    return T2s.load(spec, tensors, dtype=torch.float32, device=CPU)


def vectors(folder: str, name: str) -> Arrays:
    """The arrays of one file."""
    with np.load(GOLDEN / folder / f"{name}.npz") as file:
        return dict(file)


def known(arrays: Arrays, *, with_prompt: bool = True) -> T2sInput:
    """The input that the arrays were computed from."""
    phones, bert, prompt = (torch.tensor(arrays[name][0]) for name in ("phones", "bert", "prompt"))
    return T2sInput.of(phones, bert, prompt if with_prompt else None)


def forced(model: T2s, inputs: T2sInput, tokens: NDArray[np.generic]) -> Tensor:
    """The logits of a run that draws `tokens`: [steps, V], the first before any of them."""
    count = inputs.phones.shape[1] + inputs.codes.shape[1] + len(tokens)
    state = model.init_state(1, count)
    logits = [model.prefill(inputs, state)]
    logits += [model.step(torch.tensor([int(token)]), state) for token in tokens]
    return torch.cat(logits)
