"""What the agent says without asking the language model, by occasion and language.

In: an occasion and a language.  Out: a short sentence, ready to speak.  A persona may word any of
them its own way.  Pure; safe from any thread.
"""

from collections.abc import Mapping

PHRASES: Mapping[str, Mapping[str, str]] = {
    "llm_down": {
        "en": "Sorry, I can't think straight right now. Please try again in a moment.",
        "zh": "抱歉，我这边出了点小问题，请您稍等一下再说一遍。",
        "ja": "すみません、ただいまうまく考えられません。少し待ってからもう一度お願いします。",
        "ko": "죄송합니다. 지금은 답을 드리기 어렵습니다. 잠시 후에 다시 말씀해 주세요.",
        "yue": "唔好意思，我呢邊出咗少少問題，請你等陣再講多次。",
    },
    "tts_down": {
        "en": "Sorry, I lost my voice for a moment. Could you say that again?",
        "zh": "抱歉，刚才我的声音断了一下，麻烦您再说一遍好吗？",
        "ja": "すみません、少しの間、声が出ませんでした。もう一度お願いできますか。",
        "ko": "죄송합니다. 잠깐 목소리가 나오지 않았어요. 다시 한번 말씀해 주시겠어요?",
        "yue": "唔好意思，頭先我把聲斷咗一陣，可唔可以講多次？",
    },
    "not_caught": {
        "en": "Sorry, I didn't catch that. Could you say it again?",
        "zh": "不好意思，我没听清楚，您能再说一遍吗？",
        "ja": "すみません、よく聞き取れませんでした。もう一度言っていただけますか。",
        "ko": "죄송합니다. 잘 듣지 못했어요. 다시 한번 말씀해 주시겠어요?",
        "yue": "唔好意思，我聽得唔清楚，可唔可以講多次？",
    },
    "still_there": {
        "en": "Are you still there?",
        "zh": "您还在吗？",
        "ja": "もしもし、聞こえていますか。",
        "ko": "여보세요, 아직 계신가요?",
        "yue": "喂，你仲喺唔喺度？",
    },
    "goodbye": {
        "en": "Thanks for talking with me. Goodbye!",
        "zh": "感谢您的来电，再见！",
        "ja": "お話しできてよかったです。失礼いたします。",
        "ko": "이야기 나눠 주셔서 감사합니다. 안녕히 계세요.",
        "yue": "多謝你嘅來電，拜拜！",
    },
    "tool_filler": {
        "en": "One moment, let me check.",
        "zh": "请稍等，我查一下。",
        "ja": "少々お待ちください。お調べします。",
        "ko": "잠시만요, 확인해 볼게요.",
        "yue": "請等等，我查一查。",
    },
}
"""Every occasion in every language; the keys are what a persona's `phrases` may override."""

FALLBACK_LANGUAGE = "en"


class Phrases:
    """The phrases of one persona."""

    def __init__(self, language: str, own: Mapping[str, str] | None = None) -> None:
        """`own` holds the persona's wording, by occasion; empty ones count as absent."""
        self._language = language
        self._own = dict(own or {})

    def say(self, occasion: str) -> str:
        """Return the sentence for an occasion.  Raises `KeyError` for an unknown one."""
        by_language = PHRASES[occasion]
        fallback = by_language[FALLBACK_LANGUAGE]
        return self._own.get(occasion) or by_language.get(self._language, fallback)
