"""Chinese words and their classes, by jieba's dictionary.

In: characters and marks.  Out: words in order with jieba's part-of-speech flags.  The dictionary
is read from the package and not from a cache that others can write.  Loading takes a second and
about 100 MB; after that any thread.
"""

import logging
import re
from functools import cache
from typing import Any

from tts.carriers import missing

try:
    import jieba
    from jieba import posseg
    from jieba.finalseg import emit_P
except ImportError as error:
    raise missing("jieba", needed_for="Chinese speech") from error

_HAN = re.compile("[\u4e00-\u9fd5]")


def tagged(text: str) -> list[tuple[str, str]]:
    """Words and their flags ("v", "n", "m", ...)."""
    return [(pair.word, pair.flag) for pair in _tagger().cut(text)]


def halves(word: str) -> tuple[str, str]:
    """A word in two: its shortest part in the dictionary, at its start or else at its end.

    The second is empty for a word that is one part.
    """
    shortest = min(_parts(word), key=len)
    if word.startswith(shortest):
        return shortest, word[len(shortest) :]
    return word[: -len(shortest)], shortest


def _parts(word: str) -> list[str]:
    """The words in a word.

    Characters that no word of the dictionary joins are one word where jieba's model has never seen
    one of them: so does jieba_fast, with which the models' texts were cut.
    """
    cutter = _cutter()
    if word.isascii() or not any(map(_unseen, word)):
        return list(cutter.cut_for_search(word))
    found: list[str] = []
    single: list[str] = []
    for part in [*cutter.cut(word, HMM=False), ""]:
        if _HAN.fullmatch(part):
            single.append(part)
            continue
        loose = "".join(single)
        if len(loose) > 1 and any(map(_unseen, loose)):
            found += [
                two
                for two in map("".join, zip(loose, loose[1:], strict=False))
                if len(loose) > 2 and cutter.FREQ.get(two)
            ]
            found.append(loose)
        elif loose:
            found += cutter.cut_for_search(loose)
        single = []
        if part:
            found += cutter.cut_for_search(part)
    return found


def _unseen(char: str) -> bool:
    return bool(_HAN.fullmatch(char)) and not any(char in seen for seen in emit_P.values())


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
