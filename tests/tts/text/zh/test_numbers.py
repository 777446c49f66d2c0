import pytest

from tts.text.zh.numbers import digits, number, whole


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0", "零"),
        ("000", "零"),
        ("7", "七"),
        ("10", "十"),
        ("12", "十二"),
        ("105", "一百零五"),
        ("1012", "一千零一十二"),
        ("100000", "十万"),
        ("100200", "十万零二百"),
        ("123456789", "一亿二千三百四十五万六千七百八十九"),
    ],
)
def test_whole_numbers_are_said(written: str, said: str) -> None:
    assert whole(written) == said


def test_decimals_are_said_digit_by_digit_and_of_zeros_at_the_end_one() -> None:
    assert [number(text) for text in ("3.14", "0.5", ".5", "3.200", "2.0")] == [
        "三点一四", "零点五", "零点五", "三点二零", "二点零",
    ]  # fmt: skip


def test_on_the_telephone_one_is_yao() -> None:
    assert (digits("110"), digits("110", telephone=True)) == ("一一零", "幺幺零")
