import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.text.en.normal import normalise


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It was 1999.", "It was nineteen ninety-nine."),
        ("In 2007 or 2000?", "In two thousand seven or two thousand?"),
        ("1,250 people", "twelve fifty people"),
        ("12,900 people", "twelve thousand, nine hundred people"),
        ("$3.50", "three dollars and fifty cents"),
        ("$1", "one dollar"),
        ("£0.01", "one penny"),
        ("$0", "zero dollars"),
        ("$1.2.3", "one point two.three dollars"),
        ("it costs (5$", "it costs five"),
        ("3/4 and 5/2", "three fourths and five halves"),
        ("12:00 and 0:05", "twelve o'clock p.m. and zero five a.m."),
        ("1km, 1.0km, 20°C", "one kilometer, one point zero kilometers, twenty degrees celsius"),
        ("the 22nd", "the twenty-second"),
        ("1. Sit", "first, Sit"),
        ("2 × 3 = 6", "two times three Equals six"),
        ("it is -4", "it isnegative four"),
        ("UNESCO", "U N E S C O"),
        ("naïve, e.g. café", "naive, for example cafe"),
        ("well... yes?!", "well. yes?"),
    ],
)
def test_what_is_written_is_said(written: str, said: str) -> None:
    assert normalise(written) == said


def test_a_number_without_a_name_is_read_digit_by_digit() -> None:
    assert normalise("1" * 40) == " ".join(["one"] * 40)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | st.text("0123456789.,$£/:-+ "))
def test_any_text_becomes_letters_and_marks(text: str) -> None:
    assert set(normalise(text)) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ '.,?!-"
    )
