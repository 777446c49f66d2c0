"""Noise leaves a text without moving it."""

from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.clean import clean_text


@quick
@given(st.text())
def test_length_and_letters_stay(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) == len(text)
    assert all(a == b or b == " " for a, b in zip(text, cleaned, strict=True))
    assert [c for c in text if c.isalnum()] == [c for c in cleaned if c.isalnum()]


def test_control_characters_and_joiners_become_spaces() -> None:
    assert clean_text("a\x00b\u200bc\ufeffd\te\nf") == "a b c d e\nf"
