"""HuBERT features come from a local folder, on the samples as they are."""

from pathlib import Path

import pytest
import torch
from transformers import HubertConfig, HubertModel

from tts.models.hubert import Hubert

pytestmark = pytest.mark.golden

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny HuBERT with random weights; strides and norms as in the base model."""
    config = HubertConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hubert")
    HubertModel(config).eval().save_pretrained(path)
    return path


def test_features_are_the_last_hidden_state_of_the_samples(folder: Path) -> None:
    samples = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1))
    expected = HubertModel.from_pretrained(folder).eval()(samples).last_hidden_state
    features = Hubert(folder, dtype=torch.float32, device=CPU).features(samples)
    assert features.shape == (1, 16, 49)
    assert torch.equal(features.mT, expected)


def test_a_five_second_clip_and_its_tail_give_279_frames(folder: Path) -> None:
    samples = torch.zeros(1, 5 * 16000 + 9600)
    features = Hubert(folder, dtype=torch.float32, device=CPU).features(samples)
    assert features.shape[-1] == 279


def test_features_have_the_asked_precision(folder: Path) -> None:
    hubert = Hubert(folder, dtype=torch.bfloat16, device=CPU)
    assert hubert.features(torch.zeros(1, 4000)).dtype == torch.bfloat16


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a HubertModel folder"):
        Hubert(tmp_path, dtype=torch.float32, device=CPU)
