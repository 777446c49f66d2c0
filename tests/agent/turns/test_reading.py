"""Readings: what the words of a turn tell about their speaker."""

import pytest

from agent.turns.reading import NO_WORDS, read

HOLDS = [
    ("en", "um"),
    ("en", "I'd like to, um..."),
    ("en", "My number is, let me see."),
    ("en", "Hold on."),
    ("en", "One moment, please."),
    ("en", "I need my card, just a second"),
    ("en", "it's called, what's it called"),
    ("zh", "我想订一个，呃"),
    ("zh", "等一下"),
    ("zh", "我的订单号是，我看一下"),
    ("zh", "請稍等"),
    ("zh", "然后那个"),
    ("ja", "えっと"),
    ("ja", "ちょっと待ってください"),
    ("ko", "잠시만요"),
    ("yue", "等我睇下"),
]
HOLDS_NOTHING = [
    ("en", "I'd like to book a table."),
    ("en", "Yes."),
    ("en", "Mm-hm."),
    ("en", "Um, I don't know."),
    ("zh", "我想订一个位子"),
    ("zh", "我要那个"),
    ("zh", "嗯嗯，好的"),
    ("zh", "嗯"),
    ("ja", "お願いします"),
    ("ko", "네"),
]
BACKCHANNELS = [
    ("en", "Mm-hm."),
    ("en", "Uh-huh."),
    ("en", "Yeah."),
    ("en", "Yeah, okay."),
    ("en", "Oh, I see."),
    ("en", "Right, right."),
    ("en", "Got it."),
    ("zh", "嗯嗯"),
    ("zh", "对对对"),
    ("zh", "好的"),
    ("zh", "哦，這樣啊"),
    ("ja", "はい"),
    ("ja", "そうですね"),
    ("ko", "네 네"),
    ("yue", "係呀"),
]
NO_BACKCHANNELS = [
    ("en", "Yeah, but I want a refund."),
    ("en", "Okay, what about Monday?"),
    ("en", "No."),
    ("en", "Wait."),
    ("en", "Hello?"),
    ("zh", "好的，那我想问一下"),
    ("zh", "不是"),
    ("zh", "停"),
    ("ja", "いいえ"),
    ("ko", "아니요"),
]
OBJECTIONS = [
    ("en", "Wait."),
    ("en", "Wait, wait, wait."),
    ("en", "Stop."),
    ("en", "No, no."),
    ("en", "No, that's not what I asked."),
    ("en", "Um, hold on."),
    ("en", "Yeah, but that's wrong."),
    ("en", "Excuse me, I said Tuesday."),
    ("en", "Actually, never mind."),
    ("zh", "等一下"),
    ("zh", "停"),
    ("zh", "不是"),
    ("zh", "不對，我說的是周二"),
    ("zh", "嗯，等等"),
    ("zh", "别说了"),
    ("ja", "ちょっと待って"),
    ("ko", "잠깐만요"),
    ("yue", "唔係"),
]
NO_OBJECTIONS = [
    ("en", "No problem."),
    ("en", "Okay."),
    ("en", "I'd like to stop by tomorrow."),
    ("en", "Mm-hm."),
    ("zh", "不错"),
    ("zh", "停车场在哪里"),
    ("zh", "不用谢"),
    ("zh", "好的"),
    ("zh", "我不知道"),
]


@pytest.mark.parametrize(("language", "text"), HOLDS)
def test_whoever_asks_for_time_keeps_the_floor(language: str, text: str) -> None:
    reading = read(text, language)
    assert reading.holds
    assert reading.complete < 0.1


@pytest.mark.parametrize(("language", "text"), HOLDS_NOTHING)
def test_whoever_does_not_ask_for_time_does_not_hold(language: str, text: str) -> None:
    assert not read(text, language).holds


@pytest.mark.parametrize(("language", "text"), BACKCHANNELS)
def test_signs_of_listening_are_backchannels(language: str, text: str) -> None:
    assert read(text, language).is_backchannel


@pytest.mark.parametrize(("language", "text"), NO_BACKCHANNELS)
def test_words_with_something_to_say_are_no_backchannels(language: str, text: str) -> None:
    assert not read(text, language).is_backchannel


@pytest.mark.parametrize(("language", "text"), OBJECTIONS)
def test_whoever_wants_the_agent_to_stop_objects(language: str, text: str) -> None:
    assert read(text, language).objects


@pytest.mark.parametrize(("language", "text"), NO_OBJECTIONS)
def test_harmless_words_are_no_objections(language: str, text: str) -> None:
    assert not read(text, language).objects


@pytest.mark.parametrize(
    ("language", "said", "text"),
    [
        ("en", "Is Tuesday all right for you?", "Yes."),
        ("en", "Shall I go on?", "Okay."),
        ("zh", "周二可以吗？", "可以"),
        ("zh", "对吗？", "对"),
    ],
)
def test_an_agreement_after_a_question_is_an_answer(language: str, said: str, text: str) -> None:
    reading = read(text, language, said=said)
    assert not reading.is_backchannel
    assert reading.complete > 0.85
    assert read(text, language, said="I have a table for you.").is_backchannel


def test_a_hum_after_a_question_is_still_a_sign_of_listening() -> None:
    assert read("Mm-hm.", "en", said="Shall I go on?").is_backchannel


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("I'd like two, please.", "en", 4),
        ("我要两杯咖啡", "zh", 6),
        ("我要 2 杯", "zh", 4),
        ("네 감사합니다", "ko", 2),
    ],
)
def test_words_are_counted_as_the_language_counts_them(
    text: str, language: str, words: int
) -> None:
    assert read(text, language).words == words


@pytest.mark.parametrize("text", ["", "  ", "...", "。"])
def test_a_transcript_without_words_tells_nothing(text: str) -> None:
    assert read(text, "en") == NO_WORDS


@pytest.mark.parametrize(
    ("language", "said", "text", "share"),
    [
        ("en", "Your table is booked for seven.", "table is booked", 1.0),
        ("en", "Your table is booked for seven.", "booked is table", 1 / 3),
        ("en", "Your table is booked for seven.", "the table was booked", 0.5),
        ("en", "Your table is booked for seven.", "wait no", 0.0),
        ("en", "", "anything", 0.0),
        ("zh", "您的座位已经订好了", "座位已經訂好了", 1.0),
        ("zh", "您的座位已经订好了", "等一下", 0.0),
    ],
)
def test_echo_is_the_share_of_words_that_the_agent_said_in_that_order(
    language: str, said: str, text: str, share: float
) -> None:
    assert read(text, language, said=said).echoes == pytest.approx(share)


@pytest.mark.parametrize(
    ("simplified", "traditional"),
    [
        ("我想问一下订单", "我想問一下訂單"),
        ("等一下", "等一下"),
        ("没错，对", "沒錯，對"),
        ("因为我", "因為我"),
    ],
)
def test_both_scripts_of_chinese_read_alike(simplified: str, traditional: str) -> None:
    assert read(simplified, "zh") == read(traditional, "zh")


@pytest.mark.parametrize("language", ["en", "zh", "ja", "ko", "yue", "de"])
@pytest.mark.parametrize(
    "text",
    [
        "\u0000",
        "🙂",
        "a" * 5000,
        "あ" * 3000,
        "1" * 3000,
        "- - -",
        "ÄÖ ß",
        "x@y@z",
        "的" * 400,
        "I I",
    ],
)
def test_any_text_in_any_language_gets_a_reading(text: str, language: str) -> None:
    reading = read(text, language, said=text)
    assert 0.0 <= reading.complete <= 1.0
    assert 0.0 <= reading.echoes <= 1.0


@pytest.mark.parametrize(
    ("text", "asks"), [("Which one?", True), ("哪个？", True), ("That one.", False)]
)
def test_a_question_mark_is_a_question(text: str, asks: bool) -> None:
    assert read(text, "zh" if text[0] == "哪" else "en").asks is asks


def test_a_chinese_answer_that_points_is_no_hesitation() -> None:
    assert not read("就这个", "zh", said="您要哪一个？").holds
