"""The autoregressive model gives the logits of the reference project."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.tts.models.t2s_vectors import SMALL, forced, full_model, known, small_model, vectors

pytestmark = pytest.mark.golden

# Of the largest logit.  The end token's column of the small models was made to win at chosen
# steps; its norm is large and lifts the rounding.
TOLERANCE, EOS_TOLERANCE = 1e-5, 1e-4


def assert_logits(found: Tensor, wanted: NDArray[np.generic], eos_tolerance: float) -> None:
    assert found.shape == wanted.shape
    error = (found - torch.tensor(wanted)).abs() / np.abs(wanted).max()
    assert error[:, :-1].max() <= TOLERANCE
    assert error[:, -1].max() <= eos_tolerance


@pytest.mark.parametrize("version", SMALL)
class TestSmall:
    def test_logits_at_the_end_of_the_prompt(self, version: str) -> None:
        arrays = vectors("npz", f"t2s_{version}")
        found = forced(small_model(version), known(arrays), arrays["greedy_tokens"][:0])
        assert_logits(found, arrays["prefill_logits"][None], EOS_TOLERANCE)

    @pytest.mark.parametrize("run", ["greedy", "sampled"])
    def test_logits_of_every_step(self, version: str, run: str) -> None:
        arrays = vectors("npz", f"t2s_{version}")
        wanted = arrays[f"{run}_logits"]
        tokens = arrays[f"{run}_tokens"][: len(wanted) - 1]
        assert_logits(forced(small_model(version), known(arrays), tokens), wanted, EOS_TOLERANCE)

    def test_logits_without_a_prompt(self, version: str) -> None:
        arrays = vectors("npz", f"t2s_{version}")
        wanted = arrays["noprompt_logits"]
        inputs = known(arrays, with_prompt=False)
        found = forced(small_model(version), inputs, arrays["noprompt_tokens"][: len(wanted) - 1])
        assert_logits(found, wanted, EOS_TOLERANCE)


@pytest.mark.real
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_full_size_logits_of_every_step(version: str) -> None:
    arrays = vectors("full", f"t2s_{version}")
    tokens = arrays["greedy_tokens"]
    found = forced(full_model(version), known(arrays), tokens[:-1])
    assert_logits(found[:1], arrays["prefill_logits"][None], TOLERANCE)
    assert_logits(found, arrays["greedy_logits"], TOLERANCE)
    assert found[:, :-1].argmax(dim=-1).tolist()[:11] == tokens.tolist()[:11]
    assert found.argmax(dim=-1).tolist()[11:] == tokens.tolist()[11:]
