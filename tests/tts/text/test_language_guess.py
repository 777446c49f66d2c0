"""Scripts tell which of a voice's languages is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.text.language_guess import guess

ALL = ("zh", "en", "ja", "ko", "yue")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Good morning, Ann.", "en"),
        ("今天天气很好。", "zh"),
        ("今日はいい天気ですね。", "ja"),
        ("東京タワー", "ja"),
        ("오늘은 날씨가 좋아요.", "ko"),
        ("今日天氣好好,你食咗飯未呀?", "yue"),
        ("我们用 Python 和 Rust 写代码。", "zh"),
        ("The word 愛 means love in Japanese.", "en"),
        ("Straße", "en"),
        ("12:30", "zh"),
        ("", "zh"),
    ],
)
def test_the_script_that_says_most_decides(text: str, language: str) -> None:
    assert guess(text, ALL) == language


@pytest.mark.parametrize(
    ("text", "languages", "language"),
    [
        ("今天天气很好。", ("en", "yue"), "yue"),
        ("今天天气很好。", ("ja", "en"), "ja"),
        ("今天天气很好。", ("en",), "en"),
        ("你食咗飯未呀", ("en", "zh"), "zh"),
        ("Guten Morgen", ("de",), "de"),
        ("Guten Morgen", ("zh", "de"), "de"),
        ("오늘", ("zh", "ja"), "zh"),
    ],
)
def test_it_is_always_one_that_the_voice_speaks(
    text: str, languages: tuple[str, ...], language: str
) -> None:
    assert guess(text, languages) == language


@given(st.text(), st.lists(st.sampled_from([*ALL, "de", "fr"]), min_size=1))
def test_any_text_has_an_answer(text: str, languages: list[str]) -> None:
    assert guess(text, languages) in languages
