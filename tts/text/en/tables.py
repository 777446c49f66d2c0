"""What is known of English words: a lexicon of 143,000, names, and words with two readings.

In: folders of installed packages, or files the user names.  Out: plain dictionaries.  The lexicon
and the names are pickles of upstream's (CMUdict with additions); they are read by an unpickler
that knows no class and no function, so that a wrong file is an error and never runs anything.
Read once, on the thread that loads a frontend.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tts.carriers import folder, upstream_text

# Upstream's own entries, over those of its files.
_CORRECTED = {
    "chatgpt": "CH AE1 T JH IY1 P IY1 T IY1",
    "json": "JH EY1 S AH0 N",
    "conda": "K AA1 N D AH0",
}
# Abbreviations that the lexicon reads as words.
_SPELT = ("ae", "ai", "ar", "ios", "hud", "os")
_HOMOGRAPHS = {
    "read": ("R IY1 D", "R EH1 D", "VBP"),
    "complex": ("K AH0 M P L EH1 K S", "K AA1 M P L EH0 K S", "JJ"),
}


@dataclass(frozen=True, slots=True)
class Homograph:
    """A word with two readings: the first where the tag is `tag`, else the second."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    tag: str


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything looked up for a word; keys are in lower case."""

    lexicon: Mapping[str, list[list[str]]]
    names: Mapping[str, list[list[str]]]
    homographs: Mapping[str, Homograph]


def load(text_folder: Path | None = None) -> Tables:
    """Read the tables.

    `text_folder` is upstream's folder `GPT_SoVITS/text`; by default the one in the installed
    package `gpt-sovits-cpufast`.  Raises `ImportError` naming the extra, or `ValueError`
    naming a file that is not what it should be.
    """
    source = text_folder or upstream_text()
    lexicon = read_pickled(source / "engdict_cache.pickle")
    lexicon |= {word: [phones.split()] for word, phones in _CORRECTED.items()}
    for word in _SPELT:
        lexicon.pop(word, None)
    names = read_pickled(source / "namedict_cache.pickle")
    return Tables(lexicon, names, _homographs(folder("g2p_en", needed_for="English speech")))


def read_pickled(path: Path) -> dict[str, list[list[str]]]:
    """A pickled dictionary of plain values.  Raises `ValueError` for anything else."""
    try:
        table = _PlainUnpickler(BytesIO(path.read_bytes())).load()
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path.name}: not a table of pronunciations ({error})") from error
    if not isinstance(table, dict):
        raise ValueError(f"{path.name}: holds a {type(table).__name__}, not a dictionary")
    return table


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a table needs no code")


def _homographs(package: Path) -> dict[str, Homograph]:
    found = {}
    for line in (package / "homographs.en").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            word, first, second, tag = line.strip().split("|")
            found[word.lower()] = Homograph(tuple(first.split()), tuple(second.split()), tag)
    for word, (first, second, tag) in _HOMOGRAPHS.items():
        found[word] = Homograph(tuple(first.split()), tuple(second.split()), tag)
    return found
