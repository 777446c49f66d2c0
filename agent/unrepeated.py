"""An answer without the opener that was said before it: "Let me check. Let me check..." is one.

In: the opener, and the model's text as it is written.  Out: the same text without leading clauses
that only say what the opener said.  They are told by rules: models word such beginnings in few
ways.  A clause is held back until it is whole or cannot be one of them.  Knows nothing of voices.
Used by one reply, on the event loop's thread.
"""

import re
from collections.abc import Mapping

MOST_CLAUSES = 3
"""Clauses that are left out at most: "Oh, okay, let me see." """
MOST_CHARS = 60
"""A longer clause says more."""

_CLAUSE_END = re.compile(r"[.!?…,;:—](?=\s|$)|[。！？，；：、…—]")
_BUYS_TIME: Mapping[str, str] = {
    "en": r"(?:(?:hm+|um+|uh|well|okay|ok|sure|alright|all right|of course|"
    r"certainly) )?(?:(?:let me|lets|ill|i will|allow me to|i can) (?:just |"
    r"quickly )?(?:see|check|look|think|find|have a (?:quick )?look|take a (?:quick )?look|"
    r"pull)(?: \w+){0,5}|(?:please )?(?:hold on|bear with me|just a|one|a|give me an?|"
    r"give me one|just one)(?: (?:moment|second|minute|sec))?(?: please)?|(?:thats an? |"
    r"what an? )?(?:good|great|excellent|interesting|fun)(?: \w+)? question|hm+|sure|okay|"
    r"of course|certainly|well)",
    "zh": r"(?:好的?|嗯+|那|行)?(?:(?:请|您|先|麻烦您?)*(?:稍等|稍候|等一下|等我一下)(?:一下|"
    r"片刻)?|(?:让|那)?我(?:先|来|帮您|帮你|给您|给你|为您)*(?:[查看想]一?[下查看想]|"
    r"确认一?下|核实一?下).{0,8}|(?:这个?|这是个?)?(?:很?好|真好)的?问题.{0,2}|"
    r"这个?问题问?得?(?:真|很)?好|问得(?:真|很)?好|这个嘛)?",
    "yue": r"(?:好|嗯+|咁)?(?:(?:請|唔該)*等(?:等|一等|陣|一陣|我一陣|我一下)|(?:等|畀)?我(?:先|"
    r"嚟|幫你)*[查睇諗]一?[下吓查睇諗].{0,6}|(?:呢個)?問題?問得好|好問題|呢個呢?)?",
    "ja": r"(?:はい|ええ|えっと|ええと|うーん|そうですね|承知(?:し|いた).{1,6}|かしこまりました|"
    r"(?:少々|少し|もう少し)?お待ちください(?:ませ)?|(?:ただいま|今|では|"
    r"それでは)?(?:お?調べ|ご?確認|お探し)(?:し|いた|て|ま|み).{0,8}|(?:少し)?考え(?:させ|"
    r"てみ).{0,6}|(?:とても)?(?:いい|良い)質問です(?:ね)?|見てみま.{0,4})",
    "ko": r"(?:(?:네|음+|아) )?(?:음+|글쎄요|어디 (?:한번 )?볼까요|(?:잠시|"
    r"잠깐)만요?(?: 기다려 ?주세요)?|(?:바로 |한번 |제가 )*(?:확인|조회|"
    r"찾아)(?:해)? ?(?:드릴게요|볼게요|보겠습니다|드리겠습니다|하겠습니다)|(?:아주 |"
    r"정말 )?좋은 질문(?:이네요|입니다|이에요)|(?:잠깐 )?생각해 ?볼게요|알겠습니다|네)",
}
_APOLOGISES: Mapping[str, str] = {
    "en": r"(?:oh |ah |oh no )?(?:(?:im|i am|were|we are) (?:so |very |really |truly |"
    r"terribly )?sorry(?: \w+){0,5}|sorry(?: \w+){0,4}|(?:my |our )?apologies|"
    r"i apologi[sz]e(?: \w+){0,4}|oh no|oh)",
    "zh": r"(?:哎呀|真的?|实在|非常|很|那真是?)*(?:抱歉|对不起|不好意思|过意不去).{0,10}",
    "yue": r"(?:真係|哎呀|非常)*(?:唔好意思|對唔住|抱歉).{0,8}",
    "ja": r"(?:それは|大変|誠に|本当に)*(?:申し訳(?:ございません|ありません)(?:でした)?|"
    r"すみません(?:でした)?|失礼(?:いた)?しました|ご不便.{0,14}|大変でしたね)",
    "ko": r"(?:아 |정말 |대단히 )*(?:죄송합니다|죄송해요|미안해요|그러셨군요|불편을 드려.{0,10})",
}


class Unrepeated:
    """Takes the model's words after one opener."""

    def __init__(self, opener: str, language: str, *, apologises: bool) -> None:
        """`apologises`: the opener says sorry; any other one buys time."""
        patterns = _APOLOGISES if apologises else _BUYS_TIME
        self._repeats = re.compile(patterns.get(language, "(?!)"))
        self._opener = _plain(opener)
        self._said = {_plain(clause) for clause in _CLAUSE_END.split(opener)}
        self._held = ""
        self._left_out = 0
        self._over = False

    def feed(self, text: str) -> str:
        """More of the model's text; returns what of it is to be said now."""
        if self._over:
            return text
        self._held += text
        while (end := _CLAUSE_END.search(self._held)) and not self._over:
            self._judge(end.end())
        if len(self._held) > MOST_CHARS:
            self._over = True
        return self._take() if self._over else ""

    def flush(self) -> str:
        """The text is at its end: what is still held back of it."""
        if not self._over and self._held.strip():
            self._judge(len(self._held))
        self._over = True
        return self._take()

    def _judge(self, end: int) -> None:
        """Leave the held clause up to `end` out, or find that the answer begins with it."""
        clause = _plain(self._held[:end])
        again = (
            clause in self._said
            or self._opener.startswith(clause)
            or self._repeats.fullmatch(clause)
        )
        if again and self._left_out < MOST_CLAUSES:
            self._held = self._held[end:].lstrip()
            self._left_out += bool(clause)
        else:
            self._over = True

    def _take(self) -> str:
        text, self._held = self._held, ""
        if not self._left_out:
            return text
        text = text.lstrip()
        return text[:1].upper() + text[1:]


def _plain(text: str) -> str:
    """Letters, digits and single spaces, in lower case."""
    return " ".join("".join(c for c in text.lower() if c.isalnum() or c.isspace()).split())
