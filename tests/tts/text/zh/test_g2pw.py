import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tts.text.zh.g2pw import SentenceReader, overrides

MANY = "行\tㄒㄧㄥ2\n行\tㄏㄤ2\n長\tㄔㄤ2\n長\tㄓㄤ3\n"
FIXED = "銀\tㄧㄣ2\n"
SPELT = {"ㄒㄧㄥ": "xing", "ㄏㄤ": "hang", "ㄔㄤ": "chang", "ㄓㄤ": "zhang", "ㄧㄣ": "yin"}
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "銀", "行", ","]


class FakeSession:
    """Gives each question the reading that comes last among its own."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def run(self, outputs: Sequence[str], inputs: dict[str, Any]) -> Sequence[Any]:
        self.asked.append(inputs)
        mask = inputs["phoneme_mask"]
        return [mask * np.arange(1, mask.shape[1] + 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "POLYPHONIC_CHARS.txt").write_text(MANY, encoding="utf-8")
    (tmp_path / "MONOPHONIC_CHARS.txt").write_text(FIXED, encoding="utf-8")
    (tmp_path / "bopomofo_to_pinyin_wo_tune_dict.json").write_text(
        json.dumps(SPELT), encoding="utf-8"
    )
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    return tmp_path


def test_only_characters_of_several_readings_are_asked(folder: Path) -> None:
    session = FakeSession()
    reader = SentenceReader(folder, folder, session=session)
    assert reader(["银行,", "好,"]) == [["yin2", "xing2", ","], ["hao3", ","]]
    (asked,) = session.asked
    assert asked["input_ids"].tolist() == [[2, 4, 5, 6, 3]]
    assert asked["position_ids"].tolist() == [2]
    assert asked["phoneme_mask"].sum(axis=1).tolist() == [2.0]


def test_a_model_folder_without_the_model_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no g2pW\.onnx"):
        SentenceReader(folder, folder)


def test_overrides_are_read_and_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "g2pw").mkdir()
    for name in ("polyphonic.rep", "polyphonic-fix.rep"):
        (tmp_path / "g2pw" / name).write_text("银行: ['yin2', 'hang2']\n", encoding="utf-8")
    assert overrides(tmp_path) == {"银行": ("yin2", "hang2")}
    (tmp_path / "g2pw" / "polyphonic.rep").write_text("银行 yin2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"polyphonic\.rep:1: not a word and its readings"):
        overrides(tmp_path)
