import pytest

from tts.text.ja_numbers import Word, read

SOUNDS = dict(
    zip(
        "０１２３４５６７８９一二三四五六七八九十百千",
        "ゼロ イチ ニ サン ヨン ゴ ロク ナナ ハチ キュー "
        "イチ ニ サン ヨン ゴ ロク ナナ ハチ キュー ジュー ヒャク セン".split(),
        strict=True,
    )
)


def word(
    string: str, pron: str, *, group1: str = "一般", group2: str = "*", read: str = ""
) -> Word:
    return {
        "string": string,
        "pron": pron,
        "read": read or pron,
        "pos": "名詞",
        "pos_group1": group1,
        "pos_group2": group2,
        "acc": 1,
        "mora_size": len(pron),
        "chain_rule": "*",
        "chain_flag": -1,
    }


def numerals(digits: str) -> list[Word]:
    return [word(digit, SOUNDS[digit], group1="数") for digit in digits]


def counter(string: str, pron: str) -> Word:
    return word(string, pron, group1="接尾", group2="助数詞")


def said(words: list[Word]) -> str:
    return " ".join(one["pron"] for one in read(words))


@pytest.mark.parametrize(
    ("digits", "sounds"),
    [
        ("１０", "ジュー"),
        ("１１０", "ヒャク ジュー"),
        ("３００", "サン ビャク"),
        ("６０８", "ロッ ピャク ハチ"),
        ("８０００", "ハッ セン"),
        ("１００００", "イチ マン"),
        ("２０２４", "ニ セン ニ ジュー ヨン"),
        ("１０００００００", "セン マン"),
        ("３００００５０００", "サン オク ゴ セン"),
    ],
)
def test_digits_are_read_as_a_number(digits: str, sounds: str) -> None:
    assert said(numerals(digits)) == sounds


def test_digits_after_a_zero_or_the_word_for_number_are_read_in_pairs() -> None:
    assert said(numerals("０９０")) == "ゼロ キュー ゼロ"
    words = read([word("番号", "バンゴー"), *numerals("２５６")])
    assert [one["pron"] for one in words] == ["バンゴー", "ニー", "ゴー", "ロク"]
    assert [one["chain_flag"] for one in words] == [-1, 0, 1, 0]
    assert words[1]["acc"] == 3


def test_the_point_is_said_and_what_follows_it_read_digit_by_digit() -> None:
    point = word("・", "、", group1="数")
    words = read([*numerals("１２"), point, *numerals("３４")])
    assert [one["pron"] for one in words] == ["ジュー", "ニー", "テン", "サン", "ヨン"]


@pytest.mark.parametrize(
    ("digits", "name", "pron", "sounds"),
    [
        ("８", "か月", "カゲツ", "ハッ カゲツ"),
        ("１８", "本", "ホン", "ジュー ハッ ポン"),
        ("３", "本", "ホン", "サン ボン"),
        ("４", "時", "ジ", "ヨ ジ"),
        ("９", "月", "ガツ", "ク ガツ"),
        ("３", "階", "カイ", "サン ガイ"),
        ("６", "分", "フン", "ロッ プン"),
        ("１", "人", "ニン", "ヒトリ"),
        ("２", "日", "ニチ", "フツカ"),
        ("１４", "日", "ニチ", "ジューヨッカ"),
        ("２４", "日間", "ニチカン", "ニジュー ヨッカカン"),
        ("２０", "日", "ニチ", "ハツカ"),
    ],
)
def test_a_counter_changes_the_sound_of_the_number(
    digits: str, name: str, pron: str, sounds: str
) -> None:
    assert said([*numerals(digits), counter(name, pron)]) == sounds


def test_the_first_of_a_month_has_a_name_and_old_numerals_go_with_old_counters() -> None:
    assert (
        said([counter("五月", "ゴガツ"), *numerals("１"), counter("日", "ニチ")])
        == "ゴガツ ツイタチ"
    )
    assert said([*numerals("２"), counter("皿", "サラ")]) == "フタ サラ"


def test_a_digit_and_its_power_of_ten_are_one_phrase() -> None:
    assert [one["chain_flag"] for one in read(numerals("三十五"))] == [0, 1, 0]


def test_words_without_numerals_stay() -> None:
    words = [word("猫", "ネコ"), word("々", "*")]
    assert read(words) == words
