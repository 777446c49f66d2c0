"""Numbers in Chinese characters.

In: digits as text, so that leading zeros and decimals are what was written.  Out: characters.
Pure.
"""

_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")
# What a power of ten is called; larger numbers are made of these.
_UNITS = {8: "亿", 4: "万", 3: "千", 2: "百", 1: "十"}


def digits(text: str, *, telephone: bool = False) -> str:
    """Digit by digit; on the telephone 1 is said "yao"."""
    said = text.translate(_DIGITS)
    return said.replace("一", "幺") if telephone else said


def whole(text: str) -> str:
    """A whole number; empty for no digits."""
    if not text:
        return ""
    said = _parts(text.lstrip("0")) or "零"
    return said[1:] if said.startswith("一十") else said


def number(text: str) -> str:
    """A number with or without decimals; of zeros at the end one is said."""
    before, _, after = text.partition(".")
    said = whole(before)
    decimals = after.rstrip("0") + ("0" if after.endswith("0") else "")
    if not decimals:
        return said
    return f"{said or '零'}点{digits(decimals)}"


def _parts(text: str) -> str:
    """The number that `text` ends with; zeros before it are said once."""
    plain = text.lstrip("0")
    if not plain:
        return ""
    if len(plain) == 1:
        return ("零" if len(text) > 1 else "") + digits(plain)
    power = next(power for power in _UNITS if power < len(plain))
    return _parts(text[:-power]) + _UNITS[power] + _parts(text[-power:])
