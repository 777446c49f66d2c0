"""Readings of whole Chinese sentences by the g2pW model, where the user has it.

In: sentences of characters and marks.  Out: a reading for each character ("hao3").  The model's
folder is upstream's `G2PWModel` (600 MB; no package carries it) and its words are those of the
Chinese RoBERTa's `tokenizer.json` or `vocab.txt`.  Nothing in the folder is run: its `config.py`
is not read.  Needs onnxruntime and OpenCC.  One caller at a time.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from opencc import OpenCC
from pypinyin import Style, pinyin

from tts.text.zh.normal import simplified

# Read by pypinyin all the same: the model is wrong about them too often.
_NOT_ASKED = frozenset("一不和咋嗲剖差攢倒難奔勁拗肖瘙誒泊听噢")
_NOT_FIXED = frozenset("似攢")
# Characters on both sides of the first and the last one in question that the model sees.
_CONTEXT = 16
_LONGEST = 510  # characters the model takes
_OVERRIDE = re.compile(r"\s*([^:\s]+)\s*:\s*\[(.*)\]")


class Session(Protocol):
    """The part of onnxruntime's InferenceSession that is used."""

    def run(self, outputs: Sequence[str], inputs: dict[str, NDArray[Any]]) -> Sequence[Any]:
        """Outputs for inputs; no output names means all."""
        ...


@dataclass(frozen=True, slots=True)
class _Question:
    sentence: int
    index: int  # in the sentence
    context: str
    position: int  # in the context


class SentenceReader:
    """The model.  Raises `ValueError` naming a file that is missing or broken."""

    def __init__(self, model: Path, words: Path, *, session: Session | None = None) -> None:
        """`model` is the folder G2PWModel, `words` the RoBERTa's folder."""
        self._ids = _vocabulary(words)
        many = _table(model / "POLYPHONIC_CHARS.txt")
        self._fixed = dict(_table(model / "MONOPHONIC_CHARS.txt"))
        for char in _NOT_FIXED:
            self._fixed.pop(char, None)
        self._spelling: dict[str, str] = _json(model / "bopomofo_to_pinyin_wo_tune_dict.json")
        self._chars = {char: row for row, char in enumerate(sorted({char for char, _ in many}))}
        self._many = many
        self._traditional = OpenCC("s2tw")
        self._session = session or _session(model)

    def __call__(self, sentences: Sequence[str]) -> list[list[str]]:
        """Readings of the characters of each sentence."""
        found: list[list[str]] = []
        questions: list[_Question] = []
        for number, sentence in enumerate(sentences):
            written = self._traditional.convert(sentence)
            if len(written) != len(sentence):
                written = sentence
            plain = written.translate(simplified())
            read = [_reading(char) for char in plain]
            whole = pinyin(plain, style=Style.TONE3, neutral_tone_with_five=True)
            if len(whole) == len(plain):  # not so where several signs in a row are one to pypinyin
                read = [part[0] for part in whole]
            asked = []
            for index, char in enumerate(written):
                if char in self._chars and char not in _NOT_ASKED:
                    asked.append(index)
                elif char in self._fixed:
                    read[index] = self._pinyin(self._fixed[char]) or read[index]
            found.append(read)
            questions += _questions(number, written, asked)
        if questions:
            for question, answer in zip(questions, self._answers(questions), strict=True):
                spelt = self._pinyin(answer)
                if spelt:
                    found[question.sentence][question.index] = spelt
        return found

    def _pinyin(self, bopomofo: str) -> str | None:
        component = self._spelling.get(bopomofo[:-1])
        return component + bopomofo[-1] if component else None

    def _answers(self, questions: Sequence[_Question]) -> list[str]:
        rows = [[self._ids["[CLS]"], *self._context_ids(q.context)] for q in questions]
        width = max(map(len, rows)) + 1
        ids = np.zeros((len(rows), width), np.int64)
        attended = np.zeros_like(ids)
        for row, known in enumerate(rows):
            ids[row, : len(known) + 1] = [*known, self._ids["[SEP]"]]
            attended[row, : len(known) + 1] = 1
        chars = [q.context[q.position] for q in questions]
        labels, masks = self._labels(chars)
        (scores,) = self._session.run(
            [],
            {
                "input_ids": ids,
                "token_type_ids": np.zeros_like(ids),
                "attention_mask": attended,
                "phoneme_mask": masks,
                "char_ids": np.array([self._chars[char] for char in chars], np.int64),
                "position_ids": np.array([q.position + 1 for q in questions], np.int64),
            },
        )[:1]
        return [labels[best] for best in np.argmax(scores, axis=1)]

    def _context_ids(self, context: str) -> list[int]:
        unknown = self._ids["[UNK]"]
        return [self._ids.get(char, unknown) for char in context.lower()]

    def _labels(self, chars: Sequence[str]) -> tuple[list[str], NDArray[np.float32]]:
        """The readings there are, and for each character which of them are its own."""
        labels = sorted({reading for _, reading in self._many})
        masks = np.zeros((len(chars), len(labels)), np.float32)
        of = {char: [labels.index(r) for c, r in self._many if c == char] for char in set(chars)}
        for row, char in enumerate(chars):
            masks[row, of[char]] = 1
        return labels, masks


def _reading(char: str) -> str:
    return str(pinyin(char, style=Style.TONE3, neutral_tone_with_five=True)[0][0])


def _questions(number: int, written: str, asked: Sequence[int]) -> list[_Question]:
    if not asked:
        return []
    start = max(0, asked[0] - _CONTEXT)
    end = min(len(written), asked[-1] + _CONTEXT + 1)
    found = []
    for index in asked:
        first, last = start, end
        if last - first > _LONGEST:
            first = min(max(start, index - _LONGEST // 2), end - _LONGEST)
            last = first + _LONGEST
        found.append(_Question(number, index, written[first:last], index - first))
    return found


def _session(model: Path) -> Session:
    import onnxruntime

    for name in ("g2pW.onnx", "g2pw.onnx"):
        if (model / name).exists():
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 2
            session: Session = onnxruntime.InferenceSession(
                str(model / name), options, providers=["CPUExecutionProvider"]
            )
            return session
    raise ValueError(f"{model}: holds no g2pW.onnx")


def _vocabulary(folder: Path) -> dict[str, int]:
    listed = folder / "vocab.txt"
    if listed.exists():
        return {word: row for row, word in enumerate(_read(listed).splitlines())}
    words: dict[str, int] = _json(folder / "tokenizer.json")["model"]["vocab"]
    return words


def _table(path: Path) -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in _read(path).splitlines() if line.strip()]
    return [(row[0], row[1]) for row in rows]


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error


def overrides(text_folder: Path) -> dict[str, tuple[str, ...]]:
    """Readings of words that upstream corrects the model with, from its folder `text`.

    Raises `ValueError` naming the line that is none.
    """
    found = {}
    for name in ("polyphonic.rep", "polyphonic-fix.rep"):
        path = text_folder / "g2pw" / name
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            match = _OVERRIDE.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"{path}:{number}: not a word and its readings: {line!r}")
            found[match[1]] = tuple(part.strip(" '\"") for part in match[2].split(","))
    return found
