"""Whether two transcripts of the same speech want the same answer.

In: two texts and their language.  Out: a bool.  Pure.

Whisper writes the same sound down in different ways from one pause to the next: with another
comma, "5" for "five", "it's" for "it is", with or without an "um", with a "Thank you." that nobody
said.  None of this changes the answer.  A number, a "not" or any other word that differs does:
where it is not sure, two texts do not mean the same, which costs a draft and nothing else.
"""

import re
import unicodedata
from functools import lru_cache

from agent.stt.chinese import simplified
from agent.turns.numerals import english_numbers, han_numbers

LONGEST_REPEAT = 4
"""Words of a false start: "can I can I", "I want to I want to"."""

_HAN = "㐀-鿿"
_WORD = re.compile(rf"[{_HAN}]|[^\W_{_HAN}]+(?:'[^\W_{_HAN}]+)*")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MONEY = re.compile(r"([$£€¥])\s*(\d+(?:\.\d+)?)")
_CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros", "¥": "yuan"}
_SIGNS = (
    (re.compile(r"(?<=\d)\.(?=\d)"), " point "),
    (re.compile(r"(?<=\d)/(?=\d)"), " slash "),
    (re.compile(r"(?<!\S)-(?=\d)"), " minus "),
    (re.compile(r"%"), " percent "),
)

_FILLERS = {
    "en": frozenset("um uh uhm umm er erm ah eh hm hmm mm mmm please".split()),
    "zh": frozenset("嗯呃啊哦噢唉呀嘛"),
    "yue": frozenset("嗯呃啊哦噢唉呀嘛"),
    "ja": frozenset({"えっと", "えーと", "ええと"}),
    "ko": frozenset({"음", "어"}),
}
_OPENING = frozenset("so well oh okay and but".split())
"""Words that say nothing where a turn begins."""
_CLOSING = frozenset({"thanks"})
"""The same where it ends.  Whisper also hears them in silence."""
_ARTICLES = frozenset({"a", "an", "the"})
_NEGATIONS = frozenset("not no nor never none nothing nobody nowhere without".split())
_SPELLINGS = {
    "ok": "okay",
    "yeah": "yes",
    "yep": "yes",
    "cannot": "can not",
    "can't": "can not",
    "won't": "will not",
    "i'm": "i am",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
}
_ENDINGS = (
    ("n't", " not"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'s", " is"),
)
_HAN_SPELLINGS = {"她": "他", "它": "他", "您": "你", "地": "的", "得": "的"}
_STAMMERED = frozenset("我你他这那就是")
"""Chinese characters that people repeat when they begin again; others are words when doubled."""


def same_meaning(a: str, b: str, language: str) -> bool:
    """Whether two transcripts want the same answer."""
    if a == b:
        return True
    ours, theirs = _plain(a, language), _plain(b, language)
    if ours == theirs:
        return True
    # "e mail" and "email", "A B 12" and "AB12".
    joined = "".join(ours) == "".join(theirs)
    return joined and _negations(ours) == _negations(theirs)


def _negations(words: tuple[str, ...]) -> int:
    return sum(word in _NEGATIONS for word in words)


@lru_cache(maxsize=64)
def _plain(text: str, language: str) -> tuple[str, ...]:
    """The words of a text, without what two transcripts of the same speech may differ in."""
    words = _words(simplified(text) if language in ("zh", "yue") else text)
    if language == "en":
        words = english_numbers([part for word in words for part in _spelt_out(word)])
    elif language in ("zh", "yue"):
        words = han_numbers([_HAN_SPELLINGS.get(word, word) for word in words])
    fillers = _FILLERS.get(language, frozenset())
    # An utterance of fillers is one all the same: "hmm" is no silence.
    words = [word for word in words if word not in fillers] or words
    if language == "en":
        words = _without_articles(_without_manners(words))
    return tuple(_without_repeats(words, doubled=_STAMMERED if language in ("zh", "yue") else None))


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    plain = _MONEY.sub(lambda found: f"{found[2]} {_CURRENCIES[found[1]]}", plain)
    plain = _GROUPED.sub("", plain)
    for sign, spoken in _SIGNS:
        plain = sign.sub(spoken, plain)
    return _WORD.findall(plain)


def _spelt_out(word: str) -> list[str]:
    if word in _SPELLINGS:
        return _SPELLINGS[word].split()
    for ending, words in _ENDINGS:
        if word.endswith(ending):
            return (word.removesuffix(ending) + words).split()
    return [word]


def _without_manners(words: list[str]) -> list[str]:
    start, end = 0, len(words)
    while start < end - 1 and words[start] in _OPENING:
        start += 1
    while end > start + 1 and words[end - 1] in _CLOSING:
        end -= 1
    if words[end - 2 : end] == ["thank", "you"] and end - 2 > start:
        end -= 2
    return words[start:end]


def _without_articles(words: list[str]) -> list[str]:
    # Not before a letter: "A B C" is spelt.
    after = [*words, ""][1:]
    kept = [w for w, after in zip(words, after, strict=True) if not _is_article(w, after)]
    return kept or words


def _is_article(word: str, after: str) -> bool:
    return word in _ARTICLES and len(after) > 1


def _without_repeats(words: list[str], *, doubled: frozenset[str] | None) -> list[str]:
    """Words said again at once, up to `LONGEST_REPEAT` of them, are said once; never numbers.

    A single word only if it is in `doubled`; None: any.
    """
    kept: list[str] = []
    for word in words:
        kept.append(word)
        for length in range(LONGEST_REPEAT, 0, -1):
            again = kept[-length:]
            if len(kept) < 2 * length or kept[-2 * length : -length] != again:
                continue
            if any(part[0].isdigit() for part in again):
                continue
            if length == 1 and doubled is not None and word not in doubled:
                continue
            del kept[-length:]
            break
    return kept
