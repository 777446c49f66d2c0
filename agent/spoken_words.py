"""How signs, web words and gestures are called in each language: tables for `agent.speakable`.

In: nothing.  Out: constants.  Numbers, dates and amounts in English are left to the voices'
own frontends, which read them well; the other languages get the signs around a number in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CJK_LANGUAGES = frozenset({"zh", "yue", "ja"})
LANGUAGES = ("en", "zh", "yue", "ja", "ko")


@dataclass(frozen=True, slots=True)
class WebWords:
    """How to read addresses aloud."""

    dot: str
    at: str
    dash: str
    underscore: str
    version: str
    point: str


WEB_WORDS: Mapping[str, WebWords] = {
    "en": WebWords(" dot ", " at ", " dash ", " underscore ", "version ", " point "),
    "zh": WebWords("点", "艾特", "杠", "下划线", "版本", "点"),
    "yue": WebWords("點", " at ", "橫線", "底線", "版本", "點"),
    "ja": WebWords("ドット", "アットマーク", "ハイフン", "アンダーバー", "バージョン", "点"),
    "ko": WebWords(" 점 ", " 골뱅이 ", " 하이픈 ", " 밑줄 ", "버전 ", " 점 "),
}

# Sign: (en, zh, yue, ja, ko).
_SIGN_ROWS: Mapping[str, tuple[str, str, str, str, str]] = {
    "&": (" and ", "和", "同", "と", " 그리고 "),
    "+": (" plus ", "加", "加", "足す", " 더하기 "),
    "=": (" equals ", "等于", "等於", "は", " 는 "),
    "×": (" times ", "乘以", "乘", "掛ける", " 곱하기 "),
    "÷": (" divided by ", "除以", "除以", "割る", " 나누기 "),
    "≈": (" about ", "约等于", "約等於", "約", " 약 "),
    "≠": (" is not ", "不等于", "唔等於", "ではなく", " 같지 않다 "),
    "≥": (" at least ", "大于等于", "大於等於", "以上", " 이상 "),
    "≤": (" at most ", "小于等于", "小於等於", "以下", " 이하 "),
    "<": (" less than ", "小于", "細過", "小なり", " 보다 작은 "),
    ">": (" greater than ", "大于", "大過", "大なり", " 보다 큰 "),
    "→": (" to ", "到", "到", "から", " 에서 "),
    "@": (" at ", "艾特", " at ", "アットマーク", " 골뱅이 "),
    "℃": (" degrees Celsius", "摄氏度", "攝氏度", "度", "도"),
    "№": ("number ", "第", "第", "第", "제 "),
    "°": ("°", "度", "度", "度", "도"),
    "%": ("%", "百分之", "百分之", "パーセント", "퍼센트"),
    "％": ("%", "百分之", "百分之", "パーセント", "퍼센트"),
}
SIGNS: Mapping[str, Mapping[str, str]] = {
    language: {sign: row[index] for sign, row in _SIGN_ROWS.items()}
    for index, language in enumerate(LANGUAGES)
}
TO: Mapping[str, str] = {"en": " to ", "zh": "到", "yue": "到", "ja": "から", "ko": "에서 "}
"""Between two numbers of a range."""
PERCENT_FIRST = frozenset({"zh", "yue"})
"""Languages that name the percent sign before its number."""

# English voices read "$5.20" by themselves.
CURRENCIES: Mapping[str, Mapping[str, str]] = {
    "zh": {"$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "￥": "元", "₩": "韩元"},
    "yue": {"$": "蚊", "€": "歐元", "£": "英鎊", "¥": "元", "￥": "元", "₩": "韓圜"},
    "ja": {"$": "ドル", "€": "ユーロ", "£": "ポンド", "¥": "円", "￥": "円", "₩": "ウォン"},
    "ko": {"$": "달러", "€": "유로", "£": "파운드", "¥": "엔", "￥": "엔", "₩": "원"},
}
# Hours and minutes; year, month and day.
CLOCK: Mapping[str, tuple[str, str]] = {
    "zh": ("点", "分"),
    "yue": ("點", "分"),
    "ja": ("時", "分"),
    "ko": ("시 ", "분"),
}
CALENDAR: Mapping[str, tuple[str, str, str]] = {
    "zh": ("年", "月", "日"),
    "yue": ("年", "月", "日"),
    "ja": ("年", "月", "日"),
    "ko": ("년 ", "월 ", "일"),
}

TOP_LEVEL_DOMAINS = frozenset(
    "com org net edu gov int io ai app dev co uk us eu de fr es it nl ch at be se no dk fi pl ru "
    "cn hk tw jp kr in au nz ca br mx info biz me tv cc xyz site online shop store".split()
)
FILE_ENDINGS = frozenset(
    "pdf txt md doc docx xls xlsx ppt pptx csv json xml yaml yml toml ini html htm css js ts py "
    "java c cpp h rs go sh zip gz tar rar exe jpg jpeg png gif svg webp mp3 mp4 wav avi mov".split()
)

# The one who speaks these words is the model itself; after the others it plays the caller.
AGENT_LABELS = ("assistant", "ai", "agent", "bot", "助手", "客服", "アシスタント")
CALLER_LABELS = ("user", "human", "customer", "caller", "用户", "客户", "ユーザー")

# First words of stage directions: "*smiles warmly*", "(laughs)".
GESTURES = frozenset(
    "smiles smiling laughs laughing chuckles chuckling giggles giggling grins grinning nods "
    "nodding sighs sighing waves waving winks winking shrugs shrugging gasps gasping whispers "
    "whispering pauses clears bows coughs yawns blushes blushing frowns claps clapping cheers hugs "
    "smirks sobs sniffs hums gulps groans growls snorts squeals applause laughter beat".split()
)
# These are gestures between stars only: "(takes two days)" is not one.
STARRED_GESTURES = GESTURES | frozenset(
    "leans looks gestures points raises tilts shakes scratches rubs takes turns walks steps thinks "
    "gives puts picks pulls pushes reaches crosses folds strokes places hands sits stands kneels "
    "adjusts glances gazes stares softly gently warmly cheerfully excitedly quietly "
    "thoughtfully".split()
)
CJK_GESTURES = (
    "微笑 笑 大笑 轻笑 輕笑 苦笑 叹气 嘆氣 叹了 点头 點頭 点点头 摇头 搖頭 "
    "眨眼 眨了 挥手 揮手 沉默 停顿 停頓 鞠躬 拍手 鼓掌 にっこり うなず ため息 手を振 拍手 お辞儀"
).split()
