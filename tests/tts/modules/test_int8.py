"""int8 linear layers: how close they are, and that rows know nothing of each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tts.modules.int8 import Int8Linear, quantised


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layer_of(weight: Tensor, *, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias).requires_grad_(False)
    layer.weight.copy_(weight)
    return layer


def snr_db(exact: Tensor, rough: Tensor) -> float:
    noise = (exact - rough).square().mean()
    return float(10 * (exact.square().mean() / noise).log10())


@pytest.mark.parametrize("outputs", [64, 96, 101])
@pytest.mark.parametrize("positive", [False, True])
def test_it_is_close_to_the_layer_that_it_was_made_of(outputs: int, positive: bool) -> None:
    layer = layer_of(random(outputs, 256) / 16, bias=False)
    x = random(40, 256, seed=1) * torch.logspace(-6, 6, 40)[:, None]
    x = x.relu() if positive else x
    made = Int8Linear(layer, positive=positive)
    # However large a row is.
    assert all(snr_db(exact, rough) > 30 for exact, rough in zip(layer(x), made(x), strict=True))


sizes_of_rows = st.lists(
    st.sampled_from([0.0, 1e-20, 1e-3, 1.0, 50.0, 1e20]), min_size=2, max_size=9
)


@settings(max_examples=40, deadline=None)
@given(sizes_of_rows, st.integers(0, 8), st.booleans(), st.booleans(), st.booleans())
def test_a_row_does_not_depend_on_its_neighbours(
    sizes: list[float], at: int, positive: bool, lifted: bool, broken: bool
) -> None:
    layer = layer_of(random(24, 32))
    made = Int8Linear(layer, positive=positive)
    x = (random(len(sizes), 32, seed=2) + 5 * lifted) * torch.tensor(sizes)[:, None]
    x = x.relu() if positive else x
    at %= len(sizes)
    together = made(x)[at]
    others = torch.arange(len(sizes)) != at
    x[others] *= torch.nan if broken else -3
    assert torch.equal(made(x)[at], together)
    assert torch.equal(made(x.unsqueeze(0))[0, at], together)
    # Alone to rounding, which is far below a step of the quantiser.
    spread = float(x[at].abs().max() * layer.weight.abs().sum(1).max())
    assert (made(x[at : at + 1])[0] - together).abs().max() <= 1e-5 * spread + 1e-6


def test_a_row_of_zeros_gives_the_bias() -> None:
    layer = layer_of(random(24, 32))
    for positive in (False, True):
        x = random(3, 32).relu()
        x[1] = 0
        made = Int8Linear(layer, positive=positive)
        assert torch.equal(made(x)[1], layer.bias)
        assert torch.equal(made(x[1:2])[0], layer.bias)


def test_a_number_that_is_not_finite_stays_visible() -> None:
    made = Int8Linear(layer_of(random(24, 32)))
    x = random(3, 32)
    x[0, 5], x[1, 5] = torch.inf, torch.nan
    assert made(x).isfinite().all(dim=1).tolist() == [False, False, True]
    assert not made(x[:1]).isfinite().all()


def worst_cases() -> list[tuple[Tensor, Tensor]]:
    """Weights and rows whose products pile up in the 16 bits of a pair."""
    high, low = torch.ones(16, 64), -torch.ones(16, 64)
    mixed = random(16, 64).sign()
    alternating = torch.tensor([1.0, -1.0]).repeat(32).expand(16, 64)
    lone = torch.zeros(16, 64)
    lone[:, ::2] = 1.0
    rows = [torch.ones(1, 64), -torch.ones(1, 64), mixed[:1], -mixed[:1], alternating[:1]]
    return [(w, x) for w in (high, low, mixed, alternating, lone) for x in rows]


@pytest.mark.parametrize("positive", [False, True])
def test_no_sum_of_two_products_overflows(positive: bool) -> None:
    for weight, x in worst_cases():
        inputs = x.relu() if positive else x
        exact = inputs @ weight.mT
        made = Int8Linear(layer_of(weight, bias=False), positive=positive)
        for found in (made(inputs), made(inputs.expand(2, -1))[1:]):
            assert (found - exact).abs().max() <= 0.01 * 64


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 30.0]))
def test_two_neighbours_of_one_sign_never_come_to_more_than_16_bits_hold(
    seed: int, spread: float
) -> None:
    numbers, scales = quantised(random(12, 30, seed=seed) ** 3 * spread)
    pairs = numbers.int().view(12, -1, 2)
    worst = torch.maximum(pairs.clamp_min(0).sum(2), -pairs.clamp_max(0).sum(2)).max()
    assert worst * 255 < 2**15
    assert numbers.abs().max() > 60
    assert (scales > 0).all()


def test_a_layer_of_zeros_stays_one() -> None:
    made = Int8Linear(layer_of(torch.zeros(8, 16), bias=False))
    assert torch.equal(made(random(2, 16)), torch.zeros(2, 8))


def test_inputs_that_do_not_come_in_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="of 7 inputs: int8 takes an even number"):
        Int8Linear(layer_of(random(4, 7)))
