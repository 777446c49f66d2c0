"""Whisper's texts of what scripted callers say, with its errors and its punctuation.

In: words of an utterance up to some time.  Out: a line as faster-whisper would write it: numbers in
figures, filled pauses mostly left out, a full stop behind nearly everything, about 5 % of the words
wrong.  An error belongs to its word: the same word is read the same way each time it is asked for,
but for the last word of a line, whose sound may be cut.  Pure.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.turns_world import chinese, english
from bench.turns_world.scripts import Hold, Language, Sound, Utterance, join

_WRONG = 0.028
_WRONG_LETTER = 0.08
_LEFT_OUT = 0.012
_PUT_IN = 0.005
_CUT = 0.05
"""How often the last word of a line is read as another."""
_DROPPED: Mapping[str, float] = {
    "um": 0.75,
    "uh": 0.75,
    "er": 0.75,
    "hmm": 0.5,
    "嗯": 0.55,
    "呃": 0.7,
    "mm": 0.6,
    "mm-hm": 0.35,
    "uh-huh": 0.3,
    "嗯嗯": 0.45,
}
"""Sounds that Whisper often does not write, and how often."""
_SAID_ONCE = 0.5
"""How often a repeated word is written once."""
_IN_FIGURES = 0.85
_NAMES_FOR_ZERO = {"oh"}
_FIGURES: Mapping[Language, Mapping[str, str]] = {
    "en": {**{name: str(n) for n, name in enumerate(english.DIGITS)}, "oh": "0"},
    "zh": {**{name: str(n) for n, name in enumerate(chinese.DIGITS)}, "幺": "1"},
}
_SOUNDS_LIKE: Mapping[str, str] = {
    "I'd": "I",
    "a": "the",
    "the": "a",
    "it's": "is",
    "is": "it's",
    "in": "and",
    "and": "an",
    "for": "four",
    "to": "two",
    "two": "to",
    "can": "can't",
    "can't": "can",
    "want": "won't",
    "on": "in",
    "my": "the",
    "that": "the",
    "there": "their",
    "was": "is",
    "of": "a",
    "right": "write",
    "的": "得",
    "是": "事",
    "在": "再",
    "再": "在",
    "他": "她",
    "做": "作",
    "买": "卖",
    "想": "像",
    "有": "又",
    "那": "哪",
    "四": "十",
    "十": "四",
}
_ANY = (
    "all are at back be been by did do down first from get had has have her here him his home how"
    " if its just know like long made make me more most much new not now old one only or other our"
    " out over say see some than them then they time up us use very way well were what when which"
    " who will work would year you your"
).split()
"""What a word is read as that sounds like none in particular."""
_PHANTOMS: Mapping[Language, tuple[str, ...]] = {
    "en": ("Thank you.", "you", "Bye.", "Thanks for watching!", "Okay."),
    "zh": ("谢谢", "谢谢观看", "好", "请不吝点赞"),
}
_LAUGHS: Mapping[Language, str] = {"en": "Haha.", "zh": "哈哈"}
_ENDS_WITH: Mapping[Language, Mapping[bool, tuple[tuple[str, float], ...]]] = {
    "en": {
        True: ((".", 0.88), ("", 0.06), ("...", 0.03), ("?", 0.02), (",", 0.01)),
        False: ((".", 0.52), ("...", 0.19), ("", 0.18), ("?", 0.09), (",", 0.02)),
    },
    "zh": {
        True: (("。", 0.5), ("", 0.43), ("，", 0.04), ("...", 0.03)),
        False: (("。", 0.35), ("", 0.5), ("，", 0.1), ("...", 0.05)),
    },
}
"""What stands behind words that could stand alone (True) and others, and how often.

English: faster-whisper base on 46 sentences, whole and cut at a quiet spot; Chinese is a guess.
"""
_INSIDE: Mapping[bool, tuple[tuple[str, float], ...]] = {
    True: ((".", 0.35), (",", 0.4), ("", 0.25)),
    False: ((",", 0.15), ("", 0.8), ("...", 0.05)),
}
"""What stands where the speaker held and went on."""
_ASKS = {True: 0.85, False: 0.3}
"""How often a question gets its mark at its end, and before."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Whisper in one call."""

    seed: int

    def transcript(
        self, speech: Utterance, from_s: float, to_s: float, level_db: float = 0.0
    ) -> str:
        """The words of an utterance whose middle lies between two times.

        `level_db`: loudness against the caller's own speech; what is quiet is often not written.
        """
        indices = [
            index
            for index, word in enumerate(speech.words)
            if from_s <= (word.start_s + word.end_s) / 2 < to_s
        ]
        faint = min(0.8, max(0.0, (-level_db - 8) / 20))
        if not indices or self._rng(speech.id, "faint").random() < faint:
            return ""
        parts = self._parts(speech, indices)
        if not parts:
            return ""
        return _written(parts, speech.language, self._rng(speech.id, "style"))

    def noise_transcript(self, sound: Sound, language: Language) -> str:
        """Mostly nothing, now and then a phantom, of laughter sometimes laughter."""
        rng = self._rng(sound.id, "noise")
        if sound.kind == "laughter" and rng.random() < 0.3:
            return _LAUGHS[language]
        return rng.choice(_PHANTOMS[language]) if rng.random() < 0.08 else ""

    def _parts(self, speech: Utterance, indices: Sequence[int]) -> list[tuple[str, str]]:
        """The words as they are understood, each with the mark behind it."""
        holds = {hold.after: hold for hold in speech.holds}
        parts: list[tuple[str, str]] = []
        before = ""
        for index in indices:
            last = index == indices[-1]
            rng = self._rng(speech.id, f"word {index}{' last' if last else ''}")
            spoken = speech.words[index].text
            dropped = rng.random() < _DROPPED.get(spoken, 0.0)
            repeated = spoken == before and spoken not in _FIGURES[speech.language]
            mark = _mark(speech, index, holds.get(index), last, rng)
            before = spoken
            if dropped or (repeated and rng.random() < _SAID_ONCE):
                word = ""
            else:
                word = _understood(spoken, speech.language, last, rng)
            if word:
                parts.append((word, mark))
            elif parts and mark:
                parts[-1] = (parts[-1][0], mark)
        return parts

    def _rng(self, *key: str) -> random.Random:
        return random.Random(f"{self.seed}/stt/{'/'.join(key)}")


def _understood(spoken: str, language: Language, last: bool, rng: random.Random) -> str:
    """A word as Whisper reads it; "" if it leaves it out."""
    chance = rng.random()
    letter = len(spoken) == 1 and spoken.isascii()
    wrong = _WRONG_LETTER if letter else _WRONG
    wrong += _CUT if last else 0.0
    if chance < _LEFT_OUT:
        return ""
    if chance < _LEFT_OUT + wrong:
        if letter:
            return rng.choice("BCDEGPTVZ")
        return _SOUNDS_LIKE.get(spoken) or _another(spoken, language, rng)
    if chance < _LEFT_OUT + wrong + _PUT_IN:
        return join((spoken, "啊" if language == "zh" else "a"), language)
    return spoken


def _another(word: str, language: Language, rng: random.Random) -> str:
    """Some other word: of Chinese, the same without its last character."""
    if language == "zh" and not word.isascii():
        return word[:-1]
    return rng.choice(_ANY)


def _mark(speech: Utterance, index: int, hold: Hold | None, last: bool, rng: random.Random) -> str:
    """The punctuation behind a word."""
    true_end = index == len(speech.words) - 1
    if not last:
        return _drawn(_INSIDE[hold.looks_complete], rng, speech.language) if hold else ""
    complete = speech.looks_complete if true_end else hold is not None and hold.looks_complete
    if complete and speech.kind == "question" and rng.random() < _ASKS[true_end]:
        return "？" if speech.language == "zh" else "?"
    return _drawn(_ENDS_WITH[speech.language][complete], rng, speech.language)


def _drawn(choices: Sequence[tuple[str, float]], rng: random.Random, language: Language) -> str:
    mark = rng.choices([m for m, _ in choices], [w for _, w in choices])[0]
    return {".": "。", ",": "，"}.get(mark, mark) if language == "zh" else mark


def _written(parts: Sequence[tuple[str, str]], language: Language, rng: random.Random) -> str:
    """Figures for numbers, letters in a row, e-mail addresses; then capitals."""
    figures = rng.random() < _IN_FIGURES
    glue = rng.choice(("", "", "-", " "))
    tokens = _rows(parts, _FIGURES[language] if figures else {}, glue)
    line = join(tokens, language)
    if rng.random() < 0.6:
        line = _addressed(line)
    if language == "zh":
        return line
    line = re.sub(r"([.!?]) (\w)", lambda m: f"{m[1]} {m[2].upper()}", line)
    return line[:1].upper() + line[1:]


def _rows(parts: Sequence[tuple[str, str]], figures: Mapping[str, str], glue: str) -> list[str]:
    """Join digits spoken in a row to figures, and single letters with `glue`."""
    tokens: list[str] = []
    row = ""
    for index, (word, mark) in enumerate(parts):
        digit = word in figures
        letter = len(word) == 1 and word.isascii() and word.isupper() and word not in ("I", "A")
        beside = parts[index + 1][0] if index + 1 < len(parts) else ""
        goes_on = digit and beside in figures
        goes_on = goes_on or (letter and len(beside) == 1 and beside.isupper())
        alone = digit and not row and not goes_on
        text = word if alone else figures.get(word, word)
        text = "oh" if alone and word in _NAMES_FOR_ZERO else text
        row += text
        if goes_on and mark in ("", ","):
            row += glue if letter else ""
            row += " " if mark and digit else ""
            continue
        tokens.append(row + mark)
        row = ""
    return tokens


def _addressed(line: str) -> str:
    """E-mail addresses as they are written, once their end was heard."""
    english_end = r"(\w+(?: (?:dot|underscore) ?\w+)*(?: ?\d+)?) at (\w+) dot (com|net)"
    chinese_end = r"(\w+?(?:下划线)?\d+)艾特(\w+)点com"
    line = re.sub(english_end, lambda m: f"{_joined(m[1])}@{m[2]}.{m[3]}", line)
    return re.sub(chinese_end, lambda m: f"{m[1].replace('下划线', '_')}@{m[2]}.com", line)


def _joined(name: str) -> str:
    return name.replace(" dot ", ".").replace(" underscore ", "_").replace(" ", "").lower()
