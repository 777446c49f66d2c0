import pytest

from tts.text.en.numbers import cardinal, ordinal, ordinal_suffix, year


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety-nine"),
        (100, "one hundred"),
        (101, "one hundred and one"),
        (1000, "one thousand"),
        (3005, "three thousand and five"),
        (48213, "forty-eight thousand, two hundred and thirteen"),
        (1_000_000, "one million"),
        (10**36, " ".join(["one"] + ["zero"] * 36)),
    ],
)
def test_numbers_are_said(number: int, said: str) -> None:
    assert cardinal(number) == said


def test_without_a_conjunction_a_last_group_of_one_word_follows_without_a_comma() -> None:
    assert cardinal(3005, conjunction="") == "three thousand five"
    assert cardinal(3105, conjunction="") == "three thousand, one hundred five"


def test_places_in_a_row_are_said() -> None:
    said = [ordinal(number) for number in (0, 1, 2, 3, 5, 8, 9, 12, 20, 21, 100, 112)]
    assert said == (
        "zeroth first second third fifth eighth ninth twelfth twentieth twenty-first".split()
        + ["one hundredth", "one hundred and twelfth"]
    )
    assert [ordinal_suffix(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 111)] == (
        "st nd rd th th th th st th".split()
    )


def test_years_are_said_in_pairs() -> None:
    assert [year(number) for number in (1066, 1905, 2024)] == [
        "ten sixty-six",
        "nineteen oh five",
        "twenty twenty-four",
    ]
