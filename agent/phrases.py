"""What the agent says without asking the language model, by occasion and language.

In: an occasion and a language.  Out: a short sentence, ready to speak, in other words than the last
time where there are several.  A persona may word any of them its own way.  A call's own object,
used from its event loop's thread.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

PHRASES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "llm_down": {
        "en": ("Sorry, I can't think straight right now. Please try again in a moment.",),
        "zh": ("抱歉，我这边出了点小问题，请您稍等一下再说一遍。",),
        "ja": ("すみません、ただいまうまく考えられません。少し待ってからもう一度お願いします。",),
        "ko": ("죄송합니다. 지금은 답을 드리기 어렵습니다. 잠시 후에 다시 말씀해 주세요.",),
        "yue": ("唔好意思，我呢邊出咗少少問題，請你等陣再講多次。",),
    },
    "not_caught": {
        "en": (
            "Sorry, I didn't catch that. Could you say it again?",
            "I'm sorry, I still didn't get that. Could you put it another way?",
        ),
        "zh": ("不好意思，我没听清楚，您能再说一遍吗？", "抱歉，还是没听清，麻烦您换个说法？"),
        "ja": (
            "すみません、よく聞き取れませんでした。もう一度言っていただけますか。",
            "申し訳ありません、別の言い方でお願いできますか。",
        ),
        "ko": (
            "죄송합니다. 잘 듣지 못했어요. 다시 한번 말씀해 주시겠어요?",
            "죄송해요, 이번에도 잘 안 들렸어요. 조금 다르게 말씀해 주시겠어요?",
        ),
        "yue": (
            "唔好意思，我聽得唔清楚，可唔可以講多次？",
            "對唔住，都係聽唔清，可唔可以換個講法？",
        ),
    },
    "still_there": {
        "en": ("Are you still there?", "Hello? Can you still hear me?"),
        "zh": ("您还在吗？", "喂，您还听得到吗？"),
        "ja": ("もしもし、聞こえていますか。", "もしもし、まだいらっしゃいますか。"),
        "ko": ("여보세요, 아직 계신가요?", "여보세요, 제 목소리 들리시나요?"),
        "yue": ("喂，你仲喺唔喺度？", "喂，聽唔聽到呀？"),
    },
    "anything_else": {
        "en": (
            "Shall I go over it again, or is there anything else?",
            "Is there anything else I can do for you?",
        ),
        "zh": ("需要我再说一遍吗？还是有别的事要问？", "请问还有什么可以帮您的吗？"),
        "ja": (
            "もう一度ご説明しましょうか。それとも、ほかに何かございますか。",
            "ほかに何かお手伝いできることはありますか。",
        ),
        "ko": (
            "다시 한번 말씀드릴까요? 아니면 다른 궁금하신 점 있으세요?",
            "더 도와드릴 일이 있을까요?",
        ),
        "yue": ("使唔使我講多次？定係仲有其他嘢想問？", "仲有冇嘢可以幫到你？"),
    },
    "goodbye": {
        "en": ("Thanks for talking with me. Goodbye!",),
        "zh": ("感谢您的来电，再见！",),
        "ja": ("お話しできてよかったです。失礼いたします。",),
        "ko": ("이야기 나눠 주셔서 감사합니다. 안녕히 계세요.",),
        "yue": ("多謝你嘅來電，拜拜！",),
    },
    "take_your_time": {
        "en": ("Sure, take your time.", "Of course, no rush."),
        "zh": ("好的，您慢慢来。", "没问题，我等您。"),
        "ja": ("はい、どうぞごゆっくり。", "はい、お待ちしております。"),
        "ko": ("네, 천천히 하세요.", "네, 기다리고 있을게요."),
        "yue": ("好，你慢慢嚟。", "冇問題，我等你。"),
    },
    "tool_filler": {
        "en": ("One moment, let me check.", "Just a second, I'll have a look."),
        "zh": ("请稍等，我查一下。", "好的，我帮您看一下。"),
        "ja": ("少々お待ちください。お調べします。", "ただいまお調べしますね。"),
        "ko": ("잠시만요, 확인해 볼게요.", "네, 바로 찾아볼게요."),
        "yue": ("請等等，我查一查。", "好，我幫你睇睇。"),
    },
    "tool_still": {
        "en": ("I'm still looking.", "Still checking, it won't be long."),
        "zh": ("我还在查。", "还在查，再等我一下。"),
        "ja": ("まだお調べしています。", "もう少しだけお待ちください。"),
        "ko": ("아직 찾고 있어요.", "조금만 더 기다려 주세요."),
        "yue": ("仲查緊呀。", "仲喺度查緊，等多陣。"),
    },
    "tool_patience": {
        "en": ("Thank you for your patience.", "Thanks for bearing with me."),
        "zh": ("谢谢您耐心等待。", "让您久等了。"),
        "ja": ("お待たせしております。", "お時間をいただいて、すみません。"),
        "ko": ("기다려 주셔서 감사합니다.", "오래 기다리시게 해서 죄송해요."),
        "yue": ("多謝你耐心等候。", "唔好意思，要你等咁耐。"),
    },
    "tool_timeout": {
        "en": (
            "I'm sorry, this is taking longer than it should. Shall I try once more, or can I help "
            "you with something else?",
        ),
        "zh": ("抱歉，一直没有查到结果。要我再试一次，还是先帮您看看别的？",),
        "ja": (
            "申し訳ありません、時間がかかりすぎているようです。もう一度お調べしましょうか。"
            "それとも、ほかのご用件を承りましょうか。",
        ),
        "ko": (
            "죄송합니다. 확인이 너무 오래 걸리네요. 다시 한번 해 볼까요, 아니면 다른 걸 "
            "도와드릴까요?",
        ),
        "yue": ("唔好意思，耐咗都仲未查到。要唔要我再試多次，定係幫你睇下其他嘢？",),
    },
    "murmur": {
        "en": ("Mm-hm.", "Uh-huh."),
        "zh": ("嗯。", "嗯嗯。"),
        "ja": ("はい。", "ええ。"),
        "ko": ("네.", "네네."),
        "yue": ("嗯。", "係。"),
    },
    "opener_question": {
        "en": ("Let me see.", "Let me think."),
        "zh": ("我看一下啊。", "嗯，我想想。"),
        "ja": ("そうですね。", "ええと、そうですね。"),
        "ko": ("어디 볼까요?", "음, 잠시만요."),
        "yue": ("等我睇睇。", "嗯，等我諗諗。"),
    },
    "opener_thinking": {
        "en": ("Hmm, good question.", "Hmm, let me think about that."),
        "zh": ("嗯，这个问题问得好。", "这个嘛，我想一想。"),
        "ja": ("うーん、いい質問ですね。", "そうですね、少し考えさせてください。"),
        "ko": ("음, 좋은 질문이네요.", "글쎄요, 잠깐 생각해 볼게요."),
        "yue": ("嗯，呢個問題問得好。", "呢個呢，等我諗一諗。"),
    },
    "opener_request": {
        "en": ("Let me check that for you.", "Sure, let me have a look."),
        "zh": ("好的，我帮您看一下。", "好，我来查一下。"),
        "ja": ("かしこまりました。確認いたします。", "はい、確認しますね。"),
        "ko": ("네, 확인해 드릴게요.", "네, 한번 볼게요."),
        "yue": ("好，我幫你睇睇。", "好，等我查一查。"),
    },
    "opener_complaint": {
        "en": ("I'm sorry to hear that.", "Oh, I'm sorry about that."),
        "zh": ("真不好意思，让您费心了。", "哎呀，实在抱歉。"),
        "ja": ("それは申し訳ございません。", "それは大変でしたね。"),
        "ko": ("아, 그러셨군요. 죄송합니다.", "불편을 드려 죄송합니다."),
        "yue": ("真係唔好意思。", "對唔住，搞到你咁麻煩。"),
    },
    "opener_statement": {
        "en": ("Okay, one moment.", "Alright, just a second."),
        "zh": ("好的，稍等。", "好，等我一下。"),
        "ja": ("はい、少々お待ちください。", "承知しました。少々お待ちください。"),
        "ko": ("네, 잠시만요.", "알겠습니다, 잠시만요."),
        "yue": ("好，等一等。", "好，等我一陣。"),
    },
}
"""Every occasion in every language; the keys are what a persona's `phrases` may override."""

FALLBACK_LANGUAGE = "en"


class Phrases:
    """The phrases of one call."""

    def __init__(self, language: str, own: Mapping[str, str | Sequence[str]] | None = None) -> None:
        """`own` holds the persona's wordings, by occasion; empty ones count as absent."""
        self._language = language
        self._own = dict(own or {})
        self._said = Counter[str]()

    def say(self, occasion: str) -> str:
        """Return a sentence for an occasion: each of its wordings in turn.

        Raises `KeyError` for an unknown one.
        """
        wordings = self.wordings(occasion)
        number = self._said[occasion]
        self._said[occasion] += 1
        return wordings[number % len(wordings)]

    def wordings(self, occasion: str) -> Sequence[str]:
        """Every sentence for an occasion.  Raises `KeyError` for an unknown one."""
        by_language = PHRASES[occasion]
        own = self._own.get(occasion, ())
        own = [own] if isinstance(own, str) else own
        return [text for text in own if text] or by_language.get(
            self._language, by_language[FALLBACK_LANGUAGE]
        )
