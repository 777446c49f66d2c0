"""Accent phrases and accents of Japanese words, by the rules of Open JTalk 1.11.

In: words as Open JTalk's front end gives them, and the morphemes they were made of.  Out: the same
words with `chain_flag` (1: joins the phrase of the word before) and, at the first word of each
phrase, `acc`, its mora before the fall.  pyopenjtalk-plus has accent rules of its own, which its
own dictionary wants; the models were trained with these.  Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Word = Mapping[str, Any]

_NOUN, _VERB, _ADJECTIVE, _MARK = "名詞", "動詞", "形容詞", "記号"
_ALONE = ("副詞", "接続詞", "連体詞")
_SUFFIXES = ("助動詞", "助詞")
_ADJECTIVAL = "形容動詞語幹"
_NUMERAL, _COUNTER, _ADVERBIAL = "数", "助数詞", "副詞可能"
_UNITS = frozenset("〇一二三四五六七八九")
_COUNTED = frozenset("一二三四五六七八九何幾数")
_POWERS = frozenset("十百千万億兆京垓")
_PLAIN_ACCENT = {"十": 1, "百": 2, "千": 1, "万": 1, "億": 1, "兆": 1}
# Accents of numerals in the forms they take before some counters.
_FORMS = {
    **dict.fromkeys(("イッ", "ヨッ", "ロッ", "シチ", "ハッ", "ジュッ", "ヒャッ"), 1),
    **dict.fromkeys(("ヨ", "シ", "ク", "ヒト", "フタ"), 0),
}
_FULL_WIDTH = str.maketrans("０１２３４５６７８９", "〇一二三四五六七八九")


def accented(words: Sequence[Word], morphemes: Sequence[str]) -> list[dict[str, Any]]:
    """The words with phrases and accents; `morphemes` are MeCab's feature strings."""
    found = [dict(word) for word in words]
    for word in found:
        if word["pos_group1"] == _NUMERAL:
            word["string"] = word["string"].translate(_FULL_WIDTH)
    flags = _from_dictionary(found, morphemes)
    _set_numeral_flags(found, flags)
    for index in range(1, len(found)):
        if flags[index] is None:
            flags[index] = _joins(found[index - 1], found[index])
    for word, flag in zip(found, flags, strict=True):
        word["chain_flag"] = -1 if flag is None else int(flag)
    _set_accents(found)
    return found


def _from_dictionary(
    words: Sequence[dict[str, Any]], morphemes: Sequence[str]
) -> list[bool | None]:
    """Put back the accents and rules of the dictionary, which the front end has changed.

    Out: False for each word that an entry of several words sets apart, else None.
    """
    known = [entry for morpheme in morphemes for entry in _entries(morpheme)]
    flags: list[bool | None] = [None] * len(words)
    start = 0
    for index, word in enumerate(words):
        surface = word["string"]
        if word["pos_group1"] == _NUMERAL and surface in _PLAIN_ACCENT:
            if surface not in (entry.surface for entry in known[start : start + 1]):
                word["acc"], word["chain_rule"] = _PLAIN_ACCENT[surface], "*"
                continue
        for offset, entry in enumerate(known[start:], start=1):
            if entry.surface == surface:
                if entry.accent.isdigit():
                    word["acc"] = int(entry.accent)
                if word["pos_group1"] == _NUMERAL:
                    word["acc"] = _FORMS.get(word["pron"], word["acc"])
                word["chain_rule"] = entry.rule
                flags[index] = False if entry.apart else None
                start += offset
                break
    return flags


class _Entry(NamedTuple):
    surface: str
    accent: str
    rule: str
    apart: bool


def _entries(morpheme: str) -> list[_Entry]:
    """The words of a feature string; an entry of several has colons in its fields."""
    fields = morpheme.split(",")
    if len(fields) < 12:
        return []
    accents = [accent.partition("/")[0] for accent in fields[10].split(":")]
    if len(accents) > 1:
        parts = zip(fields[7].split(":"), accents, strict=False)
        return [_Entry(name, accent, "*", n > 0) for n, (name, accent) in enumerate(parts)]
    surface = fields[0].translate(_FULL_WIDTH) if fields[2] == _NUMERAL else fields[0]
    return [_Entry(surface, accents[0], fields[11], False)]


def _set_numeral_flags(words: Sequence[dict[str, Any]], flags: list[bool | None]) -> None:
    """Phrases of numbers: where a word joins and where it begins one."""
    run = 0
    for index, word in enumerate(words):
        digit = word["pos_group1"] == _NUMERAL and word["string"] in _UNITS
        if not digit:
            run = 0
            continue
        after = words[index + 1] if index + 1 < len(words) else None
        in_row = after and after["pos_group1"] == _NUMERAL and after["string"] in _UNITS
        if run or in_row:  # read digit by digit, in pairs
            word["chain_rule"] = "*"
            flags[index] = run % 2 == 1
            if flags[index]:
                words[index - 1]["acc"] = 3
            run += 1
    for index in range(1, len(words)):
        before, word = words[index - 1], words[index]
        if before["pos_group1"] != _NUMERAL:
            continue
        if word["pos_group2"] == _COUNTER or word["pos_group1"] == _ADVERBIAL:
            flags[index - 1], flags[index] = False, True
    for index in range(1, len(words)):
        before, word = words[index - 1], words[index]
        if before["pos_group1"] != _NUMERAL or word["pos_group1"] != _NUMERAL:
            continue
        if before["string"] in _COUNTED and word["string"] in _POWERS:
            flags[index - 1], flags[index] = False, True
        elif before["string"] in _POWERS and word["string"] in _COUNTED:
            flags[index] = False


def _joins(before: Word, word: Word) -> bool:
    """Whether a word belongs to the phrase of the one before: of all rules the last decides."""
    left, right = before["pos"], word["pos"]
    kind = word["pos_group1"]
    joins = True
    if left == _ADJECTIVE and right == _NOUN:
        joins = False
    if left == right == _NOUN and before["pos_group1"] == _ADJECTIVAL:
        joins = False
    if left == _VERB and right in (_ADJECTIVE, _NOUN):
        joins = False
    if left in _ALONE or right in _ALONE:
        joins = False
    if _ADVERBIAL in (
        before["pos_group1"] if left == _NOUN else "",
        kind if right == _NOUN else "",
    ):
        joins = False
    if right in _SUFFIXES:
        joins = True
    elif left in _SUFFIXES:
        joins = False
    if before["pos_group1"] == "接尾" and right == _NOUN:
        joins = False
    if kind == "非自立":
        joins = joins or _auxiliary_joins(before, word)
    if left == _NOUN and (right in (_VERB, _ADJECTIVE) or kind == _ADJECTIVAL):
        joins = False
    if _MARK in (left, right) or right == "接頭詞":
        joins = False
    if before["pos_group3"] == "姓" and right == _NOUN:
        joins = False
    if left == _NOUN and word["pos_group3"] == "名":
        joins = False
    return joins or kind == "接尾"


def _auxiliary_joins(before: Word, word: Word) -> bool:
    left, right = before["pos"], word["pos"]
    continues = before["cform"].startswith("連用")
    if left == _VERB and right in (_VERB, _ADJECTIVE):
        return bool(continues)
    if right == _ADJECTIVE:
        te = before["pos_group1"] == "接続助詞" and before["string"] in ("て", "で")
        return bool(te if left == "助詞" else left == _ADJECTIVE and continues)
    return right == _VERB and left == _NOUN and bool(before["pos_group1"] == "サ変接続")


def _set_accents(words: Sequence[dict[str, Any]]) -> None:
    top: dict[str, Any] = {}
    moras = 0
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        after = words[index + 1] if index + 1 < len(words) else None
        if before is None or word["chain_flag"] != 1:
            top, moras = word, 0
        else:
            rule, added = _rule(word["chain_rule"], before["pos"])
            top["acc"] = _accent(rule, top["acc"], moras, word["acc"], added)
            if before["pos_group1"] == word["pos_group1"] == _NUMERAL:
                _power_accent(before, word, after)
        if (
            word["string"] == "十"
            and word["chain_flag"] != 1
            and after
            and after["pos_group1"] == _NUMERAL
        ):
            word["acc"] = 0
        moras += word["mora_size"]


def _rule(rules: str, before: str) -> tuple[str, int]:
    """The rule of a word for what stands before it, and its number: "動詞%F2@1/名詞%F1"."""
    for rule in (rules or "*").split("/"):
        condition, _, name = rule.rpartition("%")
        if not condition or condition in before:
            name, _, added = name.partition("@")
            return name, int(added or 0)
    return "*", 0


def _accent(rule: str, accent: int, moras: int, own: int, added: int) -> int:
    """The accent of a phrase of so many moras when a word with its own accent joins it."""
    if rule == "F2":
        return moras + added if accent == 0 else accent
    if rule == "F3":
        return moras + added if accent != 0 else accent
    if rule == "P1":
        return moras + own if own else 0
    if rule == "P2":
        return moras + (own or 1)
    if rule == "P14":
        return moras + own if own else accent
    return {
        "F4": moras + added,
        "F5": 0,
        "C1": moras + own,
        "C2": moras + 1,
        "C3": moras,
        "C4": 0,
        "P6": 0,
    }.get(rule, accent)


def _power_accent(digit: dict[str, Any], power: Word, after: Word | None) -> None:
    """The accent of "three hundred" and the like."""
    name = digit["string"]
    if power["string"] == "十":
        digit["acc"] = 1
        if name in "五六八" and after and after["string"] in _UNITS - {"〇"}:
            digit["acc"] = 0
    elif power["string"] == "百":
        if name == "七":
            digit["acc"] = 2
        elif name in "三四九何":
            digit["acc"] = 1
        else:
            digit["acc"] = digit["mora_size"] + power["mora_size"]
    elif power["string"] in ("千", "万"):
        digit["acc"] = digit["mora_size"] + 1
    elif power["string"] == "億":
        digit["acc"] = 2 if name in "一六七八幾" else 1
    elif power["string"] == "兆":
        digit["acc"] = 2 if name in "六七" else 1
