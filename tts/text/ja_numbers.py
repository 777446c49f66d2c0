"""Japanese numerals and what they count, as Open JTalk 1.11 reads them.

In: words as Open JTalk's front end gives them before it reads numbers, digit by digit.  Out: words
with the powers of ten said ("三百五"), or the digits one by one where they are no quantity (after a
point or the word for "number", or with a zero in front); with the sounds that numerals and counters
take next to each other ("はっか月"); and with the old names of days and of one and two persons.  A
`chain_flag` other than -1 (1: joins the phrase of the word before, 0: begins one) is settled.
pyopenjtalk-plus has rules of its own, which its own dictionary wants; the models were trained with
these.  Pure.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

Word = dict[str, Any]

NUMERAL = "数"
_NOUN, _MARK, _COUNTER, _ADVERBIAL, _PREFIX = "名詞", "記号", "助数詞", "副詞可能", "数接続"
_POINTS = ("．", "・")
_ZEROS = ("〇", "０")
_VALUES = {
    **dict(zip("〇一二三四五六七八九", range(10), strict=True)),
    **dict(zip("０１２３４５６７８９", range(10), strict=True)),
    **dict(zip("○壱弐貳ニ参", (0, 1, 2, 2, 2, 3), strict=True)),
    **dict(zip("いち に さん よん ご ろく なな はち きゅう".split(), range(1, 10), strict=True)),
    **{"し": 4, "しち": 7, "く": 9},
}
_DIGITS = "〇一二三四五六七八九"
_COUNTED = frozenset("一二三四五六七八九何幾数")
# Powers of ten up to a thousand, then of ten thousand: name, sound, accent, moras, accent rule.
_PLACES = (("十", "ジュー", 1, 2), ("百", "ヒャク", 2, 2), ("千", "セン", 1, 2))
_MYRIADS = (
    ("万", "マン", 1, 2, "*"),
    ("億", "オク", 1, 2, "*"),
    ("兆", "チョー", 1, 2, "C3"),
    ("京", "ケー", 1, 2, "*"),
    ("垓", "ガイ", 1, 2, "*"),
    ("𥝱", "ジョ", 1, 1, "*"),
    ("穣", "ジョー", 1, 2, "*"),
    ("溝", "コウ", 1, 2, "*"),
    ("澗", "カン", 1, 2, "*"),
    ("正", "セー", 1, 2, "*"),
    ("載", "サイ", 1, 2, "*"),
    ("極", "ゴク", 1, 2, "*"),
    ("恒河沙", "ゴウガシャ", 1, 4, "*"),
    ("阿僧祇", "アソーギ", 2, 4, "*"),
    ("那由他", "ナユタ", 1, 3, "*"),
    ("不可思議", "フカシギ", 2, 4, "*"),
    ("無量大数", "ムリョータイスー", 6, 7, "*"),
)
_LONGEST = 4 * (len(_MYRIADS) + 1)  # digits
_POWERS = frozenset(name for name, *_ in (*_PLACES, *_MYRIADS))

_Forms = dict[str, tuple[str, int, int]]  # sound, accent, moras
_YO: _Forms = {"四": ("ヨ", 0, 1)}
_SHICHI: _Forms = {"七": ("シチ", 1, 2)}
_KU: _Forms = {"九": ("ク", 0, 1)}
_ONE: _Forms = {"一": ("イッ", 1, 2)}
_SIX: _Forms = {"六": ("ロッ", 1, 2)}
_EIGHT: _Forms = {"八": ("ハッ", 1, 2)}
_TEN: _Forms = {"十": ("ジュッ", 1, 2)}
_HUNDRED: _Forms = {"百": ("ヒャッ", 1, 2)}
# What numerals are before a counter, by the names in data/ja_counters.txt.
_BEFORE: dict[str, _Forms] = {
    "yo": _YO,
    "yo-shichi": _YO | _SHICHI,
    "yo-shichi-ku": _YO | _SHICHI | _KU,
    "shichi-ku": _SHICHI | _KU,
    "shi-shichi-ku": {"四": ("シ", 0, 1)} | _SHICHI | _KU,
    "doubled": _ONE | _SIX | _EIGHT | _TEN | _HUNDRED,
    "doubled-but-six": _ONE | _EIGHT | _TEN,
    "doubled-six-ten": _SIX | _TEN | _HUNDRED,
    "doubled-one-ten": _ONE | _TEN,
    "doubled-ten": _TEN,
}
_BEFORE_HUNDRED: _Forms = {"六": ("ロッ", 0, 2), "八": ("ハッ", 0, 2)}
_BEFORE_THOUSAND: _Forms = {"一": ("イッ", 0, 2), "八": ("ハッ", 0, 2)} | _TEN
_NATIVE: _Forms = {"一": ("ヒト", 0, 2), "二": ("フタ", 0, 2)}

_VOICED = dict(
    zip(
        "カキクケコサシスセソタチツテトハヒフヘホ",
        "ガギグゲゴザジズゼゾダヂヅデドバビブベボ",
        strict=True,
    )
)
_PLOSIVE = dict(zip("ハヒフヘホ", "パピプペポ", strict=True))
# How the first sound of a counter, or of a power of ten, changes after a numeral.
_AFTER: dict[str, dict[str, dict[str, str]]] = {
    "fun": dict.fromkeys("一三四六八十百千万何", _PLOSIVE),
    "hon": dict.fromkeys("三千万何", _VOICED) | dict.fromkeys("一六八十百", _PLOSIVE),
    "ken": dict.fromkeys("三千万", _VOICED),
    "kai": {"三": _VOICED},
}
_POWER_AFTER = {"三": _VOICED, "何": _VOICED, "六": _PLOSIVE, "八": _PLOSIVE}

_Name = tuple[str, int, int]  # sound, accent, moras
_PERSONS: dict[str, _Name] = {"一": ("ヒトリ", 2, 3), "二": ("フタリ", 3, 3)}
_FIRST: _Name = ("ツイタチ", 4, 4)
_DAYS: dict[str, _Name] = {
    "一": ("イチニチ", 4, 4),
    "二": ("フツカ", 0, 3),
    "三": ("ミッカ", 0, 3),
    "四": ("ヨッカ", 0, 3),
    "五": ("イツカ", 0, 3),
    "六": ("ムイカ", 0, 3),
    "七": ("ナノカ", 0, 3),
    "八": ("ヨーカ", 0, 3),
    "九": ("ココノカ", 0, 4),
    "十": ("トーカ", 0, 3),
}
_DAYS_LONG: dict[str, _Name] = {
    day: (f"{sound}カン", moras if moras == 4 else 3, moras + 2)
    for day, (sound, _, moras) in _DAYS.items()
}
_DAY, _DAYS_OF, _PERSON = "日", "日間", "人"
_FOURTEENTH = {_DAY: ("ジューヨッカ", 1, 5), _DAYS_OF: ("ジューヨッカカン", 5, 7)}
_TWENTIETH = {_DAY: ("ハツカ", 0, 3), _DAYS_OF: ("ハツカカン", 3, 5)}
_TWENTY: _Name = ("ニジュー", 1, 3)


def read(words: Sequence[Word]) -> list[Word]:
    """The words with their numbers read; the same words where there is none."""
    if not any(word["pos_group1"] == NUMERAL for word in words):
        return list(words)
    found = _spoken(_runs_read([dict(word) for word in words]))
    _say_points(found)
    _fit_counters(found)
    _fit_powers(found)
    _name_persons_and_days(found)
    _name_days_from_ten(found)
    return _spoken(found)


def _runs_read(words: list[Word]) -> list[Word]:
    """Each run of digits read as a number or digit by digit."""
    for word in words:
        if _is_digit(word):
            value = _VALUES[word["string"]]
            if word["string"] != "０":
                word["string"] = _DIGITS[value]
    found: list[Word] = []
    start = 0
    while start < len(words):
        end = start
        while end < len(words) and _is_digit(words[end]):
            end += 1
        if end - start < 2 or end - start > _LONGEST:
            end = max(end, start + 1)
            found += words[start:end]
        elif words[start]["string"] in _ZEROS or _quantity_score(words, start, end) < 0:
            found += _one_by_one(words[start:end])
        else:
            found += _with_powers(words[start:end])
        start = end
    return found


def _is_digit(word: Word) -> bool:
    return bool(word["pos_group1"] == NUMERAL and word["string"] in _VALUES)


def _is_point(word: Word) -> bool:
    return bool(word["string"] in _POINTS)


def _counts(word: Word) -> bool:
    """Whether a word stands after numbers to say what they count."""
    return bool(word["pos_group2"] == _COUNTER or word["pos_group1"] == _ADVERBIAL)


def _quantity_score(words: Sequence[Word], start: int, end: int) -> int:
    """Below zero: the digits from `start` to `end` are no quantity, by what stands around them."""
    score = 0
    if start:
        before = words[start - 1]
        after_number = start > 1 and words[start - 2]["pos_group1"] == NUMERAL
        score += 2 * (before["pos_group1"] == _PREFIX) + _counts(before)
        score -= 5 * (_is_point(before) and after_number)
        score -= 2 * sum(word["string"] == "番号" for word in words[max(0, start - 2) : start])
    if end < len(words):
        after = words[end]
        score += 2 * _counts(after) - 2 * (after["string"] == "番号") + 4 * _is_point(after)
    return score


def _one_by_one(digits: list[Word]) -> list[Word]:
    """Digits in pairs, short ones drawn out."""
    for index, word in enumerate(digits):
        if word["string"] in _ZEROS:
            word |= {"pron": "ゼロ", "mora_size": 2}
        elif word["string"] in ("二", "五"):
            word |= {"pron": "ニー" if word["string"] == "二" else "ゴー", "mora_size": 2}
        word |= {"chain_rule": "*", "chain_flag": index % 2}
        if index % 2:
            digits[index - 1]["acc"] = 3
    return digits


def _with_powers(digits: list[Word]) -> list[Word]:
    found: list[Word] = []
    said = False  # anything of the current four digits
    for index, word in enumerate(digits):
        myriad, place = divmod(len(digits) - index - 1, 4)
        value = _VALUES[word["string"]]
        said = said or value > 0
        if value > 1 or (value == 1 and not place):
            found.append(word)
        if value and place:
            found.append(_power(*_PLACES[place - 1]))
        if not place:
            if said and myriad:
                found.append(_power(*_MYRIADS[myriad - 1]))
            said = False
    return found


def _power(name: str, sound: str, accent: int, moras: int, rule: str = "*") -> Word:
    return _named({}, name, (sound, accent, moras)) | {"pos_group1": NUMERAL, "chain_rule": rule}


def _named(word: Word, string: str, name: _Name) -> Word:
    """A word made into a noun with a sound of its own."""
    sound, accent, moras = name
    word |= dict.fromkeys(("pos_group2", "pos_group3", "ctype", "cform", "chain_rule"), "*")
    word |= {"string": string, "orig": string, "read": sound, "pron": sound, "acc": accent}
    word |= {"mora_size": moras, "chain_flag": -1, "pos": _NOUN, "pos_group1": _ADVERBIAL}
    return word


def _say_points(words: list[Word]) -> None:
    """The point between two numbers is said, and the short digits before it drawn out."""
    index = 1
    while index < len(words) - 1:
        before, word, after = words[index - 1 : index + 2]
        index += 1
        if not (_is_point(word) and before["pos_group1"] == after["pos_group1"] == NUMERAL):
            continue
        _named(word, "．", ("テン", 0, 2))
        word |= {"pos_group1": "接尾", "pos_group2": _COUNTER, "chain_flag": 1}
        if before["string"] in _ZEROS:
            before |= {"pron": "レー", "mora_size": 2}
        elif before["string"] in ("二", "五"):
            before |= {"pron": "ニー" if before["string"] == "二" else "ゴー", "mora_size": 2}
        elif before["string"] == "六":
            before["acc"] = 1
        while index < len(words) and words[index]["pos"] == _NOUN:
            index += 1
        index += 1


def _fit_counters(words: Sequence[Word]) -> None:
    """Numerals and counters change their sounds next to each other and are one phrase."""
    before_counter, after_numeral, _ = _counters()
    for before, word in zip(words, words[1:], strict=False):
        if before["pos_group1"] == NUMERAL and _counts(word):
            _set_form(before, _BEFORE.get(before_counter.get(word["string"], ""), {}))
            _set_sound(word, _AFTER.get(after_numeral.get(word["string"], ""), {}), before)
            before["chain_flag"], word["chain_flag"] = 0, 1


def _fit_powers(words: Sequence[Word]) -> None:
    """A digit and its power of ten are one phrase, and change their sounds."""
    for before, word in zip(words, words[1:], strict=False):
        if before["pos_group1"] != NUMERAL:
            continue
        digit, power = before["string"], word["string"]
        if word["pos_group1"] == NUMERAL:
            if digit in _COUNTED and power in _POWERS:
                before["chain_flag"], word["chain_flag"] = 0, 1
            elif digit in _POWERS and power in _COUNTED:
                word["chain_flag"] = 0
        if power == "百":
            _set_form(before, _BEFORE_HUNDRED)
        if power in ("千", "兆"):
            _set_form(before, _BEFORE_THOUSAND)
        if power in ("百", "千"):
            _set_sound(word, _POWER_AFTER, before)


def _set_form(numeral: Word, forms: _Forms) -> None:
    if numeral["string"] in forms:
        sound, accent, moras = forms[numeral["string"]]
        numeral |= {"pron": sound, "acc": accent, "mora_size": moras}


def _set_sound(word: Word, after: dict[str, dict[str, str]], numeral: Word) -> None:
    changes = after.get(numeral["string"], {})
    first = word["pron"][:1]
    word["pron"] = changes.get(first, first) + word["pron"][1:]


def _name_persons_and_days(words: Sequence[Word]) -> None:
    """A single numeral and its counter that have a name of their own, or an old numeral."""
    native = _counters()[2]
    for index, (word, after) in enumerate(zip(words, words[1:], strict=False)):
        before = words[index - 1] if index else None
        alone = before is None or before["pos"] == _MARK or before["pos_group1"] != NUMERAL
        if not (word["pos_group1"] == NUMERAL and alone and _counts(after)):
            continue
        digit, counter = word["string"], after["string"]
        if (counter, after["read"]) in native:
            _set_form(word, _NATIVE)
        names = {_PERSON: _PERSONS, _DAY: _DAYS, _DAYS_OF: _DAYS_LONG}.get(counter, {})
        if digit in names:
            first = counter == _DAY and digit == "一" and before and "月" in before["string"]
            _named(word, digit + counter, _FIRST if first else names[digit])
            after["pron"] = ""


def _name_days_from_ten(words: Sequence[Word]) -> None:
    """The 14th, 20th and 24th."""
    for index, word in enumerate(words):
        if index and words[index - 1]["pos_group1"] == NUMERAL:
            continue
        said = [one["string"] for one in words[index : index + 4]]
        rest = words[index + 1 : index + 4]
        if said[:2] == ["十", "四"] and said[2:3] and said[2] in _FOURTEENTH:
            _name(word, rest[:2], _FOURTEENTH[said[2]])
        elif said[:2] == ["二", "十"] and said[2:3] and said[2] in _TWENTIETH:
            _name(word, rest[:2], _TWENTIETH[said[2]])
        elif said[:3] == ["二", "十", "四"] and said[3:] and said[3] in _TWENTIETH:
            _named(word, "二十", _TWENTY)
            _name(rest[0], rest[1:], (_DAYS if said[3] == _DAY else _DAYS_LONG)["四"])
            rest[0]["chain_flag"] = 0


def _name(word: Word, silent: Sequence[Word], name: _Name) -> None:
    """One word that says what those after it say too."""
    _named(word, word["string"] + "".join(one["string"] for one in silent), name)
    for one in silent:
        one["pron"] = ""


def _spoken(words: Sequence[Word]) -> list[Word]:
    return [word for word in words if word["pron"] not in ("", "*")]


@cache
def _counters() -> tuple[dict[str, str], dict[str, str], frozenset[tuple[str, str]]]:
    """Counters by what numerals are before them, by what they are after numerals, and with their
    sounds those that take old numerals."""
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    native = set()
    text = (files("tts.text") / "data" / "ja_counters.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        name, _, counters = line.partition(": ")
        if name == "native":
            native |= {tuple(counter.split("/")) for counter in counters.split()}
        elif not line.startswith("#"):
            table = after if name in _AFTER else before
            table |= dict.fromkeys(counters.split(), name)
    return before, after, frozenset((counter, sound) for counter, sound in native)
