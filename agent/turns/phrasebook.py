"""What people say to hold the floor, to show that they listen, and to make somebody stop.

In: tokens and a language.  Out: yes or no.  Lists, because the expressions of a language for these
are few and known.  Pure.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from agent.turns.tokens import tokens

_FILLERS: Mapping[str, str] = {
    "en": "um | uh | uhm | umm | er | erm | uhh | eh | hmm | hm | mm | ah | like | well | so | "
    "you know | "
    "i mean | let me see | let's see | let me think | sort of | kind of",
    "zh": "嗯 | 呃 | 额 | 那个 | 这个 | 就是 | 就是说 | 然后 | 怎么说 | 怎么说呢 | 那 | 啊 | "
    "我想想 | 让我想想 | "
    "我想一下 | 让我看看 | 我看看 | 我看一下 | 应该是 | 好像是 | 那什么",
    "ja": "えっと | えーと | ええと | えー | あの | あのー | その | うーん | そうですね | まあ | "
    "なんか",
    "ko": "음 | 어 | 그 | 저 | 저기 | 그러니까 | 뭐지 | 뭐랄까 | 있잖아요 | 글쎄요",
    "yue": "嗯 | 呃 | 嗰个 | 即系 | 跟住 | 咁 | 等我谂下 | 我谂下 | 等我睇下 | 点讲呢",
}  # fmt: skip
"""Said while looking for words; at the end of a turn they mean that more will come."""

_ASKS_FOR_TIME: Mapping[str, str] = {
    "en": "um | uh | uhm | umm | er | erm | uhh | hmm | hm | let me see | let's see | "
    "let me think | "
    "let me check | let me look | let me find it | let me get it | let me get that | "
    "let me grab it | "
    "let me look it up | let me look that up | let me have a look | let me take a look | "
    "let me pull it up | let me pull that up | hold on | hold on a second | hold on a sec | "
    "hold on a minute | hang on | hang on a second | hang on a sec | hang on a minute | "
    "one moment | one moment please | one second | one sec | one minute | just a moment | "
    "just a second | just a sec | just a minute | give me a second | give me a sec | "
    "give me a moment | give me a minute | wait a second | wait a minute | wait a moment | "
    "bear with me | where is it | where did i put it | what was it | what was it again | "
    "what is it again | what's it called | how do you say | how do i say | how should i put it | "
    "how do i put this | i have it here somewhere | it's here somewhere | i know i had it | "
    "you know | i mean | i'm looking for it | i'm looking | still looking | almost there | "
    "i'm thinking | i need to think | let me just check | let me just see | let me go get it | "
    "hold on please | hang on please | second please | minute please | the thing is",
    "zh": "呃 | 额 | 嗯 | 那个 | 就是 | 就是说 | 然后 | 怎么说 | 怎么说呢 | 我想想 | 让我想想 | "
    "我想一下 | 我想一想 | 让我想一下 | 让我想一想 | 我看看 | 让我看看 | 我看一下 | 我看一看 | "
    "让我看一下 | 我找找 | 我找一下 | 我找找看 | "
    "我查一下 | 我查查 | 稍等 | 稍等一下 | 您稍等 | 你稍等 | 请稍等 | 稍等啊 | 等一下 | "
    "等一下啊 | 等等 | 等会 | 等会儿 | 等一会 | "
    "等一会儿 | 等我一下 | 您等一下 | 你等一下 | 你等等 | 您等等 | 等我看看 | 等我找一下 | "
    "等我想想 | 等我查一下 | "
    "马上 | 马上就好 | 我记得是 | 好像是 | 应该是 | 叫什么来着 | 什么来着 | 是多少来着 | "
    "多少来着 | 来着 | "
    "我拿一下 | 我去拿 | 我去拿一下 | 我翻一下 | 放哪儿了 | 放哪了 | 那什么 | 我看看啊 | "
    "我想想啊 | 我找一下啊 | 我看一下啊 | 我查一下啊 | 一秒钟 | "
    "别急 | 慢着",
    "ja": "えっと | えーと | ええと | えー | あの | あのー | その | うーん | ちょっと待って | "
    "ちょっと待ってください | "
    "少々お待ちください | 少し待ってください | 待ってください | なんだっけ | 何でしたっけ | "
    "何だったかな | 確認します | 今見ます | ちょっと",
    "ko": "음 | 어 | 그 | 저 | 저기 | 그러니까 | 뭐지 | 뭐였더라 | 잠시만요 | 잠깐만요 | 잠깐만 | "
    "잠시만 | 잠시만 기다려 주세요 | "
    "기다려 주세요 | 찾아볼게요 | 확인해 볼게요 | 확인해볼게요",
    "yue": "嗯 | 呃 | 嗰个 | 即系 | 跟住 | 等我谂下 | 我谂下 | 等我睇下 | 我睇下 | 等阵 | "
    "等一等 | 等等 | 你等等 | 等我搵下 | "
    "我搵下 | 点讲呢",
}  # fmt: skip
"""Whoever ends in one of these will go on."""

_HUMS: Mapping[str, str] = {
    "en": "mm | mhm | mmm | mm hm | mm hmm | mmhmm | hmm | hm | uh huh | huh | aha | ah | oh | "
    "ooh | "
    "wow | m | ha | haha | hahaha | ha ha | heh | hehe",
    "zh": "嗯 | 恩 | 哦 | 噢 | 喔 | 啊 | 哎 | 诶 | 呵 | 呵呵 | 哈 | 哈哈 | 哈哈哈 | 嘿嘿 | "
    "唔 | 哇 | 欸",
    "ja": "うん | ええ | へえ | へー | ほう | あー | ああ | おお | ふうん | ふーん | なるほど",
    "ko": "음 | 아 | 어 | 응 | 오 | 와",
    "yue": "嗯 | 唔 | 哦 | 噢 | 喔 | 啊 | 哇 | 吓",
}  # fmt: skip
"""Signs of listening that are no word, whatever was asked."""

_AGREEMENT: Mapping[str, str] = {
    "en": "yes | yeah | yep | yup | ya | okay | ok | right | sure | i see | got it | gotcha | "
    "good | great | "
    "cool | fine | alright | all right | true | exactly | of course | i know | really | nice | "
    "perfect | sounds good | makes sense | that's right | that's true | that makes sense | "
    "i understand | understood | fair enough | no way | interesting | absolutely | definitely | "
    "very good | very nice | oh really | oh okay | is that so | oh i see | thank you | thanks | "
    "thank you very much | thank you so much | thanks a lot | "
    "that's good | that's great | that's fine | oh my | oh no | oh wow",
    "zh": "对 | 对的 | 对啊 | 对呀 | 是 | 是的 | 是啊 | 是呀 | 是吗 | 是吧 | 好 | 好的 | 好啊 | "
    "好呀 | 好吧 | 好嘞 | 行 | 行啊 | "
    "可以 | 没错 | 知道 | 知道了 | 我知道 | 我知道了 | 明白 | 明白了 | 了解 | 懂了 | 这样啊 | "
    "这样 | 原来如此 | 原来是这样 | 哦这样 | "
    "真的 | 真的吗 | 不错 | 当然 | 嗯哼 | 有道理 | 确实 | 谢谢 | 挺好 | 太好了 | 厉害",
    "ja": "はい | はいはい | そう | そうです | そうですか | そうですね | そうなんですね | "
    "そうなんだ | わかりました | 分かりました | "
    "ですね | 了解です | 本当ですか | すごい | いいですね | 確かに",
    "ko": "네 | 예 | 네네 | 맞아요 | 그래요 | 그렇군요 | 그렇죠 | 알겠습니다 | 알겠어요 | 아하 | "
    "정말요 | 그렇구나 | 좋아요",
    "yue": "系 | 系呀 | 系啊 | 系咩 | 好 | 好呀 | 好啊 | 得 | 冇错 | 啱 | 知道 | 知道喇 | 明 | "
    "明白 | 原来系咁 | 咁样 | 系喎",
}  # fmt: skip
"""Signs of listening too, unless they answer a question."""

_OBJECTIONS: Mapping[str, str] = {
    "en": "wait | wait wait | stop | no | nope | nah | hold | hang | excuse me | "
    "pardon | pardon me | sorry | "
    "actually | but | never mind | nevermind | forget it | cancel | enough | shut up | be quiet | "
    "quiet | that's not | that is not | that's wrong | that isn't | not that | i didn't | "
    "one moment | one second | just a moment | just a second | "
    "listen | don't | i said | i meant | not what i",
    "zh": "等一下 | 等等 | 等会 | 停 | 停下 | 停一下 | 不不 | 不是 | 不对 | 不用 | 不要 | 不行 | "
    "别 | 别说 | 打住 | 够了 | 闭嘴 | 慢着 | "
    "且慢 | 先别 | 稍等 | 算了 | 错了 | 我不是 | 我是说 | 我说的是 | 打断一下 | 我问的是 | "
    "我要的是 | 但是 | 可是 | 不过 | 听我说",
    "ja": "待って | ちょっと待って | ストップ | いや | いいえ | 違う | 違います | 違くて | "
    "やめて | すみません | ちょっと | でも | もういい | "
    "もう結構",
    "ko": "잠깐 | 잠깐만 | 잠깐만요 | 잠시만요 | 그만 | 아니 | 아니요 | 아뇨 | 아니에요 | 멈춰 | "
    "됐어요 | 됐고 | 그게 아니라 | 근데 | 하지만",
    "yue": "等阵 | 等等 | 等一等 | 停 | 唔系 | 唔啱 | 唔好 | 唔使 | 唔要 | 够喇 | 收声 | 慢住 | "
    "算啦 | 但系 | 唔系咁",
}  # fmt: skip
"""What a caller begins with who wants the agent to stop."""

_NO_OBJECTIONS: Mapping[str, str] = {
    "en": "no problem | no worries | no doubt | no way | no kidding | not bad | "
    "no no that's fine | "
    "sorry to hear | actually that's | actually yes | actually good | but of course | "
    "let me see | let me think | "
    "let me check | let me know | oh no",
    "zh": "不错 | 不客气 | 不好意思没 | 不谢 | 不是吗 | 等于 | 不用谢 | 别客气 | 不得了 | 停车 | "
    "停电 | 停机 | 停用 | 停水 | 别的 | 别人 | 别墅",
    "ja": "すみませんありがとう",
    "ko": "",
    "yue": "唔错 | 唔使客气 | 唔紧要",
}  # fmt: skip

_YES = frozenset({("mm",), ("mhm",), ("mm", "hm"), ("mm", "hmm"), ("uh", "huh"), ("mmm",)})
"""Hums that are a yes, and no hesitation."""
_ALONE = frozenset({("不",), ("等",), ("别",)})
"""Objections that begin many harmless words as well."""

_TAKES_AN_OBJECT = frozenset("要选买用看换拿欢对搵")
""" "我要那个": "that one", and no hesitation."""

_LONGEST = 12
_BACKCHANNEL_TOKENS = {"en": 6, "zh": 8, "yue": 8, "ja": 14, "ko": 4}
"""Whoever says more has something to say."""


def without_fillers(said: Sequence[str], language: str) -> Sequence[str]:
    """The tokens without what is said at the end only to fill the time."""
    phrases = _phrases("fillers", language)
    while length := _at_end(said, phrases):
        said = said[:-length]
    return said


def asks_for_time(said: Sequence[str], language: str, *, answers: bool) -> bool:
    """The turn ends in a hesitation or a plea to wait.

    With `answers`, a hum alone is a yes to the agent's question.
    """
    length = _at_end(said, _phrases("asks for time", language))
    if length < len(said) and said[-length - 1] in _TAKES_AN_OBJECT:
        return False
    if (*said,) in _YES:
        return False
    if length == len(said) and (*said,) in _phrases("hums", language):
        return not answers and language == "en"
    return length > 0


def is_backchannel(said: Sequence[str], language: str, *, answers: bool) -> bool:
    """Nothing but signs of listening, maybe behind a filler: "uh, sure".  With `answers`, an
    agreement is an answer and none."""
    if len(said) > _BACKCHANNEL_TOKENS.get(language, 4):
        return False
    hums, agreement = _phrases("hums", language), _phrases("agreement", language)
    agreed = False
    filler = _at_start(said, _phrases("fillers", language) - hums - agreement)
    rest: Sequence[str] = said[filler:] or said
    while rest:
        length = max(_at_start(rest, hums), _at_start(rest, agreement))
        if length == 0:
            return False
        agreed |= _at_start(rest, hums) < length
        rest = rest[length:]
    return not (agreed and answers)


def objects(said: Sequence[str], language: str) -> bool:
    """The turn begins, behind hums and fillers, with what is said to stop somebody."""
    if (*said,) in _ALONE:
        return True
    fillers = _phrases("fillers", language) | _phrases("hums", language)
    rest: Sequence[str] = said
    harmless = _phrases("no objections", language)
    while rest and not _at_start(rest, harmless):
        if _at_start(rest, _phrases("objections", language)):
            return True
        length = _at_start(rest, fillers) or _at_start(rest, _phrases("agreement", language))
        if length == 0:
            return False
        rest = rest[length:]
    return False


_LISTS = {
    "fillers": _FILLERS,
    "asks for time": _ASKS_FOR_TIME,
    "hums": _HUMS,
    "agreement": _AGREEMENT,
    "objections": _OBJECTIONS,
    "no objections": _NO_OBJECTIONS,
}


@cache
def _phrases(name: str, language: str) -> frozenset[tuple[str, ...]]:
    listed = _LISTS[name].get(language, "").split("|")
    return frozenset(tuple(found) for phrase in listed if (found := tokens(phrase, language)))


def _at_start(said: Sequence[str], phrases: frozenset[tuple[str, ...]]) -> int:
    for length in range(min(_LONGEST, len(said)), 0, -1):
        if tuple(said[:length]) in phrases:
            return length
    return 0


def _at_end(said: Sequence[str], phrases: frozenset[tuple[str, ...]]) -> int:
    for length in range(min(_LONGEST, len(said)), 0, -1):
        if tuple(said[-length:]) in phrases:
            return length
    return 0
