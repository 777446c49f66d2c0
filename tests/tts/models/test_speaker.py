"""The speaker network computes what upstream computes."""

import numpy as np
import pytest
import torch

from tests.golden import recipe
from tests.golden.compare import CHAIN, MODULE, error
from tests.tts.models.golden_sovits import CPU, GOLDEN, arrays
from tts import checkpoint
from tts.audio.fbank import fbank
from tts.checkpoint.errors import CheckpointError
from tts.models.speaker import SpeakerEncoder, SpeakerSpec

pytestmark = pytest.mark.golden

# ERes2NetV2 as upstream builds it, with the classifier that the embedding does without.
UPSTREAM_PARAMETERS = 53_513_632
CLASSIFIER = 192 * 40960 + 192


def stored() -> dict[str, np.ndarray]:
    return checkpoint.read_state(GOLDEN / "ckpt" / "sv_eres2netv2_tiny.ckpt")


def test_samples_give_upstreams_embedding() -> None:
    golden = arrays("npz", "sv_tiny")
    model = SpeakerEncoder.load(stored(), dtype=torch.float32, device=CPU)
    energies = torch.from_numpy(golden["fbank"])
    assert error(model(energies), golden["emb"]) <= MODULE
    assert error(model(energies[:, :70]), golden["emb_first70"]) <= MODULE
    heard = torch.from_numpy(fbank(golden["wav16k"][0]))[None]
    assert error(model(heard), golden["emb"]) <= CHAIN


@pytest.mark.real
def test_the_full_size_network_gives_upstreams_embedding() -> None:
    golden = arrays("full", "sv_eres2netv2")
    weights = recipe.build(GOLDEN / "full" / "sv_eres2netv2.weights.json")
    model = SpeakerEncoder.load(weights, dtype=torch.float32, device=CPU)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert parameters + CLASSIFIER == UPSTREAM_PARAMETERS
    energies = torch.from_numpy(golden["fbank"])
    assert error(model(energies), golden["emb"]) <= CHAIN
    heard = torch.from_numpy(fbank(golden["wav16k"][0]))[None]
    assert error(model(heard), golden["emb"]) <= CHAIN
    # Upstream's own single precision is 1.2e-5 away from what exact arithmetic gives.
    exact = SpeakerEncoder.load(weights, dtype=torch.float64, device=CPU)
    assert error(exact(energies.double()), golden["emb"]) <= 2 * MODULE


def test_sizes_are_read_off_the_tensors() -> None:
    assert SpeakerSpec.of(stored()) == SpeakerSpec(
        channels=4, blocks=(1, 1, 2, 1), widths=(1, 3, 6, 12), scale=4, expansion=4
    )


def test_another_network_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not an ERes2NetV2 .* conv1.weight is missing"):
        SpeakerSpec.of({"layer1.0.convs.0.weight": np.zeros((24, 24, 3, 3))})


def test_neighbours_in_a_batch_change_nothing() -> None:
    golden = arrays("npz", "sv_tiny")
    model = SpeakerEncoder.load(stored(), dtype=torch.float32, device=CPU)
    energies = torch.from_numpy(golden["fbank"])
    together = model(torch.cat([energies.flip(1), energies]))
    assert error(together[1:], golden["emb"]) <= MODULE
