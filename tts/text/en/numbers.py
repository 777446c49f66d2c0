"""Whole numbers in English words.

In: whole numbers.  Out: words in lower case, with the commas and hyphens that the training data
had ("forty-eight thousand, two hundred thirteen").  Pure.
"""

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_THOUSANDS = (
    " thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split(" ")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_TOO_LARGE = 10 ** (3 * len(_THOUSANDS))


def cardinal(number: int, *, conjunction: str = "and") -> str:
    """A number from 0 up in words.

    `conjunction` stands after the hundreds and before a last group of one word; it may be empty,
    and then the comma before that group goes too.  Numbers too large to have a name are read
    digit by digit.
    """
    if number >= _TOO_LARGE:
        return " ".join(_SMALL[int(digit)] for digit in str(number))
    if number == 0:
        return _SMALL[0]
    groups = []
    for name in _THOUSANDS:
        number, group = divmod(number, 1000)
        if group:
            groups.append(f"{_hundreds(group, conjunction)} {name}".strip())
        if not number:
            break
    *head, last = reversed(groups)
    if not head:
        return last
    joint = ", " if " " in last else f" {conjunction} ".replace("  ", " ")
    return ", ".join(head) + joint + last


def ordinal(number: int) -> str:
    """A number from 0 up as its place in a row: 21 is "twenty-first"."""
    words = cardinal(number)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    head, last = words[:cut], words[cut:]
    if last in _ORDINALS:
        return head + _ORDINALS[last]
    return head + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def ordinal_suffix(number: int) -> str:
    """ "st", "nd", "rd" or "th"."""
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def year(number: int) -> str:
    """A four-digit number in two pairs: 1905 is "nineteen oh five"."""
    first, second = divmod(number, 100)
    if second == 0:
        return f"{_pair(first)} oh oh"
    return f"{_pair(first)} {_pair(second) if second > 9 else 'oh ' + _SMALL[second]}"


def _hundreds(number: int, conjunction: str) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _pair(rest)
    if not rest:
        return f"{_SMALL[hundreds]} hundred"
    return " ".join(filter(None, (_SMALL[hundreds], "hundred", conjunction, _pair(rest))))


def _pair(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    tens, units = divmod(number, 10)
    return _TENS[tens] + (f"-{_SMALL[units]}" if units else "")
