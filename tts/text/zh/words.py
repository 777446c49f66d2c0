"""Chinese words and their classes, by jieba's dictionary.

In: characters and marks.  Out: words in order with jieba's part-of-speech flags.  The dictionary
is read from the package and not from a cache that others can write.  Loading takes a second and
about 100 MB; after that any thread.
"""

import logging
from functools import cache
from typing import Any

from tts.carriers import missing

try:
    import jieba
    from jieba import posseg
except ImportError as error:
    raise missing("jieba", needed_for="Chinese speech") from error


def tagged(text: str) -> list[tuple[str, str]]:
    """Words and their flags ("v", "n", "m", ...)."""
    return [(pair.word, pair.flag) for pair in _tagger().cut(text)]


def halves(word: str) -> tuple[str, str]:
    """A word in two: its shortest part in the dictionary, at its start or else at its end.

    The second is empty for a word that is one part.
    """
    shortest = min(_cutter().cut_for_search(word), key=len)
    if word.startswith(shortest):
        return shortest, word[len(shortest) :]
    return word[: -len(shortest)], shortest


@cache
def _cutter() -> Any:
    jieba.setLogLevel(logging.WARNING)
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


@cache
def _tagger() -> Any:
    return posseg.POSTokenizer(_cutter())
