"""What a turn of the caller does."""

import pytest

from agent.turns.acts import act_of

TURNS = {
    "en": {
        "small": ["Hello.", "Yes, please.", "No, thank you very much.", "Okay, great.", "Bye!"],
        "complaint": [
            "The lamp I ordered is broken.",
            "My parcel hasn't arrived.",
            "Why didn't it arrive yet?",
            "You sent me the wrong size.",
            "My dog died.",
        ],
        "open question": ["Why do birds fly?", "How can I fix that?", "What do you think of it?"],
        "request": [
            "Can you check my order, please?",
            "I'd like to book a table.",
            "Where is my parcel?",
        ],
        "question": ["What time is it?", "Are you open on Sunday?", "and how much is it"],
        "statement": ["My name is Bob.", "It's four five six.", "I live in the green house."],
    },
    "zh": {
        "small": ["你好。", "是的，谢谢。", "好的，没问题。", "嗯。"],
        "complaint": ["我的灯坏了。", "快递还没到。", "你们发错货了。"],
        "open question": ["鸟儿为什么会飞？", "这个怎么用？"],
        "request": ["帮我查一下订单。", "我想退货。", "能不能换个颜色？"],
        "question": ["现在几点？", "你们周日开门吗？"],
        "statement": ["我叫王小明。", "我住在北京。"],
    },
    "ja": {
        "small": ["はい。", "もしもし。", "はい、ありがとうございます。"],
        "complaint": ["ランプが壊れています。", "荷物が届きません。"],
        "open question": ["どうして空は青いの？"],
        "request": ["予約を変更してください。"],
        "question": ["何時ですか。"],
        "statement": ["田中と申します。"],
    },
    "ko": {
        "small": ["네.", "여보세요?", "네, 감사합니다."],
        "complaint": ["램프가 고장 났어요.", "택배가 아직 안 왔어요."],
        "open question": ["하늘은 왜 파란가요?"],
        "request": ["주문을 취소해 주세요."],
        "question": ["지금 몇 시예요?"],
        "statement": ["제 이름은 민수예요."],
    },
    "yue": {
        "small": ["喂。", "係呀，唔該。", "好，多謝。"],
        "complaint": ["盞燈壞咗。", "件貨仲未到。"],
        "open question": ["點解個天係藍色？"],
        "request": ["唔該你幫我查下張訂單。"],
        "question": ["而家幾點？"],
        "statement": ["我叫陳大文。"],
    },
}
CASES = [
    (language, act, text)
    for language, acts in TURNS.items()
    for act, texts in acts.items()
    for text in texts
]


@pytest.mark.parametrize(("language", "act", "text"), CASES)
def test_a_turn_is_what_it_does(language: str, act: str, text: str) -> None:
    assert act_of(text, language) == act


def test_a_language_without_rules_has_statements_only() -> None:
    assert act_of("Why?", "xx") == "statement"
