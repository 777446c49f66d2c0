"""Words of a text, and which spoken words say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.spans import align, key, spread, words

WORDS = st.lists(st.sampled_from(["a", "b", "the", "cat", "5", "five", "$", "好"]), max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there, Ann.", ["Hello", "there", "Ann"]),
        ("it's 3.14 at 10:30", ["it's", "3.14", "at", "10:30"]),
        ("Write to a.b@c.org now", ["Write", "to", "a.b@c.org", "now"]),
        ("hello—world twenty-one", ["hello", "world", "twenty-one"]),
        ("你好world，再见", ["你", "好", "world", "再", "见"]),
        ("東京タワー2階", ["東", "京", "タ", "ワ", "ー", "2", "階"]),
        ("안녕 하세요", ["안녕", "하세요"]),
        ("... 🙂 --", []),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert [span.of(text) for span in words(text)] == expected


@quick
@given(st.text())
def test_words_are_in_order_and_hold_every_letter_and_digit(text: str) -> None:
    spans = words(text)
    assert all(span.start < span.end for span in spans)
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))
    inside = {i for span in spans for i in range(span.start, span.end)}
    assert [c for i, c in enumerate(text) if i not in inside and c.isalpha()] == []


def test_a_key_forgets_case_width_and_punctuation() -> None:
    assert key("E-Mail") == key("email")
    assert key("２") == key("2")


def test_what_differs_is_paired_as_a_whole() -> None:
    pairs = align(["It", "costs", "5", "today"], ["it", "costs", "five", "dollars", "today"])
    assert pairs == [
        (range(0, 1), range(0, 1)),
        (range(1, 2), range(1, 2)),
        (range(2, 3), range(2, 4)),
        (range(3, 4), range(4, 5)),
    ]


@quick
@given(WORDS, WORDS)
def test_pairs_cover_both_sides_in_order(written: list[str], spoken: list[str]) -> None:
    pairs = align(written, spoken)
    assert [i for w, _ in pairs for i in w] == list(range(len(written)))
    if written:
        assert [j for _, s in pairs for j in s] == list(range(len(spoken)))
        assert all(len(w) > 0 for w, _ in pairs)


@quick
@given(
    st.floats(0, 100),
    st.floats(0, 100),
    st.lists(st.floats(0, 50), max_size=10),
)
def test_a_spread_is_contiguous_and_ends_exactly(
    start: float, length: float, weights: list[float]
) -> None:
    parts = spread(start, start + length, weights)
    assert len(parts) == len(weights)
    if parts:
        assert (parts[0][0], parts[-1][1]) == (start, start + length)
        assert all(a[1] == b[0] for a, b in zip(parts, parts[1:], strict=False))
        assert all(a <= b for a, b in parts)
