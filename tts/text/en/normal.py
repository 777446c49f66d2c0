"""English as it is written to English as it is said: numbers, money, times, units, capitals.

In: text.  Out: text of letters, spaces and the marks `'.,?!-` only, by the rules with which the
models' training texts were prepared; the odd ones among them ("$15/month" becomes "fifteen
dollarsmonth") are kept, because the models know them.  Pure, any thread.
"""

import re
import unicodedata
from collections.abc import Callable

from tts.text.en import numbers
from tts.text.symbols import PUNCTUATION

_FULL_WIDTH = str.maketrans("。！？", ".!?")
_UNITS = {
    "m": ("meter", "meters"),
    "km": ("kilometer", "kilometers"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "ft": ("feet", "feet"),
    "L": ("liter", "liters"),
    "tbsp": ("tablespoon", "tablespoons"),
    "tsp": ("teaspoon", "teaspoons"),
    "h": ("hour", "hours"),
    "min": ("minute", "minutes"),
    "s": ("second", "seconds"),
    "°C": ("degree celsius", "degrees celsius"),
    "°F": ("degree fahrenheit", "degrees fahrenheit"),
}
_OPERATORS = {
    "+": " plus ",
    "-": " minus ",
    "×": " times ",
    "÷": " divided by ",
    "=": " Equals ",
}
_SUPERSCRIPT = "[⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ]*"
_TERM = rf"(?:-?\d+(?:\.\d+)?{_SUPERSCRIPT}|\.\d+{_SUPERSCRIPT}|[A-Za-z]{_SUPERSCRIPT})"
_SUM = re.compile(rf"({_TERM})\s+([+\-×÷=])\s+({_TERM})")
_MARKS = "".join(re.escape(mark) for mark in PUNCTUATION)
_REPEATED_MARKS = re.compile(rf"([{_MARKS}\s])[{_MARKS}]+")


def normalise(text: str) -> str:
    """What is said for a text.  Raises nothing for any text."""
    text = text.translate(_FULL_WIDTH)
    for pattern, said in _BEFORE_SUMS:
        text = pattern.sub(said, text)
    while _SUM.search(text):
        text = _SUM.sub(_sum, text)
    for pattern, said in _NUMBERS:
        text = pattern.sub(said, text)
    text = _letters_only(text)
    for pattern, said in _AFTER_NUMBERS:
        text = pattern.sub(said, text)
    return _REPEATED_MARKS.sub(r"\1", text)


def _letters_only(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    plain = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return re.sub(r"[^ A-Za-z'.,?!\-]", "", plain.replace("%", " percent"))


def _list_item(match: re.Match[str]) -> str:
    return f"{match[1]}{numbers.ordinal_suffix(int(match[1]))}, "


def _sum(match: re.Match[str]) -> str:
    return match[1] + _OPERATORS[match[2]] + match[3]


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    half = "a.m." if hour < 12 else "p.m."
    spoken_hour = numbers.cardinal(hour - 12 if hour > 12 else hour)
    if not minute:
        return f"{spoken_hour} o'clock {half}"
    return f"{spoken_hour} {numbers.cardinal(minute)} {half}"


def _measure(match: re.Match[str]) -> str:
    amount, decimals, unit = match[1], match[2], match[3]
    single = decimals is None and int(amount) == 1
    return f"{amount}{decimals or ''} {_UNITS[unit][0 if single else 1]}"


def _money(unit: str, units: str, part: str, parts: str) -> Callable[[re.Match[str]], str]:
    """How a sum of money is said; one that is no number ("(5$") is left as it stands."""

    def said(match: re.Match[str]) -> str:
        amount = match[1].split(".")
        if len(amount) > 2:
            return f"{match[1]} {units}"
        try:
            whole = int(amount[0] or "0")
            rest = int(amount[1].ljust(2, "0")) if len(amount) > 1 and amount[1] else 0
        except ValueError:
            return match[1]
        spoken = []
        if whole:
            spoken.append(f"{whole} {unit if whole == 1 else units}")
        if rest:
            spoken.append(f"{rest} {part if rest == 1 else parts}")
        return " and ".join(spoken) or f"zero {units}"

    return said


_POUNDS = _money("pound", "pounds", "penny", "pence")
_DOLLARS = _money("dollar", "dollars", "cent", "cents")


def _decimal(match: re.Match[str]) -> str:
    whole, decimals = match[1].split(".")
    return f"{whole} point {' '.join(decimals)}"


def _fraction(match: re.Match[str]) -> str:
    above, below = int(match[1]), int(match[2])
    spoken = numbers.cardinal(above)
    if below == 1:
        return spoken
    if below == 2:
        return f"{spoken} {'half' if above == 1 else 'halves'}"
    return f"{spoken} {numbers.ordinal(below)}{'s' if above > 1 else ''}"


def _ordinal(match: re.Match[str]) -> str:
    return numbers.ordinal(int(match[1]))


def _number(match: re.Match[str]) -> str:
    number = int(match[0])
    if not 1000 < number < 3000:
        return numbers.cardinal(number, conjunction="")
    if 2000 <= number < 2010:
        rest = number % 100
        return "two thousand" + (f" {numbers.cardinal(rest)}" if rest else "")
    if number % 100 == 0:
        return f"{numbers.cardinal(number // 100)} hundred"
    return numbers.year(number)


_Rules = tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]

_BEFORE_SUMS: _Rules = ((re.compile(r"\b([0-9]{1,36})\. "), _list_item),)
# In this order: a rule sees what the ones before it have left.
_NUMBERS: _Rules = (
    (re.compile(r"(?:^|\s+)-(\d+)"), r"negative \1"),
    (re.compile(r"[0-9][0-9,]+[0-9]"), lambda match: match[0].replace(",", "")),
    # Longer than any number with a name: read digit by digit.
    (re.compile(r"\d{37,}"), lambda match: " ".join(match[0])),
    (re.compile(r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])\b"), _time),
    (re.compile(r"\b([0-9]+)(\.[0-9]+)?(m|km|km/h|ft|L|tbsp|tsp|h|min|s|°C|°F)\b"), _measure),
    (re.compile(r"£([0-9.,]*[0-9]+)"), _POUNDS),
    (re.compile(r"([0-9.,]*[0-9]+)£"), _POUNDS),
    (re.compile(r"\$([0-9.,]*[0-9]+)"), _DOLLARS),
    (re.compile(r"([(0-9.,]*[0-9]+)\$"), _DOLLARS),
    (re.compile(r"([0-9]+\.\s*[0-9]+)"), _decimal),
    (re.compile(r"([0-9]+)/([0-9]+)"), _fraction),
    (re.compile(r"([0-9]+)(?:st|nd|rd|th)"), _ordinal),
    (re.compile(r"[0-9]+"), _number),
)
_AFTER_NUMBERS: _Rules = (
    (re.compile(r"i\.e\.", re.IGNORECASE), "that is"),
    (re.compile(r"e\.g\.", re.IGNORECASE), "for example"),
    # A capital inside or after a word is a letter of its own: "NASA" is spelt.
    (re.compile(r"(?<!^)(?<!\s)([A-Z])"), r" \1"),
)
