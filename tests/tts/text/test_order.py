"""What a language's reader says of a text does not depend on what it was asked before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import law
from tts.text.frontend import Frontend, Spoken

# All six languages are loaded.
pytestmark = pytest.mark.golden

TEXTS = {
    "en": ("I read it in 1999.", "Read the GPU's log!", "Xylqt, $5.", "the lead, a lead pipe", ""),
    "zh": ("你好，我有3只小狗。", "一个一起说不是", "那儿的花儿", "重庆的重量￥", "，"),
    "ja": ("今日は2時です。", "ラーメンを食べる?", "123", "", "、"),
    "ko": ("같이 가요.", "제 iPhone 12개", "읽다", "", "!"),
    "yue": ("我哋去飲茶。", "佢有3隻狗", "長城好長", "", "，"),
    "auto": ("你好hello こんにちは", "12个apple", "안녕 world", "OK，12", "東京タワー"),
}


@pytest.fixture(scope="module")
def frontends() -> dict[int, Frontend]:
    return {size: Frontend(size) for size in (322, 732)}


@pytest.fixture(scope="module")
def first(frontends: dict[int, Frontend]) -> dict[tuple[int, str, str], list[Spoken]]:
    """Every text in the order above."""
    return {
        (size, language, text): frontend.speak(text, language)
        for size, frontend in frontends.items()
        for language, texts in TEXTS.items()
        for text in texts
    }


@law
@given(data=st.data())
def test_texts_are_read_alike_in_any_order(
    frontends: dict[int, Frontend],
    first: dict[tuple[int, str, str], list[Spoken]],
    data: st.DataObject,
) -> None:
    for size, language, text in data.draw(st.lists(st.sampled_from(sorted(first)), max_size=8)):
        assert frontends[size].speak(text, language) == first[size, language, text]
