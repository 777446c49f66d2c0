"""A guess at the word class of words, good enough to choose between two readings of a word.

In: words and marks in order.  Out: a Penn Treebank tag each ("VB", "VBD", "NN", "JJ").  It looks
at the word before and nothing else, which settles "to record" against "a record"; a trained tagger
(`tts.text.en.tagger`) is better where its weights are at hand.  Pure.
"""

from collections.abc import Sequence

_BEFORE_VERB = frozenset(
    "to will would can could shall should may might must do does did don't doesn't didn't won't "
    "can't cannot couldn't wouldn't shouldn't please let's let i'll you'll we'll they'll he'll "
    "she'll it'll i'd you'd we'd they'd not never always and or then".split()
)
_BEFORE_PRESENT = frozenset("i you we they who people".split())
_BEFORE_PARTICIPLE = frozenset(
    "have has had having i've you've we've they've am is are was were be been being it's he's "
    "she's get got".split()
)
_BEFORE_ADJECTIVE = frozenset("very too so as how quite more most really rather".split())
_BEFORE_PAST = frozenset("he she it yesterday".split())


def tags(words: Sequence[str]) -> list[str]:
    """A tag for each word."""
    return [_tag(words[index - 1].lower() if index else ".") for index in range(len(words))]


def _tag(before: str) -> str:
    if before in _BEFORE_VERB or not any(char.isalpha() for char in before):
        return "VB"
    if before in _BEFORE_PRESENT:
        return "VBP"
    if before in _BEFORE_PARTICIPLE:
        return "VBN"
    if before in _BEFORE_PAST:
        return "VBD"
    return "JJ" if before in _BEFORE_ADJECTIVE else "NN"
