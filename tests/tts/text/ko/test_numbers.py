import pytest

from tts.text.ko.numbers import number, read


@pytest.mark.parametrize(
    ("digits", "native", "said"),
    [
        ("0", False, "영"),
        ("3", True, "세"),
        ("20", True, "스무"),
        ("21", True, "스물한"),
        ("15", False, "십오"),
        ("110", False, "백십"),
        ("10000", False, "만"),
        ("12900", False, "만이천구백"),
        ("100000000", False, "일억"),
    ],
)
def test_numbers_are_native_or_chinese(digits: str, native: bool, said: str) -> None:
    assert number(digits, native=native) == said


def test_counted_nouns_choose_and_other_digits_are_read_one_by_one() -> None:
    assert read("3시/B 30분/B, 010번호") == "세시/B 삼십분/B, 영일영번호"
