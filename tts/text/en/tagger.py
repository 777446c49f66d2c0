"""Word classes from an averaged perceptron, with the weights of NLTK's English tagger.

In: words in order.  Out: a Penn Treebank tag each.  The weights are JSON files the user has
(`averaged_perceptron_tagger_eng` of NLTK's data); no package carries them.  Pure once loaded, any
thread.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_NAME = "averaged_perceptron_tagger_eng"


class PerceptronTagger:
    """The tagger.  Raises `ValueError` naming the file that is missing or broken."""

    def __init__(self, folder: Path) -> None:
        self._weights: dict[str, dict[str, float]] = _read(folder, "weights")
        self._certain: dict[str, str] = _read(folder, "tagdict")
        self._classes: list[str] = sorted(_read(folder, "classes"))

    def __call__(self, words: Sequence[str]) -> list[str]:
        """The tag of each word."""
        context = ["-START-", "-START2-", *map(_shape, words), "-END-", "-END2-"]
        before, before_that = "-START-", "-START2-"
        tags = []
        for index, word in enumerate(words):
            tag = self._certain.get(word)
            if not tag:
                tag = self._best(_features(index + 2, word, context, before, before_that))
            tags.append(tag)
            before_that, before = before, tag
        return tags

    def _best(self, features: Iterator[str]) -> str:
        scores: defaultdict[str, float] = defaultdict(float)
        for feature in features:
            for tag, weight in self._weights.get(feature, {}).items():
                scores[tag] += weight
        return max(self._classes, key=lambda tag: (scores[tag], tag))


def _read(folder: Path, part: str) -> Any:
    path = folder / f"{_NAME}.{part}.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: not a part of NLTK's tagger ({error})") from error


def _shape(word: str) -> str:
    if "-" in word and not word.startswith("-"):
        return "!HYPHEN"
    if word.isdigit():
        return "!YEAR" if len(word) == 4 else "!DIGITS"
    return "!DIGITS" if word[:1].isdigit() else word.lower()


def _features(
    at: int, word: str, context: Sequence[str], before: str, before_that: str
) -> Iterator[str]:
    """What the perceptron sees of a word; names are those of its weights."""
    yield "bias"
    yield f"i suffix {word[-3:]}"
    yield f"i pref1 {word[:1]}"
    yield f"i-1 tag {before}"
    yield f"i-2 tag {before_that}"
    yield f"i tag+i-2 tag {before} {before_that}"
    yield f"i word {context[at]}"
    yield f"i-1 tag+i word {before} {context[at]}"
    yield f"i-1 word {context[at - 1]}"
    yield f"i-1 suffix {context[at - 1][-3:]}"
    yield f"i-2 word {context[at - 2]}"
    yield f"i+1 word {context[at + 1]}"
    yield f"i+1 suffix {context[at + 1][-3:]}"
    yield f"i+2 word {context[at + 2]}"
