"""Which of a voice's languages a text is in, for callers that do not say.

In: a text, and the languages to choose from.  Out: one of them.  Only scripts are looked at: it
tells Chinese, Japanese, Korean and what is written in Latin letters apart, and of the last only
what the voice leaves to choose.  Pure; any thread.
"""

import re
from collections.abc import Sequence

_KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\uff66-\uff9d]")
_HAN = re.compile(r"[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
# A word counts as much as a character of the scripts above, of which one or two make a word.
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
# Characters that written Cantonese cannot do without and standard Chinese does not use.
_CANTONESE = re.compile(r"[嘅咗喺冇唔佢哋嘢啲嚟咁咩嗰睇瞓嗌]")
_LEAST_KANA_SHARE = 0.1
"""Of Japanese at least this is kana; Chinese may quote some."""

_NOT_LATIN = ("zh", "yue", "ja", "ko")


def guess(text: str, languages: Sequence[str]) -> str:
    """One of `languages`, the first where the text tells nothing.  There must be one."""
    kana, han, hangul, latin = (
        len(script.findall(text)) for script in (_KANA, _HAN, _HANGUL, _LATIN)
    )
    if not kana + han + hangul + latin:
        return languages[0]
    if hangul > max(kana + han, latin):
        wanted: tuple[str, ...] = ("ko",)
    elif kana + han >= latin:
        wanted = _of_han(text, kana, han)
    else:
        # Names and terms in Latin letters are read by every voice; "en" before others.
        wanted = ("en", *(one for one in languages if one not in _NOT_LATIN))
    return next((one for one in wanted if one in languages), languages[0])


def _of_han(text: str, kana: int, han: int) -> tuple[str, ...]:
    if kana >= _LEAST_KANA_SHARE * (kana + han):
        return ("ja", "zh", "yue")
    if _CANTONESE.search(text):
        return ("yue", "zh", "ja")
    return ("zh", "yue", "ja")
