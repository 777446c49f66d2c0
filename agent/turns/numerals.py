"""Spoken numbers as digits, so that "twenty five" and "25" are the same.

In: the words of a transcript.  Out: the words, with each run of numbers as one string of digits.
Digits that are said one after another are joined, as they are in a telephone number.  Pure.
"""

UNITS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
}
TENS = {
    word: 10 * value
    for value, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
    )
}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_ZEROS = frozenset({"oh", "o"})
"""Zeros, but only among numbers."""
_ORDINALS = dict(
    zip(
        "first second third fourth fifth sixth seventh eighth ninth tenth".split(),
        "1st 2nd 3rd 4th 5th 6th 7th 8th 9th 10th".split(),
        strict=True,
    )
)
HAN_DIGITS = {
    **dict(zip("零一二三四五六七八九", range(10), strict=True)),
    **{"〇": 0, "两": 2, "兩": 2, "幺": 1},
}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "萬": 10_000}


def english_numbers(words: list[str]) -> list[str]:
    """Write numbers of English words as digits."""
    out: list[str] = []
    number = _EnglishNumber()
    for index, word in enumerate(words):
        after = words[index + 1] if index + 1 < len(words) else ""
        if number.takes(word, after):
            continue
        out += number.digits()
        out.append(_ORDINALS.get(word, word))
    return out + number.digits()


class _EnglishNumber:
    """A run of number words, being read."""

    def __init__(self) -> None:
        self._digits = ""
        self._total = 0
        self._part: int | None = None

    def digits(self) -> list[str]:
        """What was read; begins anew."""
        self._close()
        digits, self._digits = self._digits, ""
        return [digits] if digits else []

    def takes(self, word: str, after: str) -> bool:
        """Read a word if it belongs to a number."""
        if word in _SCALES:
            self._scale(_SCALES[word])
        elif word == "a" and after in _SCALES:
            self._begin(1)
        elif word in UNITS or word in TENS:
            self._add(UNITS[word] if word in UNITS else TENS[word])
        elif word in _ZEROS and (self._digits or self._part is not None):
            self._begin(0)
        elif word.isdecimal() and word.isascii():
            self._close()
            self._digits += word
        else:
            return word == "and" and self._after_scale and (after in UNITS or after in TENS)
        return True

    @property
    def _after_scale(self) -> bool:
        return bool(self._part) and self._room >= 100 or self._part == 0 and self._total > 0

    @property
    def _room(self) -> int:
        """Numbers below this go on with the part: "twenty" + "five", but "five" + "twenty" not."""
        part = self._part
        if part is None:
            return 0
        if part % 100 == 0:
            return 100 if part else 1000 if self._total else 0
        return 10 if part % 10 == 0 and part % 100 != 10 else 0

    def _add(self, value: int) -> None:
        if self._part is not None and 0 < value < self._room:
            self._part += value
        else:
            self._begin(value)

    def _begin(self, value: int) -> None:
        self._close()
        self._part = value

    def _scale(self, scale: int) -> None:
        part = 1 if self._part is None else self._part
        if scale == 100:
            self._part = part * scale
        else:
            self._total += part * scale
            self._part = 0

    def _close(self) -> None:
        if self._part is not None:
            self._digits += str(self._total + self._part)
        self._total, self._part = 0, None


def han_numbers(words: list[str]) -> list[str]:
    """Write numbers of Chinese characters as digits."""
    out: list[str] = []
    run = ""
    digits = ""
    for word in [*words, ""]:
        if word in HAN_DIGITS or word in _HAN_SCALES:
            run += word
            continue
        if run:
            digits += _han_value(run)
            run = ""
        if word.isdecimal() and word.isascii():
            digits += word
            continue
        if digits:
            out.append(digits)
            digits = ""
        if word:
            out.append(word)
    return out


def _han_value(run: str) -> str:
    if not any(character in _HAN_SCALES for character in run):
        return "".join(str(HAN_DIGITS[character]) for character in run)
    total = section = digit = 0
    last_scale = 0
    for character in run:
        if character in HAN_DIGITS:
            digit = HAN_DIGITS[character]
            last_scale = 0 if digit == 0 else last_scale
            continue
        last_scale = _HAN_SCALES[character]
        if last_scale == 10_000:
            total, section = (total + section + digit) * last_scale, 0
        else:
            section += (digit or 1) * last_scale
        digit = 0
    # "一百五" is 150; 105 is "一百零五".
    if digit and last_scale > 10:
        digit *= last_scale // 10
    return str(total + section + digit)
