import pytest

from tts.text.cutting import collapse, cut


def test_of_several_marks_in_a_row_one_stays() -> None:
    assert collapse("什么!!??好...") == "什么!好."


@pytest.mark.parametrize(
    ("method", "pieces"),
    [
        ("cut0", ["一二三四，五六七八。九十一二！三四五六？七八九十。"]),
        ("cut1", ["一二三四，五六七八。九十一二！三四五六？七八九十。"]),
        ("cut3", ["一二三四，五六七八。", "九十一二！三四五六？七八九十。"]),
        ("cut5", ["一二三四，", "五六七八。", "九十一二！", "三四五六？", "七八九十。"]),
    ],
)
def test_methods_cut_at_their_marks(method: str, pieces: list[str]) -> None:
    text = "一二三四，五六七八。九十一二！三四五六？七八九十。"
    assert cut(text, language="zh", method=method) == pieces


def test_by_fours_what_is_left_over_joins_the_last_four() -> None:
    text = "".join(f"第{number}个句子。" for number in "一二三四五六七八九")
    assert cut(text, language="zh", method="cut1") == [text[:24], text[24:]]


def test_short_pieces_join_the_next() -> None:
    assert cut("I see. No, not at all, sir", language="en") == ["I see.", " No, not at all, sir."]


def test_a_point_between_digits_is_no_mark() -> None:
    assert cut("It costs 3.50 dollars", language="en") == ["It costs 3.50 dollars."]


def test_a_short_first_clause_gets_a_mark_before_it() -> None:
    assert cut("Hm, this is all right", language="en", method="cut0") == [".Hm, this is all right."]


@pytest.mark.parametrize("text", ["", "\n", "。。。", "?!", " "])
def test_text_without_words_gives_nothing(text: str) -> None:
    assert [cut(text, language="zh", method=f"cut{number}") for number in range(6)] == [[]] * 6


def test_no_piece_is_longer_than_the_text_encoder_takes() -> None:
    pieces = cut("天气很好，" * 300, language="zh", method="cut0")
    assert "".join(pieces) == "天气很好，" * 300
    assert max(map(len, pieces)) == 510


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="'cut9' is unknown; allowed: cut0, cut1"):
        cut("text", language="en", method="cut9")
