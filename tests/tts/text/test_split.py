"""Texts cut into what an engine speaks at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.split import pause_s, split

LETTERS = st.text(st.sampled_from("ab1好。，,. \n!—()\u3000"), max_size=120)


def pieces(text: str, *, first: int = 200, most: int = 200) -> list[str]:
    return [span.of(text) for span in split(text, first_chars=first, max_chars=most)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.14 to J. Doe. Yes.", ["Dr. Smith paid 3.14 to J. Doe.", "Yes."]),
        ("你好。再见！", ["你好。", "再见！"]),
        ('"Stop!" he said. Then: nothing', ['"Stop!"', "he said.", "Then: nothing"]),
        ("First line\nsecond line", ["First line", "second line"]),
        ("Well... maybe", ["Well...", "maybe"]),
        ("Hm. 🙂", ["Hm. 🙂"]),
        ("...", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_long_first_sentence_is_cut_at_its_first_clause_marks() -> None:
    text = "你好，我是客服，请问有什么可以帮您，今天天气很好。"
    assert pieces(text, first=9) == ["你好，我是客服，", "请问有什么可以帮您，今天天气很好。"]


def test_a_text_without_marks_is_cut_at_spaces_then_anywhere() -> None:
    assert pieces("aaa bbb ccc", first=8, most=8) == ["aaa bbb", "ccc"]
    assert pieces("a" * 10, first=4, most=4) == ["aaaa", "aaaa", "aa"]


@quick
@given(LETTERS, st.integers(1, 30), st.integers(5, 40))
def test_every_word_is_in_one_piece_and_none_is_too_long(text: str, first: int, most: int) -> None:
    spans = split(text, first_chars=first, max_chars=most)
    assert all(span.end - span.start <= most for span in spans)
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))
    inside = {i for span in spans for i in range(span.start, span.end)}
    assert [i for i, c in enumerate(text) if c.isalnum() and i not in inside] == []
    assert all(any(c.isalnum() for c in span.of(text)) for span in spans)


def test_a_pause_follows_the_mark_and_the_speed() -> None:
    assert pause_s("Yes.", speed=1) == pause_s("好。", speed=1) == pause_s('He said "go."', speed=1)
    assert pause_s("Yes.", speed=1) > pause_s("Yes,", speed=1) > pause_s("Yes", speed=1) > 0
    assert pause_s("Yes.", speed=2) == pause_s("Yes.", speed=1) / 2
