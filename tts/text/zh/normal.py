"""Chinese as it is written to Chinese as it is said: dates, times, numbers, units, formulas.

In: text.  Out: simplified characters of U+4E00 to U+9FA5 and the marks `!?…,.-`; everything else
is spoken in such characters or gone.  The rules and their order are those with which the models'
training texts were prepared.  Needs the package `misaki` for its table of simplified characters.
Pure once loaded, any thread.
"""

import re
import string
from collections.abc import Callable, Mapping
from functools import cache

from tts.carriers import missing
from tts.text.symbols import PUNCTUATION
from tts.text.zh.numbers import digits, number, whole

_Match = re.Match[str]

_NOT_SPOKEN = re.compile(r"[—《》【】<>{}()（）#&@“”^_|\\ ]")
_NOT_SPOKEN_AFTER = re.compile(r"[-—《》【】<=>{}()（）#&@“”^_|\\]")
_CLAUSE_END = re.compile(r"([：、，；。？！,;?!][”’]?)")
_HALF_WIDTH = {ord(char) + 0xFEE0: char for char in string.ascii_letters + string.digits}

_UNITS = {
    "cm2": "平方厘米",
    "cm²": "平方厘米",
    "cm3": "立方厘米",
    "cm³": "立方厘米",
    "cm": "厘米",
    "db": "分贝",
    "ds": "毫秒",
    "kg": "千克",
    "km": "千米",
    "m2": "平方米",
    "m²": "平方米",
    "m³": "立方米",
    "m3": "立方米",
    "ml": "毫升",
    "m": "米",
    "s": "秒",
}
_SIGNS = {"+": "加", "-": "减", "×": "乘", "÷": "除", "=": "等于"}
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹ˣʸⁿ", "0123456789xyn", strict=True))
# Said at last, when no rule has read them as part of something.
_LAST = str.maketrans(
    dict(zip("①②③④⑤⑥⑦⑧⑨⑩", "一二三四五六七八九十", strict=True))
    | {"/": "每", "+": "加", "-": "减", "×": "乘", "÷": "除", "=": "等"}
    | {
        letter: said
        for letters, said in (
            ("α", "阿尔法"),
            ("β", "贝塔"),
            ("γΓ", "伽玛"),
            ("δΔ", "德尔塔"),
            ("ε", "艾普西龙"),
            ("ζ", "捷塔"),
            ("η", "依塔"),
            ("θΘ", "西塔"),
            ("ι", "艾欧塔"),
            ("κ", "喀帕"),
            ("λΛ", "拉姆达"),
            ("μ", "缪"),
            ("ν", "拗"),
            ("ξΞ", "克西"),
            ("ο", "欧米克伦"),
            ("πΠ", "派"),
            ("ρ", "肉"),
            ("ςΣσ", "西格玛"),
            ("τ", "套"),
            ("υ", "宇普西龙"),
            ("φΦ", "服艾"),
            ("χ", "器"),
            ("ψΨ", "普赛"),
            ("ωΩ", "欧米伽"),
        )
        for letter in letters
    }
)
# Words that count: after a digit they make a number of it, and 2 is then said "liang".
_COUNTED = (
    "[处台架枚趟幅平方堵间床株批项例列篇栋注亩封艘把目套段人所朵匹张座回场尾条个首阙阵网炮顶丘棵只支"
    "袭辆挑担颗壳窠曲墙群腔砣客贯扎捆刀令打手罗坡山岭江溪钟队单双对出口头脚板跳枝件贴针线管名位身堂课"
    "本页家户层丝毫厘分钱两斤铢石钧锱忽寸尺丈里寻常铺程米撮勺合升斗盘碗碟叠桶笼盆盒杯斛锅簋篮罐瓶壶卮"
    "盏箩箱煲啖袋钵年月日季刻时周天秒旬纪岁世更夜春夏秋冬代伏辈丸泡粒幢堆根道面片块元亿万千百吨角毛]"
    "|微克|微米|公分|小时|美元|十吨"
)


# The pauses that written marks stand for, and two sounds that have no syllable of their own.
MARKS = {
    **dict(zip("：；，·、/", ",,,,,,", strict=True)),
    **dict(zip("。！？\n$—~～", ".!?..-……", strict=True)),
    "...": "…",
    "嗯": "恩",
    "呣": "母",
}
_PAUSES = "".join(re.escape(mark) for mark in PUNCTUATION)
_NOT_A_PHONE = re.compile(rf"[^\u4e00-\u9fa5{_PAUSES}]+")
_REPEATED_PAUSES = re.compile(rf"([{_PAUSES}])[{_PAUSES}]+")


def normalise(text: str, marks: Mapping[str, str] = MARKS, *, collapse: bool = True) -> str:
    """What is said for a text.

    `marks` are the pauses that written marks stand for; `collapse` keeps one of several pauses in
    a row.  Raises `ImportError` naming the extra when misaki is missing, and nothing else.
    """
    said = "".join(_paused(_said(clause), marks) for clause in _clauses(text))
    return _REPEATED_PAUSES.sub(r"\1", said) if collapse else said


def _clauses(text: str) -> list[str]:
    """Rules never look across the marks that end a clause."""
    kept = _CLAUSE_END.sub(r"\1\n", _NOT_SPOKEN.sub("", text))
    return [clause.strip() for clause in kept.strip().split("\n")]


def _said(clause: str) -> str:
    clause = clause.translate(simplified()).translate(_HALF_WIDTH)
    for rule in _RULES:
        clause = rule(clause)
    return _NOT_SPOKEN_AFTER.sub("", clause.translate(_LAST))


def _paused(clause: str, marks: Mapping[str, str]) -> str:
    # One pass: three dots made of "。。。" are not the "..." that stands for "…".
    written = re.compile("|".join(map(re.escape, marks)))
    return _NOT_A_PHONE.sub("", written.sub(lambda match: marks[match[0]], clause))


@cache
def simplified() -> dict[int, str]:
    """Simplified characters by traditional ones."""
    try:
        from misaki.zh_normalization.char_convert import t2s_dict
    except ImportError as error:
        raise missing("misaki", needed_for="Chinese speech") from error
    return {ord(traditional): simplified for traditional, simplified in t2s_dict.items()}


def _date(match: _Match) -> str:
    year, month, day, mark = match.groups()
    return (
        f"{digits(year)}年"
        + (f"{whole(month)}月" if month else "")
        + (f"{whole(day)}{mark}" if day else "")
    )


def _short_date(match: _Match) -> str:
    return f"{digits(match[1])}年{whole(match[3])}月{whole(match[4])}日"


def _clock(hour: str, minute: str, second: str | None, half: bool) -> str:
    said = f"{number(hour)}点"
    if minute != "00":
        said += "半" if half else f"{_sixtieths(minute)}分"
    if second and second != "00":
        said += f"{_sixtieths(second)}秒"
    return said


def _sixtieths(text: str) -> str:
    return ("零" if text.startswith("0") else "") + number(text.lstrip("0"))


def _time(match: _Match) -> str:
    return _clock(match[1], match[2], match[3], half=match[2] == "30")


def _time_range(match: _Match) -> str:
    # The first half hour decides for both, as in the training texts.
    half = match[2] == "30"
    return (
        _clock(match[1], match[2], match[3], half)
        + "至"
        + _clock(match[4], match[5], match[6], half)
    )


def _temperature(match: _Match) -> str:
    return f"{'零下' if match[1] else ''}{number(match[2])}度"


def _units(clause: str) -> str:
    for unit, said in _UNITS.items():
        clause = clause.replace(unit, said)
    return clause


def _sums(clause: str) -> str:
    while _SUM.search(clause):
        clause = _SUM.sub(lambda match: match[1] + _SIGNS[match[2]] + match[3], clause)
    return clause


def _power(match: _Match) -> str:
    return f"的{''.join(_SUPERSCRIPTS[char] for char in match[0])}次方"


def _signed(match: _Match, before: str = "") -> str:
    sign = "负" if match[1] else ""
    return f"{sign}{before}{number(match[2])}"


def _number(match: _Match) -> str:
    return _signed(match) if match[2] else number(match[3])


def _fraction(match: _Match) -> str:
    return f"{'负' if match[1] else ''}{number(match[3])}分之{number(match[2])}"


def _telephone(match: _Match) -> str:
    parts = match[0].strip("+").split("-")
    return "，".join(digits(part, telephone=True) for part in parts)


def _range(match: _Match) -> str:
    first, last = (_ANY_NUMBER.sub(_number, part) for part in match.groups())
    return f"{first}到{last}"


def _counted(match: _Match) -> str:
    said = number(match[1])
    more = "多" if match[2] == "+" else match[2] or ""
    return f"{'两' if said == '二' else said}{more}{match[3]}"


def _rule(pattern: str, said: Callable[[_Match], str]) -> Callable[[str], str]:
    compiled = re.compile(pattern)
    return lambda clause: compiled.sub(said, clause)


_HOUR, _SIXTIETH = "([0-1]?[0-9]|2[0-3])", "([0-5][0-9])"
_CLOCK = f"{_HOUR}:{_SIXTIETH}(?::{_SIXTIETH})?"
_PLAIN = r"\d+(?:\.\d+)?"
_MEASURE = rf"(?:-?{_PLAIN}|\.\d+)(?:%|°C|℃|度|摄氏度|{'|'.join(_UNITS)}|mm)"
_SUPERSCRIPT = f"[{''.join(_SUPERSCRIPTS)}]*"
_TERM = rf"(?:-?{_PLAIN}{_SUPERSCRIPT}|\.\d+{_SUPERSCRIPT}|[A-Za-z]{_SUPERSCRIPT})"
_SUM = re.compile(rf"({_TERM})([+\-×÷=])({_TERM})")
_ANY_NUMBER = re.compile(rf"(-?)({_PLAIN})|(\.\d+)")
# In this order: a rule sees what the ones before it have left.
_RULES: tuple[Callable[[str], str], ...] = (
    _rule(r"(\d{4}|\d{2})年(?:(0?[1-9]|1[0-2])月)?(?:(0?[1-9]|[12][0-9]|30|31)([日号]))?", _date),
    _rule(r"(\d{4})([- /.])(0[1-9]|1[012])\2(0[1-9]|[12][0-9]|3[01])", _short_date),
    _rule(f"{_CLOCK}[~-]{_CLOCK}", _time_range),
    _rule(_CLOCK, _time),
    _rule(f"{_MEASURE}~{_MEASURE}", lambda match: match[0].replace("~", "至")),
    _rule(rf"(-?)({_PLAIN})(?:°C|℃|度|摄氏度)", _temperature),
    _units,
    _sums,
    _rule(f"[{''.join(_SUPERSCRIPTS)}]+", _power),
    _rule(r"(-?)(\d+)/(\d+)", _fraction),
    _rule(rf"(-?)({_PLAIN})%", lambda match: _signed(match, "百分之")),
    _rule(r"(?<!\d)(?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8}(?!\d)", _telephone),
    _rule(r"(?<!\d)(?:0(?:10|2[1-3]|[3-9]\d{2})-?)?[1-9]\d{6,7}(?!\d)", _telephone),
    _rule(r"400-?\d{3}-?\d{4}", _telephone),
    _rule(rf"(?<![\d+\-×÷=])(-?{_PLAIN})[-~](-?{_PLAIN})(?![\d+\-×÷=])", _range),
    _rule(r"(-)(\d+)", _signed),
    _rule(r"\d+\.\d+(?:\.\d+)?(?:\.\d+)+", lambda match: digits(match[0].replace(".", "点"))),
    _rule(r"(-?)(\d+\.\d+)|(\.\d+)", _number),
    _rule(rf"(\d+)([多余几+])?({_COUNTED})", _counted),
    _rule(r"\d{3,}", lambda match: digits(match[0], telephone=True)),
    _rule(_ANY_NUMBER.pattern, _number),
)
