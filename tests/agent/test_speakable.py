from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.speakable import SpeakableStream

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
