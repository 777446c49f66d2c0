"""The mouth of each phone: phones of the models' table to the 15 visemes of the Oculus set.

In: phones as text.  Out: visemes with their shares of a phone's time, and a track of them without
gaps.  Knows nothing of times in a text, audio or wires.  Pure, any thread.

The set is the one that Meta's Lipsync publishes for faces (sil PP FF TH DD kk CH SS nn RR aa E ih
oh ou); most rigs and VRM, Ready Player Me and MetaHuman adapters know it by these names.  A phone
goes to the viseme that shows the same lips, teeth and tongue: consonants by their place of
articulation, vowels by how wide the jaw is open and whether the lips are round.  docs/marks.md
shows the table with examples.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tts.text.spans import Span
from tts.text.symbols import SILENT

VISEMES = (
    "sil", "PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa", "E", "ih", "oh", "ou",
)  # fmt: skip

Shape = tuple[tuple[str, float], ...]
"""Visemes one after the other, and the share of the time that each takes; 1 in all."""

# The widest mouth of a phone stays open longest.
_OPENNESS = {"aa": 3, "E": 2, "oh": 2, "ih": 1, "ou": 1}

# Consonants of all languages.
_CONSONANTS = {
    "PP": "B P M b p m by py my Yb Yp Ym ㅁ ㅂ ㅃ ㅍ",  # lips closed
    "FF": "F V f v Yf",  # lower lip at the teeth
    "TH": "TH DH",  # tongue between the teeth
    "DD": "T D t d dy Yt Yd ㄷ ㄸ ㅌ",  # tongue at the ridge
    "kk": "K G NG k g ky gy Yk Yg Yng ㄱ ㄲ ㅋ",  # tongue at the soft palate
    "CH": "CH JH SH ZH ch j q sh x zh ㅈ ㅉ ㅊ",  # tongue behind the ridge
    "SS": "S Z s z c ts Ys Yz Yc ㅅ ㅆ",  # teeth nearly closed
    "nn": "N L n l ny Yn Yl ㄴ ㄹ",  # tongue at the ridge, voice goes on
    "RR": "R r ry",
    "ih": "Y y Yj",
    "ou": "W w Yw",
    "kk ou": "Ygw Ykw",
}
# Phones with no mouth of their own.  A breath and the silent letter of Hangul show the vowel that
# follows, and are made in the throat where none does; the stop before a Japanese double consonant
# and the marks of pitch show whatever follows.
_BREATHS = frozenset("HH h hy Yh ㅎ ㅇ".split())
_HELD = frozenset("cl [ ]".split())
_THROAT = "kk"

# Vowels of English, of Korean, and of Mandarin where no consonant comes before them.
_VOWELS = {
    "aa": "AA AE AH ㅏ ㅓ",
    "E": "EH AH0 E EE ㅐ ㅔ",
    "ih": "IH IY I ㅡ ㅣ",
    "oh": "AO OO ㅗ",
    "ou": "UH UW U ㅜ",
    "RR": "ER",
    "aa ou": "AW",
    "aa ih": "AY",
    "E ih": "EY",
    "oh ou": "OW",
    "oh ih": "OY",
}
# Finals of Mandarin, less the tone, that do not sound as they are spelt: ian is [jɛn], ong [ʊŋ],
# ui [weɪ].
_FINALS = {
    "ian": "ih E nn",
    "van": "ou E nn",
    "En": "E nn",
    "ao": "aa ou",
    "iao": "ih aa ou",
    "ong": "ou kk",
    "iong": "ih ou kk",
    "iu": "ih oh ou",
    "ui": "ou E ih",
    "un": "ou E nn",
    "ir": "ih",
    "i0": "ih",
}
# Other finals by their letters, and so are those of Cantonese after the Y, and Japanese vowels.
_LETTERS = {
    "aa": "aa",
    "eo": "oh",
    "oe": "oh",
    "yu": "ou",
    "ng": "kk",
    "a": "aa",
    "e": "E",
    "i": "ih",
    "o": "oh",
    "u": "ou",
    "v": "ou",
    "n": "nn",
    "m": "PP",
    "p": "PP",
    "t": "DD",
    "k": "kk",
    "g": "kk",
    "r": "RR",
}


def _by_phone(table: dict[str, str]) -> dict[str, str]:
    return {phone: visemes for visemes, phones in table.items() for phone in phones.split()}


_CONSONANT = _by_phone(_CONSONANTS)
_VOWEL = _by_phone(_VOWELS) | _FINALS
_PART = re.compile("|".join(_LETTERS))


def shapes(phones: Sequence[str]) -> list[Shape]:
    """What the mouth does in each of consecutive phones.

    Raises `ValueError` for a phone that no table has.
    """
    found: list[Shape] = []
    after = "sil"
    for phone in reversed(phones):
        if phone in _HELD:
            visemes = [after]
        elif phone in _BREATHS:
            visemes = [after if after in _OPENNESS else _THROAT]
        else:
            visemes = list(_visemes(phone))
        found.append(_shared(visemes))
        after = visemes[0]
    return found[::-1]


@cache
def _visemes(phone: str) -> tuple[str, ...]:
    if phone in SILENT:
        return ("sil",)
    toneless = phone[:-1] if phone[-1:].isdigit() else phone
    known = _CONSONANT.get(phone) or _VOWEL.get(phone) or _VOWEL.get(toneless)
    if known:
        return tuple(known.split())
    letters = toneless.removeprefix("Y")
    parts = _PART.findall(letters)
    if not letters or "".join(parts) != letters:
        raise ValueError(f"phone {phone!r} is not in the table of phones")
    return tuple(_LETTERS[part] for part in parts)


def _shared(visemes: Sequence[str]) -> Shape:
    widest = max(range(len(visemes)), key=lambda place: _OPENNESS.get(visemes[place], 0))
    whole = len(visemes) + (len(visemes) > 1)
    return tuple(
        (viseme, (2 if place == widest and len(visemes) > 1 else 1) / whole)
        for place, viseme in enumerate(visemes)
    )


@dataclass(frozen=True, slots=True)
class PlacedViseme:
    """A viseme and when the mouth is in it."""

    viseme: str
    start: float
    end: float
    span: Span
    """The characters that are said in it; empty in a pause."""


class VisemeTrack:
    """Visemes next to each other from time 0 on, of phones that come one after another.

    Equal ones in a row are one, so the last is held until another follows.
    """

    def __init__(self) -> None:
        self._held: PlacedViseme | None = None
        self._end = 0.0

    def feed(self, shape: Shape, start: float, end: float, span: Span) -> list[PlacedViseme]:
        """The next phone -> what is settled by it.  Between phones the mouth is at rest."""
        found = self._add("sil", start, Span(span.start, span.start))
        length = end - self._end
        edge = self._end
        done = 0.0
        for viseme, share in shape:
            done += share
            found += self._add(viseme, min(edge + length * done, end), span)
        return found

    def end(self, end: float) -> list[PlacedViseme]:
        """The audio ends -> the rest, at rest up to the end."""
        span = self._held.span if self._held else Span(0, 0)
        found = self._add("sil", end, Span(span.end, span.end))
        last, self._held = self._held, None
        return found + [last] if last else found

    def _add(self, viseme: str, end: float, span: Span) -> list[PlacedViseme]:
        if end <= self._end:
            return []
        held = self._held
        start, self._end = self._end, end
        if held and held.viseme == viseme:
            last = held.span.end if viseme == "sil" else max(held.span.end, span.end)
            self._held = PlacedViseme(viseme, held.start, end, Span(held.span.start, last))
            return []
        self._held = PlacedViseme(viseme, start, end, span)
        return [held] if held else []
