"""Mandarin has text features, a vector a phone; every other language has zeros."""

from collections.abc import Sequence

import pytest
import torch

from tts.text.frontend import Spoken
from tts.voices.text_features import needs_bert, text_features

CPU = torch.device("cpu")
WIDTH = 4
CHINESE = Spoken("zh", "早 上", "早上", ("z", "ao3", "sh", "ang5"), (2, 2))
ENGLISH = Spoken("en", "Hi", "Hi", ("HH", "AY1"), None)
CANTONESE = Spoken("yue", "早", "早", ("z", "ou2"), (2,))
NOTHING = Spoken("zh", "", "", (), ())


def meaning(text: str, word2ph: Sequence[int]) -> torch.Tensor:
    """Each phone's vector is its character's code point."""
    points = [ord(char) for char, count in zip(text, word2ph, strict=True) for _ in range(count)]
    return torch.tensor(points, dtype=torch.float64).expand(WIDTH, -1)


def test_runs_follow_each_other_and_only_mandarin_means_something() -> None:
    runs = [ENGLISH, CHINESE, CANTONESE]
    features = text_features(runs, meaning, width=WIDTH, device=CPU)
    assert features.shape == (WIDTH, 8)
    assert features.dtype == torch.float32
    expected = [0, 0, ord("早"), ord("早"), ord("上"), ord("上"), 0, 0]
    assert features.tolist() == [expected] * WIDTH


def test_without_mandarin_nothing_is_asked() -> None:
    runs = [ENGLISH, CANTONESE, NOTHING]
    assert not needs_bert(runs)
    features = text_features(runs, None, width=WIDTH, device=CPU)
    assert features.tolist() == [[0.0] * 4] * WIDTH


def test_no_runs_have_no_features() -> None:
    assert text_features([], None, width=WIDTH, device=CPU).shape == (WIDTH, 0)


def test_mandarin_without_the_network_is_refused() -> None:
    assert needs_bert([ENGLISH, CHINESE])
    with pytest.raises(ValueError, match="features of '早 上' need the Chinese RoBERTa"):
        text_features([CHINESE], None, width=WIDTH, device=CPU)


def test_a_network_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"features \[4, 4\], the model needs \[5, 4\]"):
        text_features([CHINESE], meaning, width=5, device=CPU)
