"""From a line with marks to an utterance: hesitations, words with times, holds.

In: a line in the notation of `bench.turns_world.grammar`, a caller, a source of randomness.  Out:
an `Utterance`.  Pure.

How long people hold.  eot-bench (github.com/livekit/eot-bench) counts every silence between 0.2 s
and 5 s inside a turn as a hold and publishes how many of them a plain silence timer cuts: of the
705 in 400 English turns 55.6 % at 0.3 s, 21.7 % at 0.6 s, 10 % at 1.0 s, 5 % at 1.6 s; of the
Chinese 51.2 %, 16.3 %, 10 % at 0.8 s and 5 % at 1.1 s.  These are shares of holds, not of turns:
all its published English rates are multiples of 1/705.  `LONGER_THAN` is that distribution; which
hold gets which length depends on its kind and on the caller.

The English turns hold 705 times in 400, the Chinese about 608 times in 344 (the smallest number of
which all published rates are multiples).  As often do these callers.

Where people hold.  Two thirds of the pauses and three quarters of the pause time of spontaneous
stories lie between clauses (Hawkins 1971, Language and Speech 14); readers pause for 0.65 s at
clause ends and 0.47 s inside (a corpus study of 80 English speakers).  Not every such place could
be the end of a turn: the best detector in eot-bench hears 95 % of the ends 0.2 s after them, and
takes no more than 6.5 % of the holds for one.  Here every third hold is where the words could stand
alone, and these are longer than those in the middle of a phrase.
"""

import math
import random
import re
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from bench.turns_world.grammar import MARKS, Grammar
from bench.turns_world.scripts import (
    Caller,
    Half,
    Hold,
    HoldKind,
    Language,
    TurnKind,
    Utterance,
    Word,
)

SHORTEST_HOLD_S = 0.1
LONGER_THAN: Mapping[Language, tuple[tuple[float, float], ...]] = {
    "en": (
        (0.1, 1.0),
        (0.2, 0.60),
        (0.3, 0.60 * 0.556),
        (0.6, 0.60 * 0.217),
        (1.0, 0.60 * 0.0985),
        (1.6, 0.60 * 0.049),
        (2.0, 0.60 * 0.035),
        (3.0, 0.60 * 0.016),
        (5.0, 0.0),
    ),
    "zh": (
        (0.1, 1.0),
        (0.2, 0.60),
        (0.3, 0.60 * 0.53),
        (0.6, 0.60 * 0.185),
        (0.8, 0.60 * 0.105),
        (1.1, 0.60 * 0.049),
        (2.0, 0.60 * 0.015),
        (5.0, 0.0),
    ),
}
"""Length of a hold (s) and share of the holds of 0.1 s and more that are longer."""

_HOLDS_AT: Mapping[str, float] = {
    "|": 0.72,
    ";": 0.24,
    "/": 0.57,
    "&": 0.62,
    "~": 0.85,
    "-": 0.70,
    "=": 0.50,
    "%": 0.55,
    "@": 1.0,
}
"""How often a caller of usual hesitancy holds at a mark."""
_HOLDS_ANYWHERE = 0.10
_LENGTH_OF: Mapping[HoldKind, float] = {
    "mid-phrase": -0.3,
    "filled": 0.25,
    "conjunction": -0.1,
    "clause": 0.2,
    "slot": 0.0,
    "false start": -0.4,
    "asks for time": 1.0,
}
"""Longer or shorter than usual, in units of the spread of all holds."""
_MEAN: Mapping[Language, float] = {"en": 0.07, "zh": 0.0}
"""Takes out the mean of kinds and callers, so that all holds together are as `LONGER_THAN` says."""
_HABIT = 0.85
"""Weight of a doubling of `pause_scale`, in the same units."""
_SPREAD = 0.84
"""Of holds of one kind and one caller, in the same units."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Turns lines into utterances of one caller."""

    grammar: Grammar
    half: Half
    caller: Caller

    def speak(self, rng: random.Random, id: str, kind: TurnKind, line: str) -> Utterance:
        """Say a line: fill its slots, hesitate, time its words and holds."""
        tokens = self._hesitate(rng, self.expand(rng, line).split(), kind)
        words, holds = self._time(rng, tokens)
        return Utterance(
            id=id,
            language=self.grammar.language,
            kind=kind,
            words=words,
            holds=holds,
            looks_complete=kind != "trailing off",
        )

    def expand(self, rng: random.Random, line: str) -> str:
        """Fill the slots of a line.  Raises KeyError for a slot that the half does not have."""

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            made = self.grammar.fills.get(name)
            if made:
                return made(rng, self.half)
            return rng.choice(self.grammar.words[self.half][name])

        return re.sub(r"\{(\w+)\}", fill, line)

    def _hesitate(self, rng: random.Random, tokens: list[str], kind: TurnKind) -> list[str]:
        """Filled pauses, words said twice, given-up starts that no line has in it."""
        often = self.caller.hesitancy * (0.4 if kind == "short answer" else 1.0)
        spoken: list[str] = []
        if rng.random() < 0.08 * often and tokens[0] not in self.grammar.fillers:
            spoken += [rng.choice(self.grammar.fillers), "~"]
        for token in tokens:
            if token in MARKS:
                if token == "|" and rng.random() < 0.12 * often:
                    spoken += [rng.choice(self.grammar.fillers), "~"]
                    continue
            elif token in self.grammar.repeatable and rng.random() < 0.03 * often:
                spoken += [token, "%"]
            spoken.append(token)
        return spoken

    def _time(
        self, rng: random.Random, tokens: list[str]
    ) -> tuple[tuple[Word, ...], tuple[Hold, ...]]:
        words: list[Word] = []
        holds: list[Hold] = []
        now_s = 0.0
        for index, token in enumerate(tokens):
            if token in MARKS:
                kind, complete = MARKS[token]
                chance = _HOLDS_AT[token] * self.caller.hesitancy
            else:
                duration_s = _word_s(token, self.grammar.language) / self.caller.rate
                duration_s *= math.exp(rng.gauss(0, 0.15))
                if index + 1 == len(tokens) or tokens[index + 1] in MARKS:
                    duration_s *= 1.2  # the last word before a boundary is drawn out
                words.append(Word(token, round(now_s, 3), round(now_s + duration_s, 3)))
                now_s = words[-1].end_s
                kind, complete, chance = "mid-phrase", False, _HOLDS_ANYWHERE
                chance *= self.caller.hesitancy
            last = index + 1 == len(tokens)
            marked_next = not last and tokens[index + 1] in MARKS
            if last or marked_next or not words or rng.random() >= chance:
                continue
            length_s = self._hold_s(rng, kind)
            end_s = round(now_s + length_s, 3)
            holds.append(Hold(len(words) - 1, now_s, end_s, kind, complete))
            now_s = end_s
        return tuple(words), tuple(holds)

    def _hold_s(self, rng: random.Random, kind: HoldKind) -> float:
        habit = _HABIT * math.log2(self.caller.pause_scale)
        score = _LENGTH_OF[kind] + habit + rng.gauss(_MEAN[self.grammar.language], _SPREAD)
        return _length_s(1 - NormalDist().cdf(score), self.grammar.language)


def _length_s(share_longer: float, language: Language) -> float:
    """The length that this share of holds exceeds; between knots a power law."""
    knots = LONGER_THAN[language]
    share = max(share_longer, 1e-4)
    # Knots fall in share: look from the end.
    index = len(knots) - bisect([s for _, s in reversed(knots)], share)
    index = min(max(index, 1), len(knots) - 1)
    (short_s, many), (long_s, few) = knots[index - 1], knots[index]
    few = max(few, 1e-4)
    part = (math.log(many) - math.log(share)) / (math.log(many) - math.log(few))
    return math.exp(math.log(short_s) + part * (math.log(long_s) - math.log(short_s)))


def _word_s(word: str, language: Language) -> float:
    """Usual length of a word: by syllables, of Chinese by characters."""
    if language == "zh" and not word.isascii():
        return 0.06 + 0.17 * len(word)
    if len(word) == 1:
        return 0.28
    syllables = max(1, len(re.findall(r"[aeiouy]+", word.lower().removesuffix("e"))))
    return 0.08 + 0.145 * syllables
