"""The number, code or spelled word that a turn ends in, sign by sign.

In: tokens.  Out: a `Run`: the digits and letters themselves, and how they were grouped.  Digits
come as words or figures, "double five" is two of them, and in the middle of a number "to" and "for"
are misheard digits.  Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.turns.numerals import HAN_DIGITS, TENS, UNITS


@dataclass(frozen=True, slots=True)
class Run:
    """Signs at the end of a turn."""

    signs: str = ""
    """Digits, and letters in small."""
    groups: tuple[int, ...] = ()
    """Lengths of the groups in figures, and of the stretches in words between them."""
    tokens: int = 0
    start: int = 0
    """Index of the first token."""
    dangling: bool = False
    """It ends in what must go on: "double", "dash", "b as in"."""


_DIGITS = {word: str(value) for word, value in UNITS.items()} | {"oh": "0", "o": "0"}
_TENS = {word: str(value // 10) for word, value in TENS.items()}
_ORDINALS = {
    "first": "1", "second": "2", "third": "3", "fourth": "4", "fifth": "5", "sixth": "6",
    "seventh": "7", "eighth": "8", "ninth": "9", "tenth": "10", "twelfth": "12", "thirtieth": "30",
}  # fmt: skip
_SCALES = {"hundred": "00", "thousand": "000"}
_MISHEARD = {"to": "2", "too": "2", "for": "4", "ate": "8", "won": "1", "nought": "0", "nil": "0"}
_TIMES = {"double": 2, "triple": 3, "treble": 3}
_NATO = frozenset(
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november "
    "oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu".split()
)
_JOINS = frozenset({"dash", "hyphen", "slash", "plus", "space", "杠", "横", "划", "-"})
_CHINESE = {sign: str(value) for sign, value in HAN_DIGITS.items()} | {
    "洞": "0", "拐": "7", "勾": "9",
}  # fmt: skip
_KOREAN = {
    "공": "0", "영": "0", "일": "1", "이": "2", "삼": "3", "사": "4", "오": "5", "육": "6",
    "칠": "7", "팔": "8", "구": "9",
}  # fmt: skip
_SMALL_WORDS = frozenset(
    "am pm a i at in on of is it or so to the and for but my do we he no yes too ate won".split()
)
_WORDS_IN_RUNS = _SMALL_WORDS | {"as", "dot", "th", "um", "uh"}
_UNSURE_CHINESE = frozenset("一两洞拐勾")
"""Characters that are digits only next to other digits."""


def run_at_end(said: Sequence[str], language: str, *, numbers_wanted: bool = False) -> Run:
    """The run of digits and letters that the tokens end in; `Run()` if there is none.

    With `numbers_wanted` even one sign counts, and misheard digits may stand at the end.
    """
    start = _start(said, language, numbers_wanted)
    while start < len(said) and said[start] in _MISHEARD:
        start += 1
    part = said[start:]
    if not part:
        return Run()
    signs, groups, dangling = _read(part, language)
    if not signs or (language in ("zh", "yue", "ja") and not numbers_wanted and _unsure(part)):
        return Run()
    return Run(signs, groups, len(part), start, dangling)


def is_number(token: str) -> bool:
    """One token that is a number: in figures, as a word, as an ordinal."""
    return _figures(token) != "" or token in _DIGITS or token in _TENS or token in _ORDINALS


def _figures(token: str) -> str:
    """ "27" and "27th" are 27."""
    if token.isdigit():
        return token
    return token[:-2] if token[:-2].isdigit() else ""


def _unsure(part: Sequence[str]) -> bool:
    return all(token in _UNSURE_CHINESE for token in part) and len(part) < 3


def _start(said: Sequence[str], language: str, numbers_wanted: bool) -> int:
    """Where the run begins: walk back while the tokens belong to it."""
    index = len(said)
    while index and _belongs(said, index - 1, language, numbers_wanted):
        index -= 1
    # "a" and "i" begin no run: they are words first.
    while index < len(said) - 1 and said[index] in ("a", "i") and not said[index + 1].isalpha():
        index += 1
    while index < len(said) and said[index] in ("and", "as", "in", "then", *_JOINS):
        index += 1
    return index


def _belongs(said: Sequence[str], index: int, language: str, numbers_wanted: bool) -> bool:
    token = said[index]
    if _figures(token) or token in _DIGITS or token in _TENS or token in _TIMES:
        return True
    if token in _CHINESE or (language == "ko" and token in _KOREAN):
        return True
    if len(token) == 1 and token.isascii() and token.isalpha():
        return True
    if token in _JOINS or token in _SCALES or token in _ORDINALS:
        return index > 0
    if token in ("as", "in", "for", "like", "and", "then", "is"):
        return _inside_a_letter(said, index) or (token in ("and", "then") and 0 < index)
    if token in _NATO and (numbers_wanted or index == 0 or len(said[index - 1]) == 1):
        return True
    if index >= 2 and said[index - 1] in ("in", "for") and _named_letter(said, index - 2):
        return True
    if numbers_wanted and _glued(said, index):
        return True
    last = index == len(said) - 1
    return token in _MISHEARD and index > 0 and (numbers_wanted or not last)


def _glued(said: Sequence[str], index: int) -> bool:
    """Letters written together beside a figure: "sw1 2qs"."""
    token = said[index]
    if not (token.isascii() and token.isalpha() and len(token) <= 3) or token in _SMALL_WORDS:
        return False
    return any(
        _figures(beside) for beside in (*said[index + 1 : index + 2], *said[index - 1 : index])
    )


def _inside_a_letter(said: Sequence[str], index: int) -> bool:
    """ "b AS IN boy", "b FOR boy"."""
    return index > 0 and (
        len(said[index - 1]) == 1 or (said[index] == "in" and said[index - 1] == "as")
    )


def _named_letter(said: Sequence[str], index: int) -> bool:
    """The token at `index` is a letter, or the "as" behind one."""
    if said[index] == "as":
        index -= 1
    return index >= 0 and len(said[index]) == 1 and said[index].isascii() and said[index].isalpha()


def _read(part: Sequence[str], language: str) -> tuple[str, tuple[int, ...], bool]:
    """The signs of a run, the lengths of its groups, and whether it dangles."""
    signs = ""
    groups: list[int] = []
    in_words = 0
    times = 1
    index = 0
    spelled = not any(is_number(token) and token != "o" for token in part)
    while index < len(part):
        token = part[index]
        index += 1
        following = part[index] if index < len(part) else ""
        sign = "o" if spelled and token == "o" else _sign(token, following, language)
        if token in _TIMES:
            times = _TIMES[token]
            continue
        if token in ("as", "for", "in") and signs and signs[-1].isalpha():
            index += 2 if token == "as" else 1
            if index > len(part):
                return signs, tuple(groups), True
            continue
        signs += sign * times
        if len(_figures(token)) > 1:
            if in_words:
                groups.append(in_words)
            groups.append(len(sign))
            in_words = 0
        else:
            in_words += len(sign) * times
        times = 1
    if in_words:
        groups.append(in_words)
    return signs, tuple(groups), times > 1 or part[-1] in _JOINS or part[-1] in ("and", "then")


def _sign(token: str, following: str, language: str) -> str:
    if figures := _figures(token):
        return figures
    if token in _TENS:
        # "twenty three" is 23, "twenty" alone 20.
        units = (
            following in _DIGITS and len(_DIGITS[following]) == 1 and following not in ("o", "oh")
        )
        ordinal = following in _ORDINALS and len(_ORDINALS[following]) == 1
        return _TENS[token] if units or ordinal else _TENS[token] + "0"
    for table in (_DIGITS, _CHINESE, _ORDINALS, _MISHEARD):
        if token in table:
            return table[token]
    if language == "ko" and token in _KOREAN:
        return _KOREAN[token]
    if token in _SCALES:
        return "" if following in _DIGITS or following in _TENS else _SCALES[token]
    if len(token) == 1 and token.isascii() and token.isalpha():
        return token
    if token in _NATO:
        return token[0]
    written_together = len(token) <= 3 and token.isascii() and token.isalpha()
    return token if written_together and token not in _WORDS_IN_RUNS else ""
