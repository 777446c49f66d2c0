"""Slots: numbers, spellings, e-mail and postal addresses, dates that want more, or are whole."""

import pytest

from agent.turns.reading import read
from agent.turns.slots import wanted
from agent.turns.spoken_numbers import run_at_end
from agent.turns.tokens import tokens

PHONE = "What's your phone number?"
ORDER = "Could you give me the order number, please?"
CODE = "Please read me the six-digit verification code."
EMAIL = "What is your e-mail address?"
ADDRESS = "Where should we deliver it?"
SPELL = "Could you spell your last name for me?"
BORN = "What's your date of birth?"
ZIP = "And the zip code?"

WANTS_MORE = [
    ("en", PHONE, "It's", "digits"),
    ("en", PHONE, "My number is 555.", "digits"),
    ("en", PHONE, "five five five, one two three", "digits"),
    ("en", PHONE, "555-123", "digits"),
    ("en", PHONE, "oh seven nine double four", "digits"),
    ("en", PHONE, "07944 123", "digits"),
    ("en", PHONE, "five five five double", "digits"),
    ("en", PHONE, "five five five dash", "digits"),
    ("en", PHONE, "five five five um", "digits"),
    ("en", ORDER, "four five six", "digits"),
    ("en", ORDER, "A B four", "digits"),
    ("en", "", "My order number is", "digits"),
    ("en", "", "My account number is four four one", "digits"),
    ("en", "", "four eight one five", "digits"),
    ("en", CODE, "1 2 3 4 5", "digits"),
    ("en", "Please read me your card number.", "4111 1111 1111", "digits"),
    ("en", "What are the last four digits?", "nine two one", "digits"),
    ("en", ZIP, "nine oh two", "digits"),
    ("en", "What's your postcode?", "S W one A", "digits"),
    ("en", EMAIL, "John", "email"),
    ("en", EMAIL, "it's john dot smith", "email"),
    ("en", EMAIL, "john dot smith at", "email"),
    ("en", EMAIL, "john at gmail", "email"),
    ("en", EMAIL, "john at gmail dot", "email"),
    ("en", "", "you can write to anna@example", "email"),
    ("en", ADDRESS, "It's 42", "address"),
    ("en", ADDRESS, "42 Baker Street", "address"),
    ("en", ADDRESS, "42 Baker Street, apartment", "address"),
    ("en", "", "my address is", "address"),
    ("en", SPELL, "S M I", "spelling"),
    ("en", SPELL, "B as in", "spelling"),
    ("en", "", "Smith, S-M-I-T", "spelling"),
    ("en", BORN, "the third of May", "date"),
    ("en", BORN, "May third", "date"),
    ("en", "", "on the third of", "date"),
    ("zh", "您的手机号是多少？", "一三八零零", "digits"),
    ("zh", "您的手机号是多少？", "138 0013", "digits"),
    ("zh", "请告诉我您的手机号码", "幺三八 零零", "digits"),
    ("zh", "請問您的訂單號是多少？", "是二三四", "digits"),
    ("zh", "请报一下六位验证码", "五五二", "digits"),
    ("zh", "您的身份证号？", "110101 1990", "digits"),
    ("zh", "您的邮箱是什么？", "zhangsan艾特", "email"),
    ("zh", "您的邮箱是什么？", "zhangsan@qq点", "email"),
    ("zh", "送到哪里？您的地址是？", "北京市海淀区", "address"),
    ("zh", "您的地址是？", "浦东新区张江路", "address"),
    ("zh", "您的地址是？", "中山路八十八号三号楼二单元", "address"),
    ("zh", "您的生日是？", "一九九零年", "date"),
    ("zh", "您的生日是？", "一九九零年五月", "date"),
    ("zh", "", "我想改到五月", "date"),
    ("zh", "", "下周", "date"),
    ("ja", "お電話番号をお願いします。", "090 1234", "digits"),
    ("ko", "전화번호가 어떻게 되세요?", "010 1234", "digits"),
    ("yue", "你嘅電話號碼係幾多？", "九一二三", "digits"),
]

WHOLE = [
    ("en", PHONE, "It's 555-123-4567.", "digits"),
    ("en", PHONE, "five five five one two three four five six seven", "digits"),
    ("en", PHONE, "one, five five five, one two three, four five six seven", "digits"),
    ("en", PHONE, "07944 123 456", "digits"),
    ("en", ORDER, "4 5 6, 7 8 9, 1 2 3 4", "digits"),
    ("en", CODE, "one two three four five six", "digits"),
    ("en", CODE, "123 456", "digits"),
    ("en", "Please read me your card number.", "4111 1111 1111 1111", "digits"),
    ("en", "What are the last four digits?", "nine two one eight", "digits"),
    ("en", ZIP, "90210", "digits"),
    ("en", "What's your postcode?", "S W one A one A A", "digits"),
    ("en", "What's your postcode?", "SW1A 1AA", "digits"),
    ("en", EMAIL, "john dot smith at gmail dot com", "email"),
    ("en", EMAIL, "john.smith@gmail.com", "email"),
    ("en", EMAIL, "it's anna at example dot co dot uk", "email"),
    ("en", ADDRESS, "42 Baker Street, Springfield, Illinois, 62704", "address"),
    ("en", "", "Smith, S-M-I-T-H.", "spelling"),
    ("en", "", "it's Lopez, L O P E Z", "spelling"),
    ("en", BORN, "the third of May 1985", "date"),
    ("en", BORN, "May third, nineteen eighty five", "date"),
    ("en", BORN, "27th of the 9th 1979", "date"),
    ("en", BORN, "05/06/1985", "date"),
    ("zh", "您的手机号是多少？", "138 0013 8000", "digits"),
    ("zh", "您的手机号是多少？", "一三八零零一三八零零零", "digits"),
    ("zh", "請報一下六位驗證碼", "五五二零一三", "digits"),
    ("zh", "您的邮箱是什么？", "zhangsan艾特qq点com", "email"),
    ("zh", "您的地址是？", "中山路八十八号三号楼二单元五零二室", "address"),
    ("zh", "您的生日是？", "一九九零年五月三号", "date"),
    ("ja", "お電話番号をお願いします。", "090 1234 5678", "digits"),
    ("ko", "전화번호가 어떻게 되세요?", "010 1234 5678", "digits"),
    ("yue", "你嘅電話號碼係幾多？", "九一二三四五六七", "digits"),
]

NO_SLOT = [
    ("en", "How many people?", "Four."),
    ("en", "How old are you?", "I'm twenty three"),
    ("en", "", "I have two cats."),
    ("en", "", "Let's meet at seven."),
    ("en", "", "I want a"),
    ("en", "", "I live in the UK."),
    ("en", PHONE, "I don't have one."),
    ("en", ORDER, "Sorry, I can't find it."),
    ("en", EMAIL, "I'd rather not say."),
    ("en", EMAIL, "I don't use one, sorry."),
    ("en", ADDRESS, "I'll pick it up."),
    ("en", "", "I'm looking at the screen now."),
    ("zh", "几位？", "三位"),
    ("zh", "", "我有两个问题"),
    ("zh", "您的手机号是多少？", "我没有手机"),
    ("zh", "您的地址是？", "我自己来拿"),
    ("zh", "", "等一下"),
]


@pytest.mark.parametrize(("language", "said", "text", "slot"), WANTS_MORE)
def test_a_slot_that_lacks_something_is_open_and_the_turn_likely_goes_on(
    language: str, said: str, text: str, slot: str
) -> None:
    reading = read(text, language, said=said)
    assert (reading.slot, reading.slot_open) == (slot, True)
    assert reading.complete <= 0.4


@pytest.mark.parametrize(("language", "said", "text", "slot"), WHOLE)
def test_a_slot_that_has_everything_is_closed_and_the_turn_likely_over(
    language: str, said: str, text: str, slot: str
) -> None:
    reading = read(text, language, said=said)
    assert (reading.slot, reading.slot_open) == (slot, False)
    assert reading.complete >= 0.75


@pytest.mark.parametrize(("language", "said", "text"), NO_SLOT)
def test_words_that_fill_no_slot_keep_the_floor_for_none(
    language: str, said: str, text: str
) -> None:
    reading = read(text, language, said=said)
    assert (reading.slot, reading.slot_open) == ("", False)


def test_every_digit_of_a_phone_number_but_the_last_leaves_it_open() -> None:
    digits = "five five five one two three four five six seven".split()
    opens = [
        read(" ".join(digits[:count]), "en", said=PHONE).slot_open
        for count in range(1, len(digits) + 1)
    ]
    assert opens == [True] * 9 + [False]


@pytest.mark.parametrize(
    ("text", "language", "signs", "groups", "dangling"),
    [
        ("one two three", "en", "123", (3,), False),
        ("double five oh", "en", "550", (3,), False),
        ("twenty three forty", "en", "2340", (4,), False),
        ("nineteen eighty five", "en", "1985", (4,), False),
        ("2 to 4 for 5", "en", "22445", (5,), False),
        ("555-0123", "en", "5550123", (3, 4), False),
        ("b as in boy four", "en", "b4", (2,), False),
        ("b as in", "en", "b", (), True),
        ("bravo lima two", "en", "bl2", (3,), False),
        ("triple", "en", "", (), True),
        ("幺三八 0013", "zh", "1380013", (3, 4), False),
        ("two dash", "en", "2", (1,), True),
        ("hello there", "en", "", (), False),
    ],
)
def test_a_run_of_signs_is_read_however_it_is_written(
    text: str, language: str, signs: str, groups: tuple[int, ...], dangling: bool
) -> None:
    run = run_at_end(tokens(text, language), language, numbers_wanted=True)
    assert (run.signs, run.groups) == (signs, groups)
    assert run.dangling is dangling or not signs


@pytest.mark.parametrize(
    ("text", "kind", "length"),
    [
        ("what is your phone number", "phone", 0),
        ("can i have the order number", "code", 0),
        ("please tell me the six digit code", "", 0),
        ("read me the six digit verification code", "short code", 6),
        ("the last four digits of your phone number", "short code", 4),
        ("what is your email address", "email", 0),
        ("how many nights", "count", 0),
        ("thanks and your date of birth", "birthday", 0),
        ("您的手机号后四位是多少", "short code", 4),
        ("请说一下您的订单号", "code", 0),
        ("nice weather", "", 0),
    ],
)
def test_what_the_agent_asked_for_is_told_by_its_newest_words(
    text: str, kind: str, length: int
) -> None:
    asked = wanted(text)
    assert (asked.kind, asked.length) == (kind, length)
