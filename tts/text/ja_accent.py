"""Accent phrases and accents of Japanese words, by the rules of Open JTalk 1.11.

In: words as Open JTalk's front end gives them with the numbers unread (`unread`), and the morphemes
they were made of.  Out: the words with the numbers read (tts.text.ja_numbers), `chain_flag` (1:
joins the phrase of the word before) and, at the first word of each phrase, `acc`, its mora before
the fall.  pyopenjtalk-plus has accent rules of its own, which its own dictionary wants; the models
were trained with these.  Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tts.text.ja_numbers import NUMERAL, read

Word = Mapping[str, Any]

_NOUN, _VERB, _ADJECTIVE, _MARK = "名詞", "動詞", "形容詞", "記号"
_ALONE = ("副詞", "接続詞", "連体詞")
_SUFFIXES = ("助動詞", "助詞")
_ADJECTIVAL = "形容動詞語幹"
_ADVERBIAL = "副詞可能"
_UNITS = frozenset("〇一二三四五六七八九")
# In the place of the class of numerals, so that the front end reads none.
_UNREAD = "unread"


def unread(morpheme: str) -> str:
    """A feature string whose numeral, if it is one, the front end leaves as it is."""
    fields = morpheme.split(",", 3)
    if len(fields) > 3 and fields[2] == NUMERAL:
        fields[2] = _UNREAD
    return ",".join(fields)


def accented(words: Sequence[Word], morphemes: Sequence[str]) -> list[dict[str, Any]]:
    """The words with numbers, phrases and accents; `morphemes` are MeCab's feature strings."""
    found = read(_restored(words, morphemes))
    for before, word in zip(found, found[1:], strict=False):
        if word["chain_flag"] < 0:
            word["chain_flag"] = int(_joins(before, word))
    _set_accents(found)
    return found


def _restored(words: Sequence[Word], morphemes: Sequence[str]) -> list[dict[str, Any]]:
    """Words with the accents and rules of the dictionary, which the front end has changed.

    `chain_flag` is 0 for each word that an entry of several words sets apart, else -1.
    """
    known = [entry for morpheme in morphemes for entry in _entries(morpheme)]
    found = [dict(word) | {"chain_flag": -1} for word in words]
    start = 0
    for word in found:
        word["pron"] = word["pron"].replace("’", "")
        if word["pos_group1"] == _UNREAD:
            word["pos_group1"] = NUMERAL
        for offset, entry in enumerate(known[start:], start=1):
            if entry.surface == word["string"]:
                if entry.numeral:
                    word["pos_group1"] = NUMERAL
                if entry.accent.isdigit():
                    word["acc"] = int(entry.accent)
                word["chain_rule"] = entry.rule
                word["chain_flag"] = 0 if entry.apart else -1
                start += offset
                break
    return found


class _Entry(NamedTuple):
    surface: str
    accent: str
    rule: str
    apart: bool
    numeral: bool


def _entries(morpheme: str) -> list[_Entry]:
    """The words of a feature string; an entry of several has colons in its fields."""
    fields = morpheme.split(",")
    if len(fields) < 12:
        return []
    numeral = fields[2] == NUMERAL
    accents = [accent.partition("/")[0] for accent in fields[10].split(":")]
    if len(accents) > 1:
        parts = zip(fields[7].split(":"), accents, strict=False)
        return [_Entry(name, accent, "*", n > 0, numeral) for n, (name, accent) in enumerate(parts)]
    return [_Entry(fields[0], accents[0], fields[11], False, numeral)]


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
            if before["pos_group1"] == word["pos_group1"] == NUMERAL:
                _power_accent(before, word, after)
        if (
            word["string"] == "十"
            and word["chain_flag"] != 1
            and after
            and after["pos_group1"] == NUMERAL
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
