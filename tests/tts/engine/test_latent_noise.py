"""The latent's noise: by seed and absolute frame, whatever the window."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import SEEDS, ExponentialNoise
from tts.errors import BadRequest

CPU = torch.device("cpu")


@quick
@given(cut=st.integers(0, 30), seed=st.integers(0, SEEDS - 1))
def test_frames_drawn_in_two_windows_are_those_drawn_in_one(cut: int, seed: int) -> None:
    noise = LatentNoise(seed, 6, CPU)
    whole = noise(0, 30)
    assert whole.shape == (1, 6, 30)
    assert torch.equal(torch.cat([noise(0, cut), noise(cut, 30 - cut)], dim=2), whole)


def test_every_frame_and_every_seed_has_noise_of_its_own() -> None:
    frames = LatentNoise(1, 4, CPU)(0, 50)[0].T.tolist()
    frames += LatentNoise(2, 4, CPU)(0, 50)[0].T.tolist()
    assert len({tuple(frame) for frame in frames}) == 100


def test_it_is_standard_normal_and_apart_from_the_tokens_noise() -> None:
    values = LatentNoise(5, 1025, CPU)(0, 100)
    assert abs(values.mean().item()) < 0.01
    assert abs(values.std().item() - 1) < 0.01
    exponential = ExponentialNoise(5, 1025, CPU)(0)
    pair = torch.stack([values[0, :, 0], exponential])
    assert abs(torch.corrcoef(pair)[0, 1].item()) < 0.1


@pytest.mark.parametrize("seed", [-1, SEEDS])
def test_a_seed_out_of_range_is_refused(seed: int) -> None:
    with pytest.raises(BadRequest, match=f"seed is {seed}: 0 to"):
        LatentNoise(seed, 4, CPU)
