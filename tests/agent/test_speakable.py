import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.speakable import SpeakableStream, speakable

MARKUP = [
    *"*_`~<>[]()!#|-+&@:;.,?%$€ \n'\"0159/=x",
    *"你好，。！？（）「」、：～",
    *[
        "**",
        "```",
        "<b>",
        "</b>",
        "<|im_end|>",
        "<think>",
        "</think>",
        "[x](http://a.io)",
        "![",
        "](",
    ],
    *[
        "https://ex.com/a?b",
        "a.b@c.com",
        "report.pdf",
        "v2.0.1",
        "1,000.50",
        "12:30",
        "U.S.",
        "¥20",
    ],
    *[
        "smiles",
        "*smiles*",
        "（微笑）",
        "微",
        "Assistant:",
        "User:",
        "客服：",
        "us",
        "&amp;",
        "😊",
        "\u200d",
        "word ",
    ],
]
TEXTS = st.lists(st.sampled_from(MARKUP), max_size=14).map("".join)
LANGUAGES = st.sampled_from(["en", "zh", "ja", "ko", "yue"])


def whole(text: str, language: str) -> str:
    stream = SpeakableStream(language)
    return stream.feed(text) + stream.flush()


def in_deltas(text: str, language: str, cuts: list[int]) -> str:
    stream, spoken, begin = SpeakableStream(language), "", 0
    for cut in sorted(c % (len(text) + 1) for c in cuts):
        spoken += stream.feed(text[begin:cut])
        begin = cut
    return spoken + stream.feed(text[begin:]) + stream.flush()


@given(TEXTS, LANGUAGES, st.lists(st.integers(0, 200), max_size=8))
@settings(max_examples=400, deadline=None)
@example("*smiles* hi", "en", [1, 2])
@example("Assistant: hi", "en", [3])
def test_any_split_into_deltas_speaks_the_same(text, language, cuts):
    assert in_deltas(text, language, cuts) == whole(text, language)


@given(TEXTS, LANGUAGES)
@settings(max_examples=300, deadline=None)
def test_one_character_at_a_time_speaks_the_same(text, language):
    assert in_deltas(text, language, list(range(len(text)))) == whole(text, language)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**Yes**, *really* and ***truly***.", "Yes, really and truly."),
        ("See [our page](http://a.io/b).", "See our page."),
        ("See it ![a cat](cat.png) here [1].", "See it a cat here."),
        ("Go to https://www.example.com/a?b=1.", "Go to example dot com."),
        ("Go to example.com, or <https://x.org/y>.", "Go to example dot com, or x dot org."),
        ("Mail bob.smith@example.com!", "Mail bob dot smith at example dot com!"),
        ("Open report.pdf, v2.0.1.", "Open report dot pdf, version 2 point 0 point 1."),
        ("# Plan\n\n- Milk\n- Eggs & bread\n", "Plan.\nMilk.\nEggs and bread."),
        ("1. One\n2) Two", "1, One.\n2, Two"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "a, b.\n1, 2."),
        ("Run:\n```sh\nrm x\n```\nDone with `ls`.", "Run:\nDone with ls."),
        ("Above\n---\nbelow", "Above.\nbelow"),
        ("Nice 😊! Thumbs 👍🏽 up.", "Nice! Thumbs up."),
        ("3 * 4 = 12, R&D, 5 < 6 &amp; so.", "3 times 4 equals 12, R and D, 5 less than 6 and so."),
        ("A <b>bold</b><br>word", "A bold.\nword"),
        ("Assistant: *smiles warmly* Hello (laughs) there.", "Hello there."),
        ("Hello.<|im_end|>\nUser: hi", "Hello."),
        ("Hello.\nUser: hi\nAssistant: ho", "Hello."),
        ("<think>The user says hi.</think>Hello.", "Hello."),
        ("It's 9:05, $5.20, 50%, 1,000 and 3.14.", "It's 9:05, $5.20, 50%, 1,000 and 3.14."),
        ("😊 *** `` ", ""),
    ],
)
def test_english(written, spoken):
    assert speakable(written, "en") == spoken


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("zh", "**您好**，请看 https://www.example.com/a 。", "您好，请看 example点com。"),
        (
            "zh",
            "价格$1,234.50，优惠50%，3:30开始。",
            "价格1234.50美元，优惠百分之50，3点30分开始。",
        ),
        ("zh", "（微笑）好的~\n- 牛奶\n- 鸡蛋", "好的。\n牛奶。\n鸡蛋"),
        ("zh", "客服：您好！", "您好！"),
        ("zh", "日期是2024-05-03。", "日期是2024年5月3日。"),
        ("yue", "而家3:05，$20。", "而家3點5分，20蚊。"),
        ("ja", "はい（笑）50%です。", "はい50パーセントです。"),
        ("ja", "bob@example.jpに送る。", "bobアットマークexampleドットjpに送る。"),
        ("ko", "가격은 $5.20, 50% 할인.", "가격은 5.20달러, 50퍼센트 할인."),
    ],
)
def test_other_languages(language, written, spoken):
    assert speakable(written, language) == spoken


@pytest.mark.parametrize(
    "text", ["Sure,", "Really?", "Great!", "Note:", "好的。", "您好，", "はい、", "Sure, yes "]
)
def test_punctuation_lets_text_out_without_waiting_for_more(text):
    assert SpeakableStream("zh" if text[0] > "z" else "en").feed(text) == text.rstrip()


def test_the_end_of_an_answer_is_noticed():
    stream = SpeakableStream("en")
    assert stream.feed("Hello.\nUser: hi") == "Hello.\n"
    assert stream.over
    assert stream.feed(" and more") == ""
