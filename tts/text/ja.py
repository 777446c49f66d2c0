"""Japanese text to phones, as the GPT-SoVITS models were trained on it.

In: text.  Out: phones of Open JTalk, with marks where the pitch rises ("["), falls ("]") and where
an accent phrase ends ("#", which no model knows as a phone).  Needs pyopenjtalk-plus, used as plain
Open JTalk; the models were trained with the dictionary naist-jdic and a user dictionary, so those
give their readings and accents, and the package's own dictionary, the default, others in about half
of all sentences.  One caller at a time.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tts.carriers import missing
from tts.text import ja_accent

_SPOKEN = (
    "A-Za-z\\d\u3005\u3040-\u30ff\u4e00-\u9fff\uff11-\uff19\uff21-\uff3a\uff41-\uff5a\uff66-\uff9d"
)
_PART = re.compile(f"[{_SPOKEN}]+|[^{_SPOKEN}]")
_REPEATED = re.compile(r"([!?…,.\-])[!?…,.\-]+")
_PAUSES = dict(zip("：；，。！？\n·、", ",,,.!?.,,", strict=True))
_UNVOICED = frozenset("AEIOU")
_PITCH = frozenset("[]")
_BETWEEN_WORDS = frozenset("#_")
_MORA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc][ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ]?")
_LAST_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u30fc]+$")
_ENDS_MORA = frozenset(("a", "i", "u", "e", "o", "N", "cl"))

_PHONE = re.compile(r"-(.*?)\+")
# Fields of a full-context label: accent nucleus, mora from the start and from the end of its
# accent phrase, moras of the phrase.
_NUCLEUS = re.compile(r"/A:([0-9\-]+)\+")
_FROM_START = re.compile(r"\+(\d+)\+")
_FROM_END = re.compile(r"\+(\d+)/")
_MORAS = re.compile(r"/F:(\d+)_")
_NO_VALUE = -50

_COMPILE = "import sys, pyopenjtalk; pyopenjtalk.mecab_dict_index(*sys.argv[1:])"


class Japanese:
    """The frontend.

    `dictionary` is a folder of MeCab's compiled naist-jdic in UTF-8, `user_dictionary` a compiled
    one over it.  Raises `ImportError` naming the extra, and `ValueError` for a folder that holds
    no dictionary.
    """

    def __init__(
        self, *, dictionary: Path | None = None, user_dictionary: Path | None = None
    ) -> None:
        try:
            import pyopenjtalk
            from pyopenjtalk.openjtalk import OpenJTalk
        except ImportError as error:
            raise missing("pyopenjtalk-plus", needed_for="Japanese speech") from error
        if dictionary is not None and not (dictionary / "sys.dic").exists():
            raise ValueError(f"{dictionary}: holds no dictionary of Open JTalk (no sys.dic)")
        folder = str(dictionary).encode() if dictionary else pyopenjtalk.OPEN_JTALK_DICT_DIR
        user = str(user_dictionary).encode() if user_dictionary else b""
        self._jtalk: Any = OpenJTalk(dn_mecab=folder, userdic=user)
        self._own_dictionary = dictionary is None
        self._analyse: Callable[[str], Any] = partial(
            pyopenjtalk.run_frontend,
            jtalk=self._jtalk,
            use_sudachi_kanji_yomi=find_spec("sudachidict_core") is not None,
        )

    def normalise(self, text: str) -> str:
        """The text with one of several marks in a row."""
        return _REPEATED.sub(r"\1", text)

    def phones(self, norm_text: str) -> list[str]:
        """Phones of a normalised text."""
        return [phone for _, phones in self.words(norm_text) for phone in phones]

    def words(self, norm_text: str) -> list[tuple[str, list[str]]]:
        """The words and marks of a normalised text with the phones of each; kana mora by mora."""
        found: list[tuple[str, list[str]]] = []
        for part in _PART.findall(norm_text.replace("％", "パーセント").lower()):
            if len(part) == 1 and not re.match(f"[{_SPOKEN}]", part):
                if part != " ":
                    found.append((part, [_PAUSES.get(part, part)]))
            else:
                words = self._analysed(part)
                phones = with_pitch(self._jtalk.make_label(words))
                found += by_word([(word["string"], word["mora_size"]) for word in words], phones)
        return found

    def _analysed(self, text: str) -> Any:
        """Words as Open JTalk makes labels of them."""
        if self._own_dictionary:
            return self._analyse(text)
        # The package's corrections and its rules of numbers and accents are for its own dictionary.
        morphemes = self._jtalk.run_mecab(text)
        plain = [ja_accent.unread(morpheme) for morpheme in morphemes]
        return ja_accent.accented(
            self._jtalk.run_njd_from_mecab(plain, modify_numeral_reading=False), morphemes
        )


def compiled(source: Path, cache: Path, dictionary: Path | None = None) -> Path:
    """The user dictionary of a CSV file over a dictionary, compiled into `cache` once for each.

    Takes seconds the first time, in a process of its own: Open JTalk would keep every other thread
    of this one waiting, and it writes its progress to standard output.  Raises `ValueError` when
    the file cannot be read or compiled.
    """
    import pyopenjtalk

    folder = dictionary or Path(pyopenjtalk.OPEN_JTALK_DICT_DIR.decode())
    try:
        content = source.read_bytes() + (folder / "matrix.bin").read_bytes()
    except OSError as error:
        raise ValueError(f"{source}: cannot be compiled ({error})") from error
    target = cache / f"open-jtalk-user-{sha256(content).hexdigest()[:16]}.dic"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        [sys.executable, "-c", _COMPILE, str(source), str(unfinished), str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise ValueError(f"{source}: Open JTalk could not compile it ({said[0]})")
    unfinished.replace(target)
    return target


def with_pitch(labels: Sequence[str]) -> list[str]:
    """Phones of full-context labels, with the marks of pitch; the silence at both ends left out."""
    found: list[str] = []
    for label, after in zip(labels[1:-1], labels[2:], strict=True):
        match = _PHONE.search(label)
        phone = match[1] if match else ""
        if phone == "pau":
            found.append("_")
            continue
        phone = phone.lower() if phone in _UNVOICED else phone
        found.append(phone)
        start, next_start = _field(_FROM_START, label), _field(_FROM_START, after)
        if _field(_FROM_END, label) == 1 and next_start == 1 and phone in _ENDS_MORA:
            found.append("#")
        elif (
            _field(_NUCLEUS, label) == 0
            and next_start == start + 1
            and start != _field(_MORAS, label)
        ):
            found.append("]")
        elif start == 1 and next_start == 2:
            found.append("[")
    return found


def by_word(words: Sequence[tuple[str, int]], phones: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Words with the phones of each, by their numbers of moras; a word in kana mora by mora.

    What joins no word (the end of a phrase, a pause) is a word of its own with an empty name.  If
    the moras are not as many as the phones make, all is one word.
    """
    units = [unit for word, moras in words for unit in _units(word, moras)]
    if sum(moras for _, moras in units) != sum(phone in _ENDS_MORA for phone in phones):
        return [("".join(word for word, _ in words), list(phones))]
    found: list[tuple[str, list[str]]] = []
    rest = iter(units)
    lacking = 0  # moras that the last word still lacks
    for phone in phones:
        if phone in _BETWEEN_WORDS:
            found.append(("", [phone]))
        elif phone in _PITCH:
            found[-1][1].append(phone)
        else:
            while lacking == 0:
                name, lacking = next(rest, ("", 1))
                found.append((name, []))
            found[-1][1].append(phone)
            lacking -= phone in _ENDS_MORA
    return found + [(name, []) for name, _ in rest]


def _units(word: str, moras: int) -> list[tuple[str, int]]:
    """A word as what its characters before the last kana say, and those kana one by one."""
    stem = _LAST_KANA.sub("", word)
    kana = _MORA.findall(word[len(stem) :])
    left = moras - len(kana)
    if left < 0 or (left == 0) != (stem == ""):  # kana that are not read one by one
        return [(word, moras)]
    return [(stem, left)][: len(stem)] + [(mora, 1) for mora in kana]


def _field(pattern: re.Pattern[str], label: str) -> int:
    match = pattern.search(label)
    return int(match[1]) if match else _NO_VALUE
