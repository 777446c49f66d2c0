"""How a token is drawn from logits."""

import numpy as np
import pytest
import torch

from tests.tts.models.t2s_vectors import CPU, vectors
from tts.engine.sampling import (
    STEPS_WITHOUT_EOS,
    Drawn,
    ExponentialNoise,
    Sampling,
    SamplingRows,
    penalised,
    probabilities,
    sample,
    tokens_seen,
)
from tts.errors import BadRequest

NEVER = torch.tensor([False])
ALWAYS = torch.tensor([True])


def rows(*settings: Sampling, vocabulary: int = 5) -> SamplingRows:
    return SamplingRows.of(settings, vocabulary, CPU)


def draw_one(
    logits: list[float], noise: list[float], *, seen: tuple[int, ...] = (), **options
) -> Drawn:
    size = len(logits)
    flags = torch.zeros(1, size, dtype=torch.bool)
    flags[0, list(seen)] = True
    return sample(
        torch.tensor([logits]),
        flags,
        rows(Sampling(**options), vocabulary=size),
        torch.tensor([noise]),
        may_end=ALWAYS,
        eos=size - 1,
    )


def shares(logits: list[float], **options) -> list[float]:
    found = probabilities(torch.tensor([logits]), rows(Sampling(**options), vocabulary=len(logits)))
    return [round(share, 4) for share in found[0].tolist()]


@pytest.mark.parametrize("case", range(24))
def test_the_reference_rows(case: int) -> None:
    arrays = {name: torch.tensor(array[case]) for name, array in vectors("npz", "sampler").items()}
    vocabulary = len(arrays["logits"])
    top_k, top_p, temperature, penalty = arrays["params"].tolist()
    settings = rows(Sampling(int(top_k), top_p, temperature, penalty), vocabulary=vocabulary)
    count = arrays["n_prev"][None]
    seen = tokens_seen(arrays["prev"].clamp_min(0)[None], count, vocabulary)
    logits = arrays["logits"][None]
    width = int(arrays["width"])
    may_end = torch.tensor([width == vocabulary])
    # Behind `width` the arrays say nothing.
    noise = torch.where(torch.arange(vocabulary) < width, arrays["noise"], 1)[None]
    drawn = sample(logits, seen.clone(), settings, noise, may_end=may_end, eos=vocabulary - 1)
    assert drawn.tokens.item() == arrays["token"]
    assert drawn.likeliest.item() == arrays["argmax_penalised"]
    if not may_end:
        logits = logits.clone()
        logits[:, -1] = -torch.inf
    found = probabilities(penalised(logits, seen, settings), settings)[0]
    torch.testing.assert_close(found[:width], arrays["probs"][:width], rtol=1e-5, atol=1e-8)
    assert torch.equal(found[:width] > 0, arrays["probs"][:width] > 0)


def test_the_penalty_falls_on_every_earlier_token_once() -> None:
    seen = tokens_seen(torch.tensor([[1, 1, 1, 3, 4]]), torch.tensor([4]), 5)
    assert seen.tolist() == [[False, True, False, True, False]]
    logits = torch.tensor([[2.0, 2.0, -2.0, -2.0, 1.0]])
    assert penalised(logits, seen, rows(Sampling(repetition_penalty=2.0))).tolist() == [
        [2.0, 1.0, -2.0, -4.0, 1.0]
    ]


def test_top_p_drops_the_token_that_crosses_the_limit_but_never_the_first() -> None:
    logits = np.log([0.5, 0.25, 0.15, 0.1]).tolist()
    assert shares(logits, top_p=0.8) == [0.6667, 0.3333, 0, 0]
    assert shares(logits, top_p=0.3) == [1, 0, 0, 0]
    assert shares(logits, top_p=0.0) == [1, 0, 0, 0]
    assert shares(logits, top_p=1.0) == [0.5, 0.25, 0.15, 0.1]


def test_equals_of_the_last_of_top_k_stay() -> None:
    assert shares([3.0, 1.0, 1.0, 1.0, 0.0], top_k=2)[1:] == [0.0963] * 3 + [0]
    assert shares([1.0, 1.0, 1.0, 1.0], top_k=1) == [0.25] * 4


def test_top_k_beyond_the_vocabulary_keeps_everything() -> None:
    assert shares([0.0, 0.0, 0.0, 0.0], top_k=1000) == [0.25] * 4


def test_temperature_zero_takes_the_likeliest() -> None:
    assert shares([1.0, 1.01, 0.9], temperature=0.0) == [0, 1, 0]


def test_rows_have_their_own_settings() -> None:
    settings = [Sampling(top_k=1), Sampling(top_p=0.5), Sampling(temperature=0.1), Sampling()]
    logits = torch.randn(4, 9, generator=torch.Generator().manual_seed(5))
    together = probabilities(logits, rows(*settings, vocabulary=9))
    for number, one in enumerate(settings):
        alone = probabilities(logits[number : number + 1], rows(one, vocabulary=9))
        assert torch.equal(together[number : number + 1], alone)


def test_a_token_that_is_drawn_counts_as_seen() -> None:
    seen = torch.zeros(1, 3, dtype=torch.bool)
    options = {"may_end": NEVER, "eos": 2}
    logits, noise = torch.tensor([[0.0, 5.0, 0.0]]), torch.ones(1, 3)
    sample(logits, seen, rows(Sampling(), vocabulary=3), noise, **options)
    assert seen.tolist() == [[False, True, False]]


def test_the_end_token_is_neither_drawn_nor_likeliest_while_it_may_not_be() -> None:
    logits, noise = torch.tensor([[0.0, 1.0, 9.0]]), torch.tensor([[1.0, 1.0, 1e-30]])
    for may_end, ends in ((NEVER, False), (ALWAYS, True)):
        drawn = sample(
            logits,
            torch.zeros(1, 3, dtype=torch.bool),
            rows(Sampling(), vocabulary=3),
            noise,
            may_end=may_end,
            eos=2,
        )
        assert drawn.read(2) == [(2 if ends else 1, ends, True)]


def test_a_run_ends_when_the_end_token_is_likeliest_though_another_is_drawn() -> None:
    assert draw_one([0.0, 1.0, 2.0], [1.0, 1e-9, 1.0]).read(2) == [(1, True, True)]


def test_a_run_ends_when_the_end_token_is_drawn_though_another_is_likeliest() -> None:
    assert draw_one([0.0, 2.0, 1.0], [1.0, 1.0, 1e-9]).read(2) == [(2, True, True)]


def test_the_likeliest_is_judged_after_the_penalty() -> None:
    drawn = draw_one([0.0, 2.0, 1.9], [1.0, 1.0, 1e9], seen=(1,), repetition_penalty=1.35)
    assert drawn.likeliest.tolist() == [2]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_are_reported(bad: float) -> None:
    assert draw_one([0.0, bad, 1.0], [1.0] * 3).finite.tolist() == [False]


def test_noise_depends_on_seed_and_step_alone() -> None:
    noise = ExponentialNoise(7, 1025, CPU)
    late, early = noise(9), noise(0)
    assert torch.equal(ExponentialNoise(7, 1025, CPU)(9), late)
    assert not torch.equal(early, late)
    assert not torch.equal(ExponentialNoise(8, 1025, CPU)(9), late)


def test_noise_leaves_the_generators_of_others_alone() -> None:
    mine = np.random.default_rng(1).bit_generator.state, torch.get_rng_state()
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    ExponentialNoise(7, 1025, CPU)(0)
    assert torch.equal(torch.get_rng_state(), mine[1])
    assert np.random.get_state()[1].tolist() == before


def test_tokens_come_as_often_as_their_probabilities_say() -> None:
    count = 4000
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0, 0.5]]).expand(count, -1)
    noise = ExponentialNoise(3, 5, CPU)
    drawn = sample(
        logits,
        torch.zeros(count, 5, dtype=torch.bool),
        rows(*[Sampling(top_k=5)] * count),
        torch.stack([noise(step) for step in range(count)]),
        may_end=torch.ones(count, dtype=torch.bool),
        eos=4,
    )
    found = torch.bincount(drawn.tokens, minlength=5) / count
    assert (found - logits[0].softmax(0)).abs().max() < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k is 0: at least 1"),
        ({"top_p": 1.5}, "top_p is 1.5: 0 to 1"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"temperature": -0.1}, "temperature is -0.1: 0 or more"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0: a number above 0"),
    ],
)
def test_a_setting_out_of_range_is_named(options: dict[str, float], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        Sampling(**options)


def test_a_seed_out_of_range_is_named() -> None:
    with pytest.raises(BadRequest, match="seed is -1"):
        ExponentialNoise(-1, 5, CPU)


def test_eleven_tokens_come_before_the_end_token_may() -> None:
    assert STEPS_WITHOUT_EOS == 11
