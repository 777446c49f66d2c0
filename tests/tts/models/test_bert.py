"""BERT features: the third layer from the end, without its marks, one vector a phone."""

from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertTokenizerFast

from tts.models.bert import Bert

pytestmark = pytest.mark.golden

CPU = torch.device("cpu")
CHARACTERS = "今天气很好我们去公园吧，。！？"
TEXT = "今天天气很好，我们去公园吧！"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny masked language model with random weights, stored as the official one is."""
    path = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARACTERS]
    (path / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=5,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
    )
    torch.manual_seed(0)
    BertForMaskedLM(config).eval().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def bert(folder: Path) -> Bert:
    return Bert(folder, dtype=torch.float32, device=CPU)


def by_character(folder: Path, text: str) -> torch.Tensor:
    """The features of each character, by the plain way through the whole network."""
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    model = BertForMaskedLM.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**tokens, output_hidden_states=True).hidden_states[-3][0, 1:-1]


def test_each_phone_has_the_features_of_its_character(folder: Path, bert: Bert) -> None:
    word2ph = [2] * len(TEXT)
    word2ph[6] = word2ph[-1] = 1
    word2ph[3] = 0
    expected = [
        feature
        for feature, count in zip(by_character(folder, TEXT), word2ph, strict=True)
        for _ in range(count)
    ]
    features = bert.features(TEXT, word2ph)
    assert features.shape == (16, sum(word2ph))
    torch.testing.assert_close(features.mT, torch.stack(expected), rtol=0, atol=1e-6)


def test_an_unknown_character_keeps_its_place(folder: Path, bert: Bert) -> None:
    text = "今鑫好"
    features = bert.features(text, [1, 1, 1])
    torch.testing.assert_close(features.mT, by_character(folder, text), rtol=0, atol=1e-6)


def test_layers_behind_the_features_are_not_loaded(bert: Bert) -> None:
    assert len(bert._model.encoder.layer) == 3


def test_a_count_for_each_character_is_required(bert: Bert) -> None:
    with pytest.raises(ValueError, match="2 phone counts given for 3 characters"):
        bert.features("今天好", [2, 2])


def test_a_text_longer_than_the_model_is_refused(bert: Bert) -> None:
    assert bert.features("好" * 30, [1] * 30).shape == (16, 30)
    with pytest.raises(ValueError, match="31 characters, the model takes 30"):
        bert.features("好" * 31, [1] * 31)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="not a BertModel folder"):
        Bert(tmp_path, dtype=torch.float32, device=CPU)
