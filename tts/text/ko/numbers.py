"""Arabic numerals in Hangul.

In: text in which counted nouns are marked with "/B" after them ("3시/B").  Out: the same with
numerals read, native before the nouns that want it, Chinese before the others, and digit by digit
where no noun follows.  Pure.
"""

import re

_DIGITS = dict(zip("0123456789", "영일이삼사오육칠팔구", strict=True))
_NATIVE = dict(zip("123456789", "한 두 세 네 다섯 여섯 일곱 여덟 아홉".split(), strict=True))
_NATIVE_TENS = dict(
    zip("123456789", "열 스물 서른 마흔 쉰 예순 일흔 여든 아흔".split(), strict=True)
)
_PLACES = (
    "",
    "십",
    "백",
    "천",
    "만",
    "십",
    "백",
    "천",
    "억",
    "십",
    "백",
    "천",
    "조",
    "십",
    "백",
    "천",
)
# Up to here one of a place is not said: "십", not "일십".
_ONE_NOT_SAID = 8
# Nouns counted with native numerals, and whatever is a part of this text.
_NATIVE_NOUNS = (
    "군데 권 개 그루 닢 대 두 마리 모 모금 뭇 발 발짝 방 번 벌 보루 살 수 술 시 쌈 움큼 정 짝 "
    "채 척 첩 축 켤레 톨 통"
)
_COUNTED = re.compile(r"(\d[\d,]*)([ㄱ-힣]+)/B")


def read(text: str) -> str:
    """The text with its numerals in Hangul; the marks of counted nouns stay."""
    said = _COUNTED.sub(_counted, text)
    return "".join(_DIGITS.get(char, char) for char in said)


def number(digits: str, *, native: bool) -> str:
    """A number of up to 16 digits; longer ones digit by digit."""
    if digits == "0":
        return "영"
    if native and digits == "20":
        return "스무"
    if len(digits) > len(_PLACES):
        return "".join(_DIGITS[digit] for digit in digits)
    said: list[str] = []
    for place, digit in zip(reversed(range(len(digits))), digits, strict=True):
        if digit != "0":
            said.append(_digit(digit, place, native))
        elif place and place % 4 == 0 and any(said[-3:]):
            said.append(_PLACES[place])
        else:
            said.append("")
    return "".join(said)


def _digit(digit: str, place: int, native: bool) -> str:
    if native and place < 2:
        return (_NATIVE_TENS if place else _NATIVE)[digit]
    silent = digit == "1" and 0 < place < _ONE_NOT_SAID
    return ("" if silent else _DIGITS[digit]) + _PLACES[place]


def _counted(match: re.Match[str]) -> str:
    noun = match[2]
    said = number(match[1].replace(",", ""), native=noun in _NATIVE_NOUNS)
    return f"{said}{noun}/B"
