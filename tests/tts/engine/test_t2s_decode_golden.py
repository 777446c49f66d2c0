"""Runs of the reference project, token by token: random weights, stored noise."""

import itertools

import numpy as np
import pytest
import torch

from tests.tts.engine.test_t2s_decode import run
from tests.tts.models.t2s_vectors import SMALL, Arrays, full_model, known, small_model, vectors
from tts.engine.sampling import Noise, Sampling
from tts.engine.t2s_decode import End, Limits, decode
from tts.models.t2s import T2s

pytestmark = pytest.mark.golden

GREEDY = Sampling(top_k=1, repetition_penalty=1.0)


def settings(params: np.ndarray) -> Sampling:
    top_k, top_p, temperature, penalty = params.tolist()
    return Sampling(int(top_k), top_p, temperature, penalty)


def stored(arrays: Arrays, name: str) -> Noise:
    return lambda step: torch.tensor(arrays[name][step])


def healthy(model: T2s, arrays: Arrays) -> Limits:
    """The limits that a caller would set."""
    return Limits.of(model.spec, arrays["phones"].shape[1] - int(arrays["n_prompt_phones"]))


def greedy_tokens(model: T2s, arrays: Arrays) -> list[int]:
    count = len(arrays["greedy_tokens"])
    tokens = decode(
        model,
        known(arrays),
        sampling=GREEDY,
        noise=lambda _: torch.ones(model.spec.vocabulary),
        limits=healthy(model, arrays),
    )
    return list(itertools.islice(tokens, count))


@pytest.mark.parametrize("poisoned", [False, True])
@pytest.mark.parametrize("version", SMALL)
class TestSmall:
    def test_the_run_that_ends_with_the_likeliest(self, version: str, poisoned: bool) -> None:
        arrays, model = vectors("npz", f"t2s_{version}"), small_model(version)
        found = run(
            model,
            known(arrays),
            sampling=settings(arrays["sampled_params"]),
            noise=stored(arrays, "noise"),
            limits=healthy(model, arrays),
            poisoned=poisoned,
        )
        assert found == (arrays["sampled_tokens"].tolist(), End.EOS)

    def test_the_run_that_ends_with_the_drawn(self, version: str, poisoned: bool) -> None:
        arrays, model = vectors("npz", f"t2s_{version}"), small_model(version)
        found = run(
            model,
            known(arrays),
            sampling=settings(arrays["eos_params"]),
            noise=stored(arrays, "noise_eos"),
            limits=healthy(model, arrays),
            poisoned=poisoned,
        )
        assert found == (arrays["eos_tokens"].tolist(), End.EOS)

    def test_the_run_without_a_prompt(self, version: str, poisoned: bool) -> None:
        arrays, model = vectors("npz", f"t2s_{version}"), small_model(version)
        tokens, end = run(
            model,
            known(arrays, with_prompt=False),
            sampling=settings(arrays["sampled_params"]),
            noise=stored(arrays, "noise"),
            limits=Limits(early_stop=14),
            poisoned=poisoned,
        )
        assert tokens == arrays["noprompt_tokens"].tolist()
        # The step that draws the end token has logits too.
        ended = len(arrays["noprompt_logits"]) > len(tokens)
        assert end == (End.EOS if ended else End.LENGTH)


@pytest.mark.parametrize("version", SMALL)
def test_greedy_tokens(version: str) -> None:
    arrays = vectors("npz", f"t2s_{version}")
    assert greedy_tokens(small_model(version), arrays) == arrays["greedy_tokens"].tolist()


@pytest.mark.real
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_full_size_greedy_tokens(version: str) -> None:
    arrays = vectors("full", f"t2s_{version}")
    assert greedy_tokens(full_model(version), arrays) == arrays["greedy_tokens"].tolist()
