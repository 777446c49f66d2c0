"""The measured reach keeps the law of the stitched latent, with tiny random weights."""

import pytest
import torch

from tests.tts.models.golden_sovits import VERSIONS, small
from tests.tts.models.test_sovits_windows import SPEC
from tts.engine.reach import ALLOWED_ERROR, measured_reach_frames
from tts.models.sovits import Sovits

FRAMES, FIRST, LAST = 60, 27, 33


def tiny(seed: int, gain: float = 1.0) -> Sovits:
    torch.manual_seed(seed)
    model = Sovits(SPEC).to(torch.float64).eval().requires_grad_(False)
    for weight in model.dec.parameters():
        weight.mul_(gain)
    return model


def speaker(model: Sovits) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(1, model.spec.gin, 1, generator=generator).to(model.codebook.dtype)


def error(model: Sovits, reach: int, seed: int) -> float:
    """How far windows with so much context are from the whole, as a share of its maximum."""
    generator = torch.Generator().manual_seed(100 + seed)
    latent = torch.randn(1, model.spec.latent, FRAMES, generator=generator)
    latent, ge = latent.to(model.codebook.dtype), speaker(model)
    hop = model.spec.hop_samples
    whole = model.dec(latent, ge)
    window = latent[..., FIRST - reach : LAST + reach]
    audio = model.dec(window, ge, reach, reach + LAST - FIRST)
    return float((audio - whole[:, FIRST * hop : LAST * hop]).abs().max() / whole.abs().max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_the_measured_reach_is_enough_and_much_less_is_not(seed: int, gain: float) -> None:
    model = tiny(seed, gain)
    reach = measured_reach_frames(model, speaker(model))
    assert 3 <= reach <= model.dec.reach_frames
    assert max(error(model, reach, draw) for draw in range(3)) <= ALLOWED_ERROR
    assert max(error(model, reach - 3, draw) for draw in range(3)) > ALLOWED_ERROR


def test_the_same_model_has_the_same_reach_in_any_precision() -> None:
    model = tiny(0)
    exact = measured_reach_frames(model, speaker(model))
    half = tiny(0).to(torch.bfloat16)
    assert measured_reach_frames(half, speaker(half)) in (exact - 1, exact, exact + 1)
    assert next(half.dec.parameters()).dtype is torch.bfloat16
    assert measured_reach_frames(model, speaker(model)) == exact


@pytest.mark.golden
@pytest.mark.parametrize("version", VERSIONS)
def test_windows_of_checkpoints_stay_within_the_allowed_error(version: str) -> None:
    model = small(version)
    reach = measured_reach_frames(model, speaker(model))
    assert max(error(model, reach, draw) for draw in range(3)) <= ALLOWED_ERROR
