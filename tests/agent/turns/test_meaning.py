"""Which transcripts want the same answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.turns.meaning import same_meaning
from agent.turns.numerals import english_numbers, han_numbers

ENGLISH = "i want to book a table for my friends at the old harbour on friday evening".split()
CHINESE = "我想订一张明天下午去北京的火车票"
FILLERS = ("um", "uh", "er", "hmm", "Um,", "uh...")

sentences = st.lists(st.sampled_from(ENGLISH), min_size=1, max_size=12).map(" ".join)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is it open today?", "is it open today"),
        ("um, is it uh open", "Is it open."),
        ("I want I want to go", "I want to go"),
        ("can I can I have it", "can I have it"),
        ("It's five o'clock", "it is 5 o'clock"),
        ("I can't come", "I cannot come."),
        ("twenty-five people", "25 people"),
        ("one hundred and five", "105"),
        ("two thousand three hundred", "2,300"),
        ("five five two, oh one", "552-01"),
        ("at two thirty", "at 2:30"),
        ("nineteen eighty four", "1984"),
        ("$5", "five dollars"),
        ("my e-mail", "my email"),
        ("A B 12", "AB12"),
        ("Is it open? Thank you.", "is it open"),
        ("so, is it open", "is it open"),
        ("a table for two", "the table for two"),
        ("the second one", "the 2nd one"),
        ("OK", "okay"),
    ],
)
def test_what_a_recogniser_writes_differently_means_the_same(one: str, other: str) -> None:
    assert same_meaning(one, other, "en")
    assert same_meaning(other, one, "en")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("I can come", "I can't come"),
        ("I want it", "I want it not"),
        ("fifteen people", "fifty people"),
        ("3.5", "35"),
        ("one two three", "one two three four"),
        ("two zero five", "two five"),
        ("five oh two", "five two"),
        ("to Boston", "to Bolton"),
        ("is it open", "is it open on Sunday"),
        ("yes", "no"),
        ("hmm", ""),
        ("A B C", "B C"),
        ("one in five", "one of five"),
        ("minus five", "five"),
        ("-5", "5"),
        ("5%", "5"),
    ],
)
def test_what_was_said_differently_does_not(one: str, other: str) -> None:
    assert not same_meaning(one, other, "en")
    assert not same_meaning(other, one, "en")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("嗯，我要去北京。", "我要去北京", True),
        ("我我要去北京", "我要去北京", True),
        ("那个那个我想问", "那个我想问", True),
        ("一百五十块", "150块", True),
        ("一百五", "150", True),
        ("一百五", "105", False),
        ("一万二千", "12000", True),
        ("幺三八零零", "13800", True),
        ("我去", "我不去", False),
        ("他走了", "她走了", True),
        ("訂票", "订票", True),
        ("找丽", "找丽丽", False),
        ("三点", "四点", False),
        ("去北京", "去南京", False),
    ],
)
def test_chinese(one: str, other: str, same: bool) -> None:
    assert same_meaning(one, other, "zh") is same
    assert same_meaning(other, one, "zh") is same


def test_other_languages_are_compared_without_case_and_punctuation() -> None:
    assert same_meaning("Ja, gern!", "ja gern", "de")
    assert same_meaning("えっと、はい。", "はい", "ja")
    assert not same_meaning("はい", "いいえ", "ja")
    assert not same_meaning("네", "아니요", "ko")


@given(sentences, st.data())
def test_a_filler_anywhere_changes_nothing(sentence: str, data: st.DataObject) -> None:
    words = sentence.split()
    at = data.draw(st.integers(0, len(words)))
    filled = [*words[:at], data.draw(st.sampled_from(FILLERS)), *words[at:]]
    assert same_meaning(sentence, " ".join(filled).capitalize() + ".", "en")


@given(sentences, st.sampled_from(["not", "never", "no"]), st.data())
def test_a_negation_anywhere_changes_the_meaning(
    sentence: str, negation: str, data: st.DataObject
) -> None:
    words = sentence.split()
    at = data.draw(st.integers(0, len(words)))
    assert not same_meaning(sentence, " ".join([*words[:at], negation, *words[at:]]), "en")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_another_number_is_another_meaning(one: int, other: int) -> None:
    assert same_meaning(f"I need {one} of them", f"I need {other} of them", "en") is (one == other)
    assert same_meaning(f"要{one}个", f"要{other}个", "zh") is (one == other)


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["en", "zh", "ja", "ko", "yue"]))
def test_whatever_the_texts_it_is_symmetric_and_a_text_means_what_it_means(
    one: str, other: str, language: str
) -> None:
    assert same_meaning(one, one, language)
    assert same_meaning(one, other, language) is same_meaning(other, one, language)


@given(st.integers(0, 9999))
def test_numbers_are_read_as_they_are_spoken(number: int) -> None:
    assert english_numbers(_english(number).split()) == [str(number)]
    assert han_numbers(list(_han(number))) == [str(number)]


_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def _english(number: int) -> str:
    if number >= 1000:
        rest = number % 1000
        joint = " and " if 0 < rest < 100 else " "
        return f"{_english(number // 1000)} thousand" + (joint + _english(rest) if rest else "")
    if number >= 100:
        rest = number % 100
        return f"{_english(number // 100)} hundred" + (f" and {_english(rest)}" if rest else "")
    if number >= 20:
        return _TENS[number // 10 - 2] + (f" {_UNITS[number % 10]}" if number % 10 else "")
    return _UNITS[number]


def _han(number: int) -> str:
    digits = "零一二三四五六七八九"
    if number < 10:
        return digits[number]
    text, zero = "", False
    for scale, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // scale % 10
        if digit:
            text += ("零" if zero and text else "") + digits[digit] + sign
        zero = digit == 0
    return text
