"""A network of a local folder is loaded whole and in silence."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import HubertModel
from transformers.utils import logging

from tests.tts.voices.tiny import save_hubert
from tts.models.local import load

pytestmark = pytest.mark.golden

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_hubert(tmp_path / "hubert", width=16)
    return tmp_path / "hubert"


def rewritten(folder: Path, *, without: str) -> None:
    """Store the weights as old files have them: half precision, weight norm by its old names."""
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    old = {"original0": "weight_g", "original1": "weight_v"}
    for new, name in old.items():
        for key in [key for key in weights if key.endswith(f"parametrizations.weight.{new}")]:
            weights[key.replace(f"parametrizations.weight.{new}", name)] = weights.pop(key)
    kept = {key: value.half() for key, value in weights.items() if key != without}
    torch.save(kept, folder / "pytorch_model.bin")


def test_loading_says_nothing_and_leaves_the_librarys_messages_as_they_were(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load(HubertModel, folder, dtype=torch.float32, device=CPU)
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_files_as_upstream_has_them_give_the_same_network(folder: Path) -> None:
    new = load(HubertModel, folder, dtype=torch.float16, device=CPU).state_dict()
    rewritten(folder, without="masked_spec_embed")
    old = load(HubertModel, folder, dtype=torch.float16, device=CPU).state_dict()
    assert old.keys() == new.keys()
    different = [key for key, value in new.items() if not torch.equal(old[key], value)]
    assert different in ([], ["masked_spec_embed"])


def test_weights_that_are_missing_are_named_and_not_made_up(folder: Path) -> None:
    rewritten(folder, without="encoder.layers.0.final_layer_norm.weight")
    with pytest.raises(ValueError, match="lacks weights .* encoder.layers.0.final_layer_norm"):
        load(HubertModel, folder, dtype=torch.float32, device=CPU)


def test_a_damaged_file_is_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not this")
    with pytest.raises(ValueError, match="hubert cannot be loaded: "):
        load(HubertModel, folder, dtype=torch.float32, device=CPU)
