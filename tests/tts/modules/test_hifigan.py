"""A window of the waveform decoder is that part of the whole, at the cost of the window."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.tts.laws import law
from tts.modules.hifigan import HifiGan

FRAMES = 40
SIZES = [
    ((10, 8, 2, 2, 2), (16, 16, 8, 2, 2), (3, 7, 11)),
    ((4, 2), (9, 5), (3, 5)),
    ((3, 2), (7, 4), (3, 5)),
    ((5,), (5,), (3,)),
]
"""Rates and kernels of the upsampling, kernels of the blocks: the official ones first."""


def decoder(size: int, dtype: torch.dtype = torch.float64, channels: int = 2) -> HifiGan:
    rates, kernels, blocks = SIZES[size]
    torch.manual_seed(0)
    made = HifiGan(
        latent=3,
        gin=2,
        initial=channels * 2 ** len(rates),
        rates=rates,
        kernels=kernels,
        resblock_kernels=blocks,
        resblock_dilations=((1, 3, 5),) * len(blocks),
    )
    made.requires_grad_(False).to(dtype).lay_out()
    return made


def latent(frames: int, dtype: torch.dtype = torch.float64, rows: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(rows, 3, frames, generator=generator, dtype=torch.float64)
    return drawn.to(dtype), torch.ones(rows, 2, 1, dtype=dtype)


def cut(audio: Tensor, model: HifiGan, first: int, last: int) -> Tensor:
    return audio[:, first * model.hop_samples : last * model.hop_samples]


MODELS = {size: decoder(size) for size in (1, 2, 3)}


@pytest.mark.parametrize("size", MODELS)
@settings(law, max_examples=15)
@given(st.integers(1, FRAMES), st.data())
def test_a_window_is_that_part_of_the_whole(size: int, frames: int, data: st.DataObject) -> None:
    model = MODELS[size]
    first = data.draw(st.integers(0, frames - 1))
    last = data.draw(st.integers(first + 1, frames))
    z, g = latent(frames, rows=data.draw(st.integers(1, 2)))
    whole = model(z, g)
    assert (model(z, g, first, last) - cut(whole, model, first, last)).abs().max() <= 1e-14
    # What lies further away than the reach is not even looked at.
    left, right = max(0, first - model.reach_frames), min(frames, last + model.reach_frames)
    near = model(z[..., left:right], g, first - left, last - left)
    assert (near - cut(whole, model, first, last)).abs().max() <= 1e-14


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 8), (5, 13), (14, 22), (35, 40), (0, 40)])
def test_a_window_of_the_official_sizes_is_that_part_of_the_whole(first: int, last: int) -> None:
    model = decoder(0, torch.float32)
    z, g = latent(FRAMES, torch.float32)
    whole = model(z, g)
    worst = (model(z, g, first, last) - cut(whole, model, first, last)).abs().max()
    assert worst <= 1e-5 * whole.abs().max()


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Multiplications of each layer that has run since."""
    counts: list[int] = []
    for name in ("conv2d", "linear"):
        layer = getattr(torch.nn.functional, name)

        def counting(
            x: Tensor, weight: Tensor, *rest: Tensor, _layer: Any = layer, **options: object
        ) -> Tensor:
            out: Tensor = _layer(x, weight, *rest, **options)
            counts.append(out.numel() * weight[0].numel())
            return out

        monkeypatch.setattr(torch.nn.functional, name, counting)
    return counts


def test_a_window_costs_its_frames_and_fewer_than_three_more(products: list[int]) -> None:
    model = decoder(0, torch.float32, channels=4)

    def frames_computed(first: int, last: int) -> float:
        products.clear()
        model(*latent(FRAMES, torch.float32), first, last)
        return sum(products)

    frame = frames_computed(0, FRAMES) / FRAMES
    assert frames_computed(16, 24) < 11 * frame
    assert frames_computed(16, 17) < 4 * frame
    # Nothing lies beyond the ends.
    assert frames_computed(0, 8) < 9.6 * frame
    assert frames_computed(FRAMES - 8, FRAMES) < 9.6 * frame


def test_the_order_of_the_weights_in_memory_changes_neither_names_nor_values() -> None:
    rates, kernels, blocks = SIZES[1]
    fresh = HifiGan(
        latent=3,
        gin=2,
        initial=8,
        rates=rates,
        kernels=kernels,
        resblock_kernels=blocks,
        resblock_dilations=((1, 3, 5),) * 2,
    ).requires_grad_(False)
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    z, g = latent(FRAMES, torch.float32)
    audio = fresh(z, g)
    fresh.lay_out()
    after = fresh.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (fresh(z, g) - audio).abs().max() <= 1e-6
    assert fresh.conv_pre.weight.unsqueeze(2).is_contiguous(memory_format=torch.channels_last)


def test_nothing_between_the_layers_leaves_the_order_of_channels_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = decoder(0, torch.float32, channels=16)
    orders: list[bool] = []
    conv2d = torch.nn.functional.conv2d

    def looking(x: Tensor, weight: Tensor, *rest: Tensor, **options: object) -> Tensor:
        out: Tensor = conv2d(x, weight, *rest, **options)  # type: ignore[arg-type]
        seen = (x, weight) if len(orders) == 0 else (x, weight, out)
        orders.append(all(one.is_contiguous(memory_format=torch.channels_last) for one in seen))
        return out

    monkeypatch.setattr(torch.nn.functional, "conv2d", looking)
    model(*latent(FRAMES, torch.float32), 10, 20)
    assert len(orders) == 2 + 5 * 3 * 6
    assert all(orders)
