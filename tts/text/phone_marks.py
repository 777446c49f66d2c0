"""Marks of a request whose phones are placed in its audio one after another.

In: the clauses' phones with their written words, then when each phone is heard, as that becomes
known.  Out: `Mark`s of words and, where they are wanted, of phones and visemes.  Knows nothing of
models, attention or trimming.  Pure; one instance serves one request.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from tts.text.phone_words import WordPhones
from tts.text.spans import Span
from tts.text.visemes import PlacedViseme, Shape, VisemeTrack, shapes
from tts.types import Mark, MarkKind


@dataclass(frozen=True, slots=True)
class _Phone:
    name: str
    shape: Shape
    span: Span
    """Its word; empty for a phone of none."""


class PhoneMarks:
    """The state of one request; places are samples of its audio, from its first one on."""

    def __init__(self, wanted: Collection[str] = (), *, sample_rate_hz: int) -> None:
        """`wanted` are kinds of marks besides words, which always come."""
        self._wants_phones = "phone" in wanted
        self._wants_visemes = "viseme" in wanted
        self._rate_hz = sample_rate_hz
        self._phones: list[_Phone] = []
        self._words: list[WordPhones] = []
        self._told_words = 0
        self._heard: list[tuple[float, float]] = []
        self._track = VisemeTrack()

    @property
    def phones(self) -> int:
        """How many phones there are, heard or not."""
        return len(self._phones)

    def extend(self, phones: Sequence[str], words: Sequence[WordPhones]) -> None:
        """The next clause: its phones, and its written words' places among them."""
        first = len(self._phones)
        owners = _owners(len(phones), words)
        self._phones += map(_Phone, phones, shapes(phones), owners)
        self._words += [replace(w, start=first + w.start, end=first + w.end) for w in words]

    def feed(self, heard: Iterable[tuple[float, float]]) -> tuple[Mark, ...]:
        """When the next phones are heard, first sample and one past the last -> marks now known.

        Each mark is given once, those of a kind in order of time.  A time before the end of the
        phone before is moved there.
        """
        marks: list[Mark] = []
        for start, end in heard:
            before = self._heard[-1][1] if self._heard else 0.0
            start = max(start, before)
            end = max(end, start)
            phone = self._phones[len(self._heard)]
            self._heard.append((start, end))
            if self._wants_phones:
                marks.append(self._mark("phone", phone.span, start, end, label=phone.name))
            if self._wants_visemes:
                marks += map(self._viseme, self._track.feed(phone.shape, start, end, phone.span))
        return _in_time(self._known_words() + marks)

    def end(self, samples: int) -> tuple[Mark, ...]:
        """The audio ends after so many samples -> all that is left.

        What was to be said by phones that were never heard is marked at the end, as estimated.
        """
        marks: list[Mark] = []
        heard = len(self._heard)
        for phone in self._phones[heard:] if self._wants_phones else ():
            marks.append(
                self._mark("phone", phone.span, samples, samples, label=phone.name, estimated=True)
            )
        self._heard += [(samples, samples)] * (len(self._phones) - heard)
        unheard = [replace(word, exact=word.exact and word.end <= heard) for word in self._words]
        self._words = unheard
        if self._wants_visemes:
            marks += map(self._viseme, self._track.end(samples))
        return _in_time(self._known_words() + marks)

    def _known_words(self) -> list[Mark]:
        marks = []
        while self._told_words < len(self._words):
            word = self._words[self._told_words]
            if ceil(word.end) > len(self._heard):
                break
            start, end = self._at(word.start, begins=True), self._at(word.end, begins=False)
            marks.append(
                self._mark("word", word.span, start, max(start, end), estimated=not word.exact)
            )
            self._told_words += 1
        return marks

    def _at(self, place: float, *, begins: bool) -> float:
        """The sample of a place among the phones; a whole number is where one `begins`, or else
        where the one before it ends."""
        index = int(place)
        if place == index and not begins:
            return self._heard[index - 1][1] if index else 0.0
        if index == len(self._heard):
            return self._heard[-1][1] if index else 0.0
        start, end = self._heard[index]
        return start + (end - start) * (place - index)

    def _viseme(self, placed: PlacedViseme) -> Mark:
        return self._mark("viseme", placed.span, placed.start, placed.end, label=placed.viseme)

    def _mark(
        self,
        kind: MarkKind,
        span: Span,
        start: float,
        end: float,
        *,
        label: str = "",
        estimated: bool = False,
    ) -> Mark:
        return Mark(
            text_start=span.start,
            text_end=span.end,
            start_s=start / self._rate_hz,
            end_s=end / self._rate_hz,
            kind=kind,
            estimated=estimated,
            label=label,
        )


def _owners(phones: int, words: Sequence[WordPhones]) -> list[Span]:
    """The word that each phone belongs to, by the phone's middle; or the empty span after the
    last word, or before the first."""
    owners: list[Span] = []
    rest = list(words)
    here = words[0].span.start if words else 0
    for place in range(phones):
        while rest and rest[0].end <= place + 0.5:
            here = rest.pop(0).span.end
        inside = rest and rest[0].start <= place + 0.5
        owners.append(rest[0].span if inside else Span(here, here))
    return owners


def _in_time(marks: list[Mark]) -> tuple[Mark, ...]:
    return tuple(sorted(marks, key=lambda mark: mark.start_s))
