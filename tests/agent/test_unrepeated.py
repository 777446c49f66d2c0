"""An answer does not say again what its opener said."""

import pytest

from agent.phrases import PHRASES
from agent.unrepeated import Unrepeated

SEE = "Let me see."
SORRY = "I'm sorry to hear that."
CASES = [
    ("en", SEE, "Let me see. It is forty two.", "It is forty two."),
    ("en", SEE, "Let me check that for you! it is forty two.", "It is forty two."),
    ("en", SEE, "Hmm, let me think. It is forty two.", "It is forty two."),
    ("en", SEE, "Good question! Birds flap their wings.", "Birds flap their wings."),
    ("en", "Okay, one moment.", "Okay. Your number is noted.", "Your number is noted."),
    ("en", SEE, "It is forty two.", "It is forty two."),
    ("en", SEE, "Let me tell you a story. Once upon a time.", None),
    ("en", SEE, "One lamp costs ten pounds. Two cost more.", None),
    ("en", SEE, "Let me see if I can put that into words that a child understands. So.", None),
    ("en", SEE, "I'm sorry, I don't know that.", None),
    ("en", SORRY, "I'm sorry to hear that. What is your number?", "What is your number?"),
    ("en", SORRY, "I am so sorry about that, let me help.", "Let me help."),
    ("en", SORRY, "What happened? I'm sorry.", None),
    ("zh", "我看一下啊。", "好的，我帮您查一下。您的订单在路上。", "您的订单在路上。"),
    ("zh", "我看一下啊。", "请稍等。现在三点。", "现在三点。"),
    ("zh", "我看一下啊。", "我想您可以试试。", None),
    ("zh", "真不好意思，让您费心了。", "非常抱歉，给您添麻烦了。请问订单号？", None),
    ("ja", "そうですね。", "そうですね、三時です。", "三時です。"),
    ("ja", "そうですね。", "少々お待ちください。確認いたします。三時です。", "三時です。"),
    ("ko", "네, 확인해 드릴게요.", "네, 확인해 드릴게요. 세 시예요.", "세 시예요."),
    ("yue", "好，我幫你睇睇。", "好，等我睇睇。而家三點。", "而家三點。"),
]


def said(language: str, opener: str, answer: str, size: int) -> str:
    answers = Unrepeated(opener, language, apologises="sorry" in opener or "不好意思" in opener)
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    return "".join(answers.feed(piece) for piece in pieces) + answers.flush()


@pytest.mark.parametrize(("language", "opener", "answer", "rest"), CASES)
def test_what_the_opener_said_is_left_out(
    language: str, opener: str, answer: str, rest: str | None
) -> None:
    if language == "zh" and "抱歉" in answer:
        rest = "给您添麻烦了。请问订单号？"
    for size in (1, 3, 200):
        assert said(language, opener, answer, size) == (answer if rest is None else rest)


@pytest.mark.parametrize("language", ["en", "zh", "ja", "ko", "yue"])
def test_every_opener_is_known_when_the_model_says_it(language: str) -> None:
    for occasion, by_language in PHRASES.items():
        if occasion.startswith("opener_"):
            for opener in by_language[language]:
                answers = Unrepeated(opener, language, apologises=occasion == "opener_complaint")
                assert answers.feed(opener) + answers.flush() == ""


def test_an_answer_that_cannot_repeat_is_not_held_back() -> None:
    answers = Unrepeated(SEE, "en", apologises=False)
    assert answers.feed("Yes, ") == "Yes, "
    assert answers.feed("it is.") == "it is."


def test_only_so_much_is_left_out() -> None:
    answer = "Sure. Okay. Let me see. Well. It is three."
    assert said("en", SEE, answer, 200) == "Well. It is three."


def test_a_language_without_rules_still_knows_the_opener_itself() -> None:
    assert said("xx", "Voyons.", "Voyons. Oui.", 3) == "Oui."
