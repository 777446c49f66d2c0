"""The words of a text as spans, and which spoken words say which of them.

In: text as it was written and the words as they are spoken ("$5" is spoken "five dollars").
Out: spans that index the written text exactly.  Characters are Unicode code points.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# Scripts written without spaces: each character is a word of its own.
_CJK = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
_WORD = re.compile(
    rf"[{_CJK}\U00020000-\U0003ffff]"
    rf"|(?:(?![{_CJK}\U00020000-\U0003ffff])[^\W_])+"
    rf"(?:['’.,:@/&+_-](?:(?![{_CJK}\U00020000-\U0003ffff])[^\W_])+)*"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (one past the last) of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters themselves."""
        return text[self.start : self.end]


def words(text: str) -> list[Span]:
    """The words of a text in order; punctuation around them belongs to none.

    A letter of a script written without spaces is a word; "it's", "3.14", "a@b.org" are one each.
    """
    return [Span(match.start(), match.end()) for match in _WORD.finditer(text)]


def key(word: str) -> str:
    """What spellings of a word share: letters and digits, without case, width and accents."""
    plain = unicodedata.normalize("NFKD", word).casefold()
    return "".join(char for char in plain if char.isalnum())


def align(written: Sequence[str], spoken: Sequence[str]) -> list[tuple[range, range]]:
    """Pair up runs of written and spoken words: indices of each, in order, covering both.

    Words equal by `key` are paired one to one; a run that differs ("$5" and "five dollars") is
    paired as a whole.  A pair never has an empty written side unless `written` is empty: spoken
    words that nothing written stands for join the pair before them, else the one after.
    """
    matcher = SequenceMatcher(None, [key(w) for w in written], [key(s) for s in spoken], False)
    pairs: list[tuple[range, range]] = []
    stray: range | None = None
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            runs = [(range(i1 + k, i1 + k + 1), range(j1 + k, j1 + k + 1)) for k in range(i2 - i1)]
        else:
            runs = [(range(i1, i2), range(j1, j2))]
        for w, s in runs:
            if len(w) == 0 and pairs:
                last_w, last_s = pairs[-1]
                pairs[-1] = (last_w, range(last_s.start, s.stop))
            elif len(w) == 0:
                stray = s
            else:
                pairs.append((w, range(stray.start if stray else s.start, s.stop)))
                stray = None
    return pairs


def spread(start: float, end: float, weights: Sequence[float]) -> list[tuple[float, float]]:
    """Divide an interval among consecutive parts in proportion to their weights (>= 0)."""
    total = sum(weights)
    if total <= 0:
        weights, total = [1.0] * len(weights), float(len(weights))
    edges = [start]
    done = 0.0
    for weight in weights:
        done += weight
        edges.append(start + (end - start) * (done / total))
    if weights:
        edges[-1] = end
    return list(zip(edges[:-1], edges[1:], strict=True))
