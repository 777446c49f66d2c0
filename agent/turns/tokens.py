"""A transcript as the readers of this package take it: small letters, one token a word.

In: what the recogniser wrote.  Out: tokens.  A token is a word, a number in figures, or one
character of a language without spaces; Chinese becomes simplified.  Punctuation is dropped here,
because recognisers put it anywhere; `ending` says what stood last.  Pure.
"""

import re
from typing import Literal

from agent.stt.chinese import simplified

Ending = Literal["", ".", "?", ",", "..."]
"""What a transcript ends in; "!" counts as "." and "；" as ","."""

UNSPACED = frozenset({"zh", "yue", "ja"})
"""Languages in which a character is a token."""

_CJK = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(
    rf"[{_CJK}]|\d+(?:st|nd|rd|th)\b|\d+|[^\W\d_{_CJK}]+(?:'[^\W\d_{_CJK}]+)*|[^\W\d_{_CJK}]|[@+]",
    re.UNICODE,
)


def tokens(text: str, language: str) -> list[str]:
    """The tokens of `text`; the groups of a number in figures stay apart."""
    if language in ("zh", "yue"):
        text = simplified(text)
    text = text.lower().replace("’", "'").replace("e-mail", "email")
    return _TOKEN.findall(text)


def ending(text: str) -> Ending:
    """The punctuation that `text` ends in."""
    bare = text.rstrip(" \"'”’」』)")
    if bare.endswith(("...", "…", "—", "-", "–")):
        return "..."
    match bare[-1:]:
        case "?" | "？":
            return "?"
        case "." | "!" | "。" | "！":
            return "."
        case "," | "、" | "，" | ";" | "；" | ":" | "：":
            return ","
    return ""
