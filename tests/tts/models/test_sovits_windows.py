"""Laws of the way from latent frames to samples, with tiny random weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.laws import Split, holds, law, splits
from tts.engine.latent_noise import LatentNoise
from tts.models.sovits import Latent, Sovits
from tts.spec import SovitsSpec

SPEC = SovitsSpec(
    version="v2",
    symbols=5,
    sample_rate_hz=32000,
    hop_samples=6,
    hidden=4,
    filters=4,
    heads=1,
    layers=2,
    kernel=3,
    latent=4,
    gin=4,
    ssl=4,
    mrte_hidden=4,
    style_hidden=4,
    reference_bins=8,
    speaker=0,
    upsample_initial=8,
    upsample_rates=(3, 2),
    upsample_kernels=(7, 4),
    resblock_kernels=(3, 5),
    resblock_dilations=((1, 3, 5),) * 2,
)
FRAMES = 120
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> Sovits:
    torch.manual_seed(5)
    model = Sovits(SPEC).to(torch.float64).eval().requires_grad_(False)
    # Larger weights than training starts from, so that frames at the edge of the reach are heard.
    for weight in [*model.flow.parameters(), *model.dec.parameters()]:
        weight.mul_(2)
    return model


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@settings(law, max_examples=20)
@given(splits(FRAMES), st.integers(0, 1))
def test_audio_decoded_in_windows_is_audio_decoded_whole(
    model: Sovits, split: Split, neighbours: int
) -> None:
    """The law: frames are sounded once `context_frames` more are known, or the stream has ended."""
    lookahead_frames = model.context_frames
    z_p, ge = random(1, SPEC.latent, FRAMES), random(1, SPEC.gin, 1, seed=1)
    rows = torch.cat([z_p, *[z_p.flip(2)] * neighbours])
    speakers = torch.cat([ge, *[-ge] * neighbours])

    def speak(pieces: Split) -> np.ndarray:
        sounded, audio = 0, []
        for _, known in pieces:
            ready = known if known == FRAMES else max(sounded, known - lookahead_frames)
            if ready == sounded:
                continue
            first = max(0, sounded - lookahead_frames)
            window = model.decode_latent(rows[..., first:known], speakers)[0]
            hop = SPEC.hop_samples
            audio.append(window[(sounded - first) * hop : (ready - first) * hop])
            sounded = ready
        return torch.cat(audio).numpy()

    whole = holds(speak, split, within=1e-11)
    assert len(whole) == FRAMES * SPEC.hop_samples


@law
@given(splits(60))
def test_latent_frames_drawn_in_pieces_are_those_drawn_at_once(split: Split) -> None:
    latent = Latent(*(random(1, 4, 60, seed=seed) for seed in range(3)), random(1, 60, 5))
    noise = LatentNoise(7, 4, CPU)

    def speak(pieces: Split) -> np.ndarray:
        drawn = []
        for start, end in pieces:
            piece = latent.cut(start, end)
            drawn.append(piece.sample(noise(start, end - start), 0.5))
        return torch.cat(drawn, dim=-1).numpy()

    holds(speak, split)
