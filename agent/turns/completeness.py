"""How likely a turn is over, from its words: a small statistical model, and rules.

In: tokens, and what the rules found in them.  Out: a probability.  It is calibrated for pauses of
which as many lie within turns as at their ends; whoever knows another share moves the log-odds.
English and Chinese have a model (`bench/turns_text.py` trains it; Cantonese borrows the Chinese
one), Japanese and Korean, whose sentences end in few ways, a list of those.  Pure but for the
weights, which load once, in a few milliseconds.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zlib import crc32

import numpy as np

from agent.turns.slots import NO_SLOT, Found
from agent.turns.tokens import Ending

WEIGHTS = "completeness.npz"
BUCKETS = 1 << 16
"""Features are hashed: words that share a bucket share a weight, which costs little accuracy."""

_HOLDING = 0.04
"""Probability that a caller who asks for time has finished."""
_BY_ENDING: dict[Ending, float] = {"": 0.0, ".": 0.0, "?": 0.7, ",": -0.7, "...": -1.2}
"""Log-odds for the recogniser's punctuation: it writes a full stop behind nearly everything, and
three dots or a comma seldom without a reason."""
_SURE = 4.5
"""Log-odds are kept within this: words alone never settle it."""
_PROMPT_ANSWER = 2.5
"""Log-odds of a lone yes or no after a question."""
_REPLY = 1.0
"""Log-odds of such words when nothing was asked: at least this, since most speakers leave it at
them."""
_ANSWER_BONUS = 1.5
"""Log-odds added to short turns after a question: "tomorrow", "two of them"."""
_SHORT = {"en": 4, "zh": 8, "yue": 8, "ja": 12, "ko": 3}

_LENGTHS = (1, 2, 3, 4, 6, 9, 14)
_SUFFIXES = ("ing", "ed", "ly", "tion", "er", "'s", "n't", "'ll", "'ve", "'re", "s", "y")
_CLAUSES = frozenset("and but because if when so that which who or then while unless since".split())


def probability(
    said: Sequence[str],
    language: str,
    *,
    ending: Ending = "",
    holds: bool = False,
    slot: Found = NO_SLOT,
    answers: bool = False,
    reply: bool = False,
) -> float:
    """Probability that a turn of these tokens is over.

    `holds`: it ends in a plea for time; `slot`: what it ends in; `answers`: the agent had asked
    something; `reply`: nothing but "yes", "okay", "thanks".  Takes about 0.03 ms.
    """
    if holds:
        return _HOLDING
    if slot.slot:
        return slot.whole
    score = log_odds(said, language) + _BY_ENDING[ending]
    if answers and len(said) <= _SHORT.get(language, 4):
        score += _ANSWER_BONUS
        if reply or (len(said) <= 3 and said[0] in _ANSWERS):
            score = max(score, _PROMPT_ANSWER)
    elif reply:
        score = max(score, _REPLY)
    return 1 / (1 + math.exp(-max(-_SURE, min(_SURE, score))))


_ANSWERS = frozenset(
    "yes yeah yep yup no nope nah sure okay ok correct exactly right please "
    "对 是 好 行 嗯 可 没 不 系 唔 得 "
    "は い え う ん 네 예 아니요 아뇨 맞아요".split()
)


def log_odds(said: Sequence[str], language: str) -> float:
    """Log-odds that a turn of these tokens is over, from what its words are."""
    if language in ("ja", "ko"):
        return _by_sentence_end("".join(said[-8:]), language)
    table = tables().get("zh" if language == "yue" else language)
    if table is None:
        return 0.0
    weights, scale, slope, offset = table
    total = sum(weights[bucket] for bucket in buckets(said, language))
    return slope * scale * total + offset


def buckets(said: Sequence[str], language: str) -> list[int]:
    """The hashed features of a turn, each once."""
    features = _characters(said) if language in ("zh", "yue") else _words(said)
    return [crc32(feature.encode()) % BUCKETS for feature in features]


def _words(said: Sequence[str]) -> Iterator[str]:
    """The last words as they are and as kinds of words, the first ones, the newest clause."""
    w4, w3, w2, w1 = ["^", "^", "^", *said[-4:]][-4:]
    k3, k2, k1 = _kind(w3), _kind(w2), _kind(w1)
    length = _bucket(len(said))
    yield "bias"
    yield f"n{length}"
    yield f"1 {w1}"
    yield f"2 {w2} {w1}"
    yield f"3 {w3} {w2} {w1}"
    yield f"4 {w4} {w3} {w2} {w1}"
    yield f"s {w3} _ {w1}"
    yield f"p {w2}"
    yield f"k {k1}"
    yield f"kk {k2} {k1}"
    yield f"kkk {k3} {k2} {k1}"
    yield f"wk {w2} {k1}"
    yield f"wwk {w3} {w2} {k1}"
    yield f"nk {length} {k1}"
    yield f"nw {length} {w1}"
    yield f"f {said[0]} {length}"
    yield f"ff {' '.join(said[:2])} {length}"
    yield f"fk {said[0]} {k1}"
    since, opener = _newest_clause(said)
    yield f"c {opener} {_bucket(since)}"
    yield f"ck {opener} {_bucket(since)} {k1}"


def _newest_clause(said: Sequence[str]) -> tuple[int, str]:
    """Words since the last conjunction, and the conjunction."""
    for since in range(1, len(said) + 1):
        if said[-since] in _CLAUSES:
            return since - 1, said[-since]
    return len(said), "^"


def _kind(word: str) -> str:
    """A short word stands for itself; a number and other words for their kind."""
    if word.isdigit():
        return f"#{min(len(word), 4)}"
    if len(word) <= 3:
        return word
    return next((f"-{suffix}" for suffix in _SUFFIXES if word.endswith(suffix)), "word")


def _characters(said: Sequence[str]) -> Iterator[str]:
    """The last characters in strings of one to four, with gaps; the first ones; the length."""
    short = ["0" if token.isdigit() else token for token in said[-6:]]
    end = ["^"] * (6 - len(short)) + short
    length = _bucket(len(said) // 2)
    yield "bias"
    yield f"n{length}"
    for size in range(1, 6):
        yield f"{size} {''.join(end[-size:])}"
    for gap, (earlier, later) in enumerate(pairwise(reversed(end))):
        yield f"p{gap} {later}{earlier}"
    yield f"s {end[-3]}_{end[-1]}"
    yield f"q {end[-2]}"
    yield f"nw {length} {end[-1]}"
    yield f"nww {length} {end[-2]}{end[-1]}"
    yield f"f {said[0]} {length}"
    yield f"ff {''.join(said[:2])} {length}"
    yield f"f1 {''.join(said[:2])} {end[-1]}"
    # 行不行, 有没有: a question by its form.
    yield f"anota {end[-3] == end[-1] and end[-2] in '不没'}"
    yield f"any {'吗' in said} {'什' in said or '几' in said or '哪' in said} {length}"


def _bucket(length: int) -> int:
    return sum(length > bound for bound in _LENGTHS)


@cache
def tables() -> dict[str, tuple[Sequence[int], float, float, float]]:
    """For each language: weights in 8 bits, their unit, and the line that calibrates the sum."""
    with (files("agent.turns") / WEIGHTS).open("rb") as file, np.load(file) as data:
        return {
            language: (data[language].tolist(), *map(float, data[f"{language}_line"]))
            for language in ("en", "zh")
        }


# Japanese and Korean


_FINISHED = {
    "ja": (
        "です ます ました ません でした ください 下さい か ね よ わ はい いいえ ありがとう "
        "お願い お願いします だ ない たい した 以上 大丈夫 いい"
    ).split(),
    "ko": "요 다 까 네 죠 지 니다 세요 예 아니 어 해 야 래".split(),
}
_UNFINISHED = {
    "ja": (
        "は が を に で と の も へ て けど けれど から ので し たら なら ば とか や って それで "
        "んですが あと でも だから のが のは のに"
    ).split(),
    "ko": (
        "은 는 이 가 을 를 에 에서 의 와 과 랑 하고 고 는데 은데 지만 려고 면 서 니까 때문에 "
        "그리고 그런데 그래서 도 로 한테"
    ).split(),
}


def _by_sentence_end(tail: str, language: str) -> float:
    """The longest listed ending decides."""
    finished = max((len(end) for end in _FINISHED[language] if tail.endswith(end)), default=0)
    unfinished = max((len(end) for end in _UNFINISHED[language] if tail.endswith(end)), default=0)
    if finished == unfinished:
        return 0.0
    return 1.5 if finished > unfinished else -2.0
