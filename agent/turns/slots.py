"""Numbers, spellings, e-mail and postal addresses, dates: is the caller in one, is it whole?

In: the tokens of a turn and what the agent asked for.  Out: the slot that the turn ends in, and the
probability that its value is whole.  People pause between the groups of a number and between the
parts of an address, with the voice of somebody who has finished; only counting tells.  Knows
English and Chinese, and the phone numbers of Japan, Korea and Hong Kong.  Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from agent.turns.spoken_numbers import Run, is_number, run_at_end

Slot = Literal["", "digits", "spelling", "email", "address", "date"]
"""What kind of thing the caller is in the middle of saying; "" for none."""

Kind = Literal[
    "", "phone", "card", "id", "zip", "short code", "code", "count", "email", "address", "spelling",
    "birthday", "date",
]  # fmt: skip
"""What was asked for; "count" is an amount or a quantity, which any number answers."""

_NUMBERS = frozenset({"phone", "card", "id", "zip", "short code", "code"})
_ASKED_CHARS = 200
"""Of what the agent said, only the end: the question comes last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the agent asked for, or what the caller says that they will tell."""

    kind: Kind = ""
    length: int = 0
    """Digits or signs, where the question says how many; 0 where it does not."""


@dataclass(frozen=True, slots=True)
class Found:
    """The slot at the end of a turn."""

    slot: Slot = ""
    whole: float = 0.5
    """Probability that the value is whole."""

    @property
    def open(self) -> bool:
        """It wants more."""
        return self.slot != "" and self.whole < 0.5


NOTHING = Wanted()
NO_SLOT = Found()

_ASKS: tuple[tuple[Kind, str], ...] = (
    ("phone", r"(phone|mobile|cell|telephone|contact|call ?back) number"),
    ("phone", r"number .{0,20}(call|reach)"),
    ("phone", r"(my|your|the) (cell|mobile|phone|number)\b(?! (of|plan))"),
    ("phone", r"电话|手机|联系方式|号码是多少|電話番号|전화번호|휴대폰|連絡先"),
    ("card", r"card number|long number|(credit|debit) card|卡号|银行卡"),
    ("id", r"身份证|证件号"),
    ("id", r"(passport|license|licence|social security|insurance|policy) number"),
    ("zip", r"zip ?code|post ?code|postal code|邮编|邮政编码|郵便番号|우편번호"),
    ("short code", r"(verification|security|confirmation|one time|pin) ?(code|number)?\b"),
    ("short code", r"\bpin\b|\bcvv\b|\bcvc\b|passcode|last (four|4|three|3) digits"),
    ("short code", r"验证码|后[三四五六]位|密码"),
    ("code", r"(order|account|reference|booking|tracking|case|ticket) ?(number|code|id)\b"),
    ("code", r"(serial|customer|member\w*|invoice|flight|confirmation) ?(number|code|id)\b"),
    ("code", r"(model|part|registration|reservation) ?(number|code|id)\b"),
    ("code", r"订单号|订单编号|单号|账号|会员号|编号|序列号|流水号|工号|客户号|车牌|学号|航班号"),
    ("code", r"注文番号|주문 ?번호"),
    ("count", r"how (many|much|old|long|far)"),
    ("count", r"多少[钱个人张份]|几[个位张份人间晚天瓶杯只件]|多大"),
    ("email", r"\bemail( address)?\b|邮箱|邮件地址|电子邮件|メールアドレス|이메일"),
    ("address", r"address|where .{0,20}(live|deliver|send|ship)"),
    ("address", r"地址|住在哪|住哪|送到哪|住所|주소"),
    ("spelling", r"\bspell|letter by letter"),
    ("spelling", r"怎么写|怎么拼|拼一下|哪[个几两]个?字|什么[字写]"),
    ("birthday", r"date of birth|birth ?da(y|te)|when were you born"),
    ("birthday", r"生日|出生|誕生日|생년월일"),
    ("date", r"what (day|date)|which (day|date)|\bwhen\b|what time"),
    ("date", r"几号|哪天|什么时候|几点|哪一天|日期"),
)
_ASKS_COMPILED = tuple((kind, re.compile(pattern)) for kind, pattern in _ASKS)
_COUNTED = re.compile(
    r"\b(three|four|five|six|seven|eight|nine|ten|\d{1,2})[- ](?:digit|character|letter)"
    r"|last (three|four|five|six|\d) |([三四五六七八九十]|\d{1,2})位"
)
_COUNT_WORDS = {
    "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10,
}  # fmt: skip
_PHRASE_LENGTH = {"cvv": 3, "cvc": 3}


@lru_cache(maxsize=256)
def wanted(text: str) -> Wanted:
    """What `text`, simplified and in small letters, asks for or announces; the latest counts."""
    end = text[-_ASKED_CHARS:]
    kind: Kind = ""
    latest = -1
    for candidate, pattern in _ASKS_COMPILED:
        for match in pattern.finditer(end):
            if match.end() > latest:
                kind, latest = candidate, match.end()
    if not kind:
        return NOTHING
    counted = _COUNTED.search(end)
    length = 0
    if counted:
        digits = next(group for group in counted.groups() if group)
        length = _COUNT_WORDS.get(digits) or int(digits)
        if kind == "phone":
            kind = "short code" if "last" in counted.group() or "后" in end else kind
    elif kind == "short code":
        length = next((n for word, n in _PHRASE_LENGTH.items() if word in end), 0)
    return Wanted(kind, length)


def find(said: Sequence[str], language: str, asked: Wanted, announced: Wanted) -> Found:
    """The slot that the tokens end in.

    `asked` is what the agent asked for, `announced` what the caller's own words name ("my order
    number is").  Fillers at the end must have been taken off.
    """
    if not said:
        return NO_SLOT
    topic = announced if announced.kind else asked
    run = run_at_end(said, language, numbers_wanted=topic.kind in _NUMBERS)
    for found in (
        _email(said, topic),
        _address(said, language, topic, run),
        _birthday(said, language, topic, run),
        _spelling(said, topic, run),
        _number(said, language, topic, run),
        _date(said, language),
    ):
        if found.slot:
            return found
    return NO_SLOT


# Numbers and codes


def _number(said: Sequence[str], language: str, topic: Wanted, run: Run) -> Found:
    if topic.kind == "count":
        return NO_SLOT
    if not run.signs:
        announces = said[-1] in _ANNOUNCES and topic.kind in _NUMBERS
        return Found("digits", 0.03) if announces else NO_SLOT
    told = topic.kind in _NUMBERS
    # Without a question, only what nobody says of a quantity: four digits one by one.
    if not told and (run.tokens < 4 or len(run.signs) < 4):
        return NO_SLOT
    if run.dangling:
        return Found("digits", 0.03)
    if (
        run.tokens == 1
        and run.start
        and len(run.signs) == 1
        and said[run.start - 1] not in _ANNOUNCES
    ):
        return NO_SLOT  # "I don't have one"
    return Found("digits", _number_whole(run, language, topic))


_ANNOUNCES = frozenset({"is", "it's", "that's", "number", "its", "是", "号", "为"})


def _number_whole(run: Run, language: str, topic: Wanted) -> float:
    count = len(run.signs)
    if topic.length:
        return 0.04 if count < topic.length else 0.96
    match topic.kind:
        case "phone":
            return _phone_whole(run.signs, language)
        case "card":
            full = 15 if run.signs.startswith(("34", "37")) else 16
            return 0.03 if count < full else 0.96
        case "id" if language == "zh":
            return 0.03 if count < 18 else 0.97
        case "zip":
            return _zip_whole(run.signs, language)
        case "short code":
            return {4: 0.6, 5: 0.3, 6: 0.93}.get(count, 0.05 if count < 4 else 0.85)
    whole = _BY_COUNT[min(count, len(_BY_COUNT) - 1)]
    # The last group of a number in groups is seldom the shortest of them.
    if len(run.groups) > 1 and run.groups[-1] < min(run.groups[:-1]):
        whole *= 0.5
    return whole


_BY_COUNT = (0.02, 0.03, 0.04, 0.07, 0.25, 0.35, 0.6, 0.55, 0.75, 0.7, 0.8, 0.8, 0.85)
"""A code of unknown length, by how many signs there are: guesses, open below six."""


def _phone_whole(digits: str, language: str) -> float:
    """National numbering plans, as a caller says them: with the trunk zero, without "+"."""
    count = len(digits)
    for prefix, full in _PHONE_LENGTHS.get(language, ()):
        if digits.startswith(prefix):
            # Areas with shorter numbers exist in most countries.
            short_of = full - count
            return 0.95 if short_of <= 0 else 0.2 if short_of == 1 and prefix == "0" else 0.04
    if language == "en":
        return 0.95 if count >= 10 else 0.25 if count == 7 else 0.04
    if language == "yue":
        return 0.95 if count >= 8 else 0.04
    return 0.9 if count >= 8 else 0.5 if count == 7 else 0.04


_PHONE_LENGTHS: dict[str, tuple[tuple[str, int], ...]] = {
    "en": (("1", 11), ("44", 12), ("0", 11)),
    "zh": (("86", 13), ("400", 10), ("800", 10), ("1", 11), ("0", 11)),
    "ja": (("0120", 10), ("090", 11), ("080", 11), ("070", 11), ("050", 11), ("0", 10)),
    "ko": (("010", 11), ("02", 10), ("0", 11), ("1", 8)),
    "yue": (("852", 11),),
}


def _zip_whole(signs: str, language: str) -> float:
    if language == "zh":
        return 0.04 if len(signs) < 6 else 0.96
    if re.search("[a-z]", signs):
        # One of its signs is often misheard, so the count decides where the form does not.
        misheard = (0.06, 0.25, 0.5, 0.7)[max(0, min(len(signs), 7) - 4)]
        return 0.96 if _POSTCODE.fullmatch(signs) else misheard
    return 0.05 if len(signs) < 5 else 0.9


_POSTCODE = re.compile(r"[a-z]{1,2}\d{1,2}[a-z]?\d[a-z]{2}|[a-z]\d[a-z]\d[a-z]\d")
"""British and Canadian."""


# Spelling


def _spelling(said: Sequence[str], topic: Wanted, run: Run) -> Found:
    letters = run.signs
    if topic.kind == "spelling" and not letters:
        return _spelling_in_chinese(said)
    if not letters.isalpha() or (run.tokens < 2 and topic.kind != "spelling"):
        return NO_SLOT
    if topic.kind in _NUMBERS:
        return NO_SLOT  # a code that begins with letters
    if run.dangling:
        return Found("spelling", 0.03)
    before = [word for word in said[: run.start] if len(word) > 2]
    if letters in before:
        return Found("spelling", 0.96)
    if any(word.startswith(letters) for word in before):
        return Found("spelling", 0.04)
    if topic.kind != "spelling" and len(letters) < 4 and run.start:
        # "from the UK", "my PC": abbreviations.
        return NO_SLOT
    return Found("spelling", (0.05, 0.05, 0.08, 0.25, 0.4, 0.5, 0.6)[min(len(letters), 6)])


def _spelling_in_chinese(said: Sequence[str]) -> Found:
    """ "弓长张" or "张三的张": a character told by its parts or by a word that has it."""
    if said[-1] == "的":
        return Found("spelling", 0.03)
    if len(said) >= 2 and said[-2] == "的":
        return Found("spelling", 0.6)
    return NO_SLOT


# E-mail


_TOP_LEVEL = frozenset(
    "com org net edu gov uk cn io de fr jp kr hk tw me ai app dev info biz eu ca au us es it nl ch "
    "康姆".split()
)
_PROVIDERS = frozenset("gmail yahoo hotmail outlook icloud qq 163 126 foxmail proton aol".split())


def _email(said: Sequence[str], topic: Wanted) -> Found:
    at = _at_sign(said)
    domain = said[at:] if at else ()
    sounds_so = any(part in _PROVIDERS or part in _TOP_LEVEL or part == "dot" for part in domain)
    if topic.kind != "email" and not (at and (said[at - 1] == "@" or sounds_so)):
        return NO_SLOT
    if not at:
        run_on = len(said) == 1 or said[-1] in _ANNOUNCES or said[-1] in ("dot", "点", "underscore")
        names = any(part in ("dot", "点", "underscore", "dash") for part in said)
        letters = run_at_end(said, "en", numbers_wanted=True).tokens > 1
        return Found("email", 0.04) if run_on or names or letters else NO_SLOT
    if not domain or domain[-1] in ("dot", "点"):
        return Found("email", 0.02)
    if domain[-1] in _TOP_LEVEL or "".join(domain[-2:]) in _TOP_LEVEL:
        return Found("email", 0.93)
    if len(domain) > 6 and not sounds_so:
        return NO_SLOT  # "at" was no sign
    return Found("email", 0.3 if domain[-1] == "co" else 0.06)


def _at_sign(said: Sequence[str]) -> int:
    """The index after the last "at" sign; 0 where there is none."""
    for end in range(len(said), 0, -1):
        if said[end - 1] in ("@", "at") or "".join(said[max(0, end - 2) : end]) in _AT_IN_CHINESE:
            return end
    return 0


_AT_IN_CHINESE = frozenset({"艾特", "爱特", "圈a"})


# Postal address


_STREETS = frozenset(
    "street st avenue ave road rd drive dr lane ln court ct boulevard blvd place pl way terrace "
    "close crescent highway parkway square circle row walk gardens".split()
)
_UNITS = frozenset("apartment apt unit floor suite flat number building block room".split())
_REGIONS = frozenset(
    "alabama alaska arizona arkansas california colorado connecticut delaware florida georgia "
    "hawaii idaho illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts "
    "michigan minnesota mississippi missouri montana nebraska nevada hampshire jersey mexico "
    "york carolina dakota ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia "
    "washington wisconsin wyoming england scotland wales ireland australia canada usa".split()
)
_CHINESE_PLACES = {
    "省": 0.04, "市": 0.12, "区": 0.12, "县": 0.12, "镇": 0.15, "乡": 0.15, "村": 0.4,
    "路": 0.12, "街": 0.12, "道": 0.12, "巷": 0.12, "弄": 0.06, "号": 0.55, "栋": 0.1, "幢": 0.1,
    "座": 0.15, "元": 0.08, "楼": 0.4, "层": 0.35, "室": 0.95, "户": 0.9, "厦": 0.4, "园": 0.35,
    "苑": 0.35, "城": 0.3, "寓": 0.4, "场": 0.4,
}  # fmt: skip
"""How likely an address is whole that ends in such a part; it goes from large to small."""


def _address(said: Sequence[str], language: str, topic: Wanted, run: Run) -> Found:
    if topic.kind != "address":
        return NO_SLOT
    if said[-1] in _ANNOUNCES and said[-1] != "号":
        return Found("address", 0.03)
    if language in ("zh", "yue"):
        return _chinese_address(said, run)
    street = max((i for i, word in enumerate(said) if word in _STREETS), default=-1)
    has_number = any(is_number(word) for word in said)
    if street < 0 and not has_number:
        return NO_SLOT
    if said[-1] in _UNITS:
        return Found("address", 0.03)
    if street < 0:
        return Found("address", 0.05 if run.signs else 0.1)
    if run.start > street and run.signs:
        if len(run.signs) >= 5 and (run.signs.isdigit() or _POSTCODE.fullmatch(run.signs)):
            return Found("address", 0.94)
        after_unit = run.start > 0 and said[run.start - 1] in _UNITS
        return Found("address", 0.4 if after_unit else 0.12)
    if street == len(said) - 1:
        return Found("address", 0.3)
    return Found("address", 0.6 if said[-1] in _REGIONS else 0.5)


def _chinese_address(said: Sequence[str], run: Run) -> Found:
    if said[-1] in _CHINESE_PLACES and (len(said) > 2):
        return Found("address", _CHINESE_PLACES[said[-1]])
    if run.signs:
        before = said[run.start - 1] if run.start else ""
        return Found(
            "address", 0.5 if before in ("元", "栋", "幢", "楼", "号", "座", "层") else 0.06
        )
    return NO_SLOT


# Dates


_MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)


def _birthday(said: Sequence[str], language: str, topic: Wanted, run: Run) -> Found:
    if topic.kind != "birthday":
        return NO_SLOT
    if said[-1] in _ANNOUNCES and said[-1] != "号":
        return Found("date", 0.03)
    if language in ("zh", "yue", "ja"):
        after = {"年": 0.04, "月": 0.04, "号": 0.94, "日": 0.94}
        if said[-1] in after:
            return Found("date", after[said[-1]])
        if run.signs:
            behind_month = run.start > 0 and said[run.start - 1] == "月"
            return Found("date", 0.5 if behind_month else 0.9 if len(run.signs) >= 8 else 0.06)
        return NO_SLOT
    numbers = sum(is_number(word) for word in said)
    named = any(word in _MONTHS for word in said)
    if not named and not numbers:
        return NO_SLOT
    year = re.search(r"(19|20)\d\d$", run.signs) is not None
    short_year = len(run.signs) == 2 and numbers - run.tokens > (0 if named else 1)
    in_figures = len(run.groups) >= 3 or len(run.signs) >= 6
    return Found("date", 0.94 if year or short_year or in_figures else 0.12)


def _date(said: Sequence[str], language: str) -> Found:
    """A date that lacks its end, in any turn."""
    if language in ("zh", "yue"):
        if said[-1] == "月" or "".join(said[-2:]) in ("星期", "礼拜", "下周", "上周"):
            return Found("date", 0.12)
        return NO_SLOT
    if len(said) >= 2 and said[-1] in _MONTHS and said[-2] == "of":
        return Found("date", 0.75)
    if len(said) >= 2 and said[-1] == "of" and run_at_end(said[:-1], language).signs:
        return Found("date", 0.05)
    return NO_SLOT
