from pathlib import Path

import numpy as np
import pytest

from tts.text.en.unknown_words import UnknownWords

HIDDEN, LETTERS, PHONES = 4, 29, 74
STOP, FIRST_PHONE = 3, 4


def network(folder: Path, best: int) -> UnknownWords:
    """A network that always says one phone."""
    weights: dict[str, np.ndarray] = {"fc_w": np.zeros((PHONES, HIDDEN)), "fc_b": np.zeros(PHONES)}
    for side, rows in (("enc", LETTERS), ("dec", PHONES)):
        weights[f"{side}_emb"] = np.ones((rows, HIDDEN))
        for name in ("ih", "hh"):
            weights[f"{side}_w_{name}"] = np.ones((3 * HIDDEN, HIDDEN))
            weights[f"{side}_b_{name}"] = np.ones(3 * HIDDEN)
    weights["fc_b"][best] = 1
    path = folder / "weights.npz"
    np.savez(path, **{name: value.astype(np.float32) for name, value in weights.items()})
    return UnknownWords(path)


def test_a_word_has_at_most_twenty_phones(tmp_path: Path) -> None:
    assert network(tmp_path, FIRST_PHONE).phones("anything") == ["AA0"] * 20


@pytest.mark.parametrize("best", [0, STOP])
def test_signs_that_are_no_phones_are_not_said(tmp_path: Path, best: int) -> None:
    assert network(tmp_path, best).phones("don't") == []
