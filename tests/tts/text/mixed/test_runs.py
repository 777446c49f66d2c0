import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.text.mixed.detector import Scripts
from tts.text.mixed.pieces import split
from tts.text.mixed.runs import LANGUAGES, runs


def found(text: str, language: str) -> list[tuple[str, str]]:
    return [(run.language, run.text) for run in runs(text, language, Scripts())]


def test_english_is_read_apart_in_any_language() -> None:
    assert found("我的iPhone坏了。", "zh") == [("zh", "我的"), ("en", "iPhone"), ("zh", "坏了。")]
    assert found("제 iPhone이에요.", "ko") == [("ko", "제 "), ("en", "iPhone"), ("ko", "이에요.")]


def test_the_caller_says_what_han_characters_are() -> None:
    for language in ("zh", "ja", "yue"):
        assert found("電話番号", language) == [(language, "電話番号")]


def test_kana_and_hangul_are_told_apart_automatically() -> None:
    assert found("こんにちは안녕hello", "auto") == [
        ("ja", "こんにちは"), ("ko", "안녕"), ("en", "hello"),
    ]  # fmt: skip


def test_letters_of_hangul_alone_stay_what_the_detector_takes_them_for() -> None:
    assert found("안녕 ㅋㅋ", "auto") == [("ko", "안녕 "), ("en", "ㅋㅋ")]
    assert found("ㅋㅋwow", "auto") == [("ko", "ㅋㅋ"), ("en", "wow")]


def test_cantonese_takes_the_place_of_chinese_where_it_is_asked_for() -> None:
    assert found("我哋去飲茶", "auto_yue") == [("yue", "我哋去飲茶")]
    assert found("我哋OK", "all_yue") == [("yue", "我哋"), ("en", "OK")]


def test_digits_are_read_with_the_longer_neighbour_and_not_across_a_stop() -> None:
    assert found("abc12你", "auto") == [("en", "abc12"), ("zh", "你")]
    assert found("OK，12个苹果", "auto") == [("en", "OK，"), ("zh", "12个苹果")]
    assert found("123", "auto") == [("zh", "123")]


def test_all_of_one_language_means_digits_too() -> None:
    assert found("T1和T2", "all_zh") == [("en", "T"), ("zh", "1和"), ("en", "T"), ("zh", "2")]


def test_english_is_never_cut() -> None:
    assert found("你好 hello", "en") == [("en", "你好 hello")]


def test_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="language: 'fr' is unknown; allowed: auto, auto_yue, en"):
        runs("bonjour", "fr", Scripts())


@settings(max_examples=200)
@given(st.text("aB1 ,.。'\n你好はカ안녕é→", max_size=20))
def test_pieces_hold_the_whole_text_in_order(text: str) -> None:
    assert "".join(piece.text for piece in split(text, Scripts())) == text.strip()


@settings(max_examples=100)
@given(st.text("aB1 ,.。'你好はカ안녕é", max_size=20), st.sampled_from(LANGUAGES))
def test_neighbouring_runs_differ_in_language(text: str, language: str) -> None:
    languages = [run.language for run in runs(text, language, Scripts())]
    assert all(a != b for a, b in zip(languages, languages[1:], strict=False))
