"""How tones change in running Chinese speech.

In: words with their flags, and the finals of a word's syllables, each ending in its tone ("ao3").
Out: words joined where a change reaches across two of them, and the finals as they are said: third
tones in a row, "yi" and "bu" before their neighbours, and syllables that lose their tone.  Needs
jieba's dictionary and the word list of `misaki`.  Pure once loaded, any thread.
"""

from collections.abc import Sequence
from functools import cache

from pypinyin import Style, lazy_pinyin

from tts.carriers import missing
from tts.text.zh.words import halves

Word = tuple[str, str]

_NEUTRAL, _SECOND, _THIRD, _FOURTH = "5", "2", "3", "4"
_MARKS = "：，；。？！“”‘’':,;.?!"
_PARTICLES = "吧呢哈啊呐噻嘛吖嗨呐哦哒额滴哩哟喽啰耶喔诶"
_DIRECTIONS = "上下进出回过起开"
_BEFORE_MEASURE = "几有两半多各整每做是"


# --- words joined -----------------------------------------------------------------------------


def joined(words: Sequence[Word]) -> list[Word]:
    """Words put together that change each other's tones."""
    found = _with_bu(words)
    found = _with_yi(_around_yi(found))
    found = _doubled(found)
    found = _third_tones(found, whole_words=True)
    found = _third_tones(found, whole_words=False)
    return _with_er(found)


def _with_bu(words: Sequence[Word]) -> list[Word]:
    """不 and the word after it."""
    found: list[Word] = []
    before = ""
    for word, flag in words:
        if before == "不":
            word = before + word
        if word != "不":
            found.append((word, flag))
        before = word
    return [*found, ("不", "d")] if before == "不" else found


def _around_yi(words: Sequence[Word]) -> list[Word]:
    """听 一 听."""
    found: list[Word] = []
    index = 0
    while index < len(words):
        word, flag = words[index]
        after = words[index + 1] if index + 1 < len(words) else None
        if word == "一" and found and after and found[-1] == after and after[1] == "v":
            found[-1] = (f"{after[0]}一{after[0]}", "v")
            index += 2
        else:
            found.append((word, flag))
            index += 1
    return found


def _with_yi(words: Sequence[Word]) -> list[Word]:
    """一 and the word after it."""
    found: list[Word] = []
    for word, flag in words:
        if found and found[-1][0] == "一":
            found[-1] = ("一" + word, found[-1][1])
        else:
            found.append((word, flag))
    return found


def _doubled(words: Sequence[Word]) -> list[Word]:
    found: list[Word] = []
    for word, flag in words:
        if found and found[-1][0] == word:
            found[-1] = (word + word, found[-1][1])
        else:
            found.append((word, flag))
    return found


def _third_tones(words: Sequence[Word], *, whole_words: bool) -> list[Word]:
    """Two short words of third tones: all of them, or the two syllables that meet."""
    finals = [
        lazy_pinyin(word, style=Style.FINALS_TONE3, neutral_tone_with_five=True)
        for word, _ in words
    ]
    found: list[Word] = []
    joined_before = False
    for index, (word, flag) in enumerate(words):
        before = words[index - 1][0] if index else ""
        meet = False
        if index and not joined_before:
            left, right = finals[index - 1], finals[index]
            meet = _all_third(left if whole_words else left[-1:]) and _all_third(
                right if whole_words else right[:1]
            )
        joined_before = (
            meet
            and not (len(before) == 2 and before[0] == before[1])
            and len(before) + len(word) <= 3
        )
        if joined_before:
            found[-1] = (found[-1][0] + word, found[-1][1])
        else:
            found.append((word, flag))
    return found


def _with_er(words: Sequence[Word]) -> list[Word]:
    found: list[Word] = []
    for word, flag in words:
        if word == "儿" and found and found[-1][0] != "#":
            found[-1] = (found[-1][0] + word, found[-1][1])
        else:
            found.append((word, flag))
    return found


# --- tones of a word --------------------------------------------------------------------------


def spoken(word: str, flag: str, finals: Sequence[str]) -> list[str]:
    """The finals of a word as they are said.

    Words and finals of different lengths (marks, foreign signs) come back unchanged.
    """
    if len(word) != len(finals) or not all(finals):
        return list(finals)
    said = _bu(word, list(finals))
    said = _yi(word, said)
    said = _neutral(word, flag, said)
    return _third(word, said)


def _bu(word: str, finals: list[str]) -> list[str]:
    if len(word) == 3 and word[1] == "不":
        return _toned(finals, 1, _NEUTRAL)
    for index, char in enumerate(word[:-1]):
        if char == "不" and finals[index + 1][-1] == _FOURTH:
            finals = _toned(finals, index, _SECOND)
    return finals


def _yi(word: str, finals: list[str]) -> list[str]:
    if "一" not in word or all(char.isnumeric() for char in word):
        return finals
    if len(word) == 3 and word[1] == "一" and word[0] == word[2]:
        return _toned(finals, 1, _NEUTRAL)
    if word.startswith("第一"):
        return _toned(finals, 1, "1")
    for index, char in enumerate(word[:-1]):
        if char == "一" and finals[index + 1][-1] == _FOURTH:
            finals = _toned(finals, index, _SECOND)
        elif char == "一" and word[index + 1] not in _MARKS:
            finals = _toned(finals, index, _FOURTH)
    return finals


def _neutral(word: str, flag: str, finals: list[str]) -> list[str]:
    always, never = _word_lists()
    if flag[:1] in ("n", "v", "a") and word not in never:
        for index in range(1, len(word)):
            if word[index] == word[index - 1]:
                finals = _toned(finals, index, _NEUTRAL)
    measure = word.find("个")
    if _ends_neutral(word, flag):
        finals = _toned(finals, -1, _NEUTRAL)
    elif word == "个" or (
        measure > 0 and (word[measure - 1].isnumeric() or word[measure - 1] in _BEFORE_MEASURE)
    ):
        finals = _toned(finals, measure, _NEUTRAL)
    elif word in always or word[-2:] in always:
        finals = _toned(finals, -1, _NEUTRAL)
    end = 0
    for part in halves(word):
        end += len(part)
        if part and (part in always or part[-2:] in always):
            finals = _toned(finals, end - 1, _NEUTRAL)
    return finals


def _ends_neutral(word: str, flag: str) -> bool:
    last = word[-1]
    if last in _PARTICLES or last in "的地得":
        return True
    if len(word) == 1:
        return last in "了着过" and flag in ("ul", "uz", "ug")
    return (
        (last in "们子" and flag in ("r", "n") and word not in _word_lists()[1])
        or (last in "上下里" and flag in ("s", "l", "f"))
        or (last in "来去" and word[-2] in _DIRECTIONS)
    )


def _third(word: str, finals: list[str]) -> list[str]:
    if len(word) == 2 and _all_third(finals):
        return _toned(finals, 0, _SECOND)
    if len(word) == 3:
        return _third_of_three(len(halves(word)[0]), finals)
    if len(word) == 4:  # an idiom is two words of two
        for start in (0, 2):
            if _all_third(finals[start : start + 2]):
                finals = _toned(finals, start, _SECOND)
    return finals


def _third_of_three(first: int, finals: list[str]) -> list[str]:
    """Tones of three syllables of which the first one, two or all are a word."""
    if _all_third(finals):
        if first == 2:
            finals = _toned(finals, 0, _SECOND)
        return _toned(finals, 1, _SECOND) if first in (1, 2) else finals
    if first == 2 and _all_third(finals[:2]):
        return _toned(finals, 0, _SECOND)
    if first == 1 and _all_third(finals[1:]):
        return _toned(finals, 1, _SECOND)
    if first < 3 and _all_third(finals[first - 1 : first + 1]) and not _all_third(finals[first:]):
        return _toned(finals, first - 1, _SECOND)
    return finals


def _all_third(finals: Sequence[str]) -> bool:
    return all(final[-1:] == _THIRD for final in finals)


def _toned(finals: list[str], index: int, tone: str) -> list[str]:
    changed = list(finals)
    changed[index] = changed[index][:-1] + tone
    return changed


@cache
def _word_lists() -> tuple[frozenset[str], frozenset[str]]:
    """Words that always, and words that never, lose the tone of their last syllable."""
    try:
        from misaki.tone_sandhi import ToneSandhi
    except ImportError as error:
        raise missing("misaki", needed_for="Chinese speech") from error
    lists = ToneSandhi()
    always = set(lists.must_neural_tone_words) - {"戏弄", "别人", "将军"}
    always |= {"学生", "不在", "老头", "打点", "老太", "情形"}
    return frozenset(always), frozenset(lists.must_not_neural_tone_words)
