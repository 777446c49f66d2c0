"""Completeness: how likely a turn is over, from its words alone."""

import pytest

from agent.turns import completeness
from agent.turns.reading import read
from agent.turns.tokens import ending, tokens

UNFINISHED = [
    ("en", "I'd like to book a"),
    ("en", "I'd like to book a table for"),
    ("en", "I was wondering if you could"),
    ("en", "My order hasn't arrived and"),
    ("en", "because the"),
    ("en", "Can you tell me when the"),
    ("en", "The problem is that my"),
    ("en", "If I cancel before"),
    ("en", "I want to"),
    ("zh", "我想问一下"),
    ("zh", "因为我"),
    ("zh", "我的订单"),
    ("zh", "请帮我"),
    ("zh", "如果我想"),
    ("zh", "我昨天在你们店里"),
    ("zh", "但是"),
    ("ja", "明日の"),
    ("ja", "予約をしたいんですが"),
    ("ko", "예약을 하고 싶은데"),
    ("yue", "因為"),
]
FINISHED = [
    ("en", "My order hasn't arrived."),
    ("en", "How much does it cost?"),
    ("en", "What time do you close?"),
    ("en", "Can you help me with my account?"),
    ("en", "No, that's all, thank you."),
    ("en", "Thank you very much."),
    ("en", "I don't know."),
    ("en", "That's too expensive."),
    ("zh", "多少钱"),
    ("zh", "怎么办"),
    ("zh", "我的快递什么时候到"),
    ("zh", "不用了谢谢"),
    ("zh", "你们几点关门"),
    ("zh", "太贵了"),
    ("zh", "这个可以退吗"),
    ("ja", "予約をお願いします"),
    ("ja", "いくらですか"),
    ("ko", "얼마예요"),
    ("ko", "예약하고 싶어요"),
]


@pytest.mark.parametrize(("language", "text"), UNFINISHED)
def test_a_sentence_cut_in_its_middle_is_likely_to_go_on(language: str, text: str) -> None:
    assert read(text, language).complete < 0.4


@pytest.mark.parametrize(("language", "text"), FINISHED)
def test_a_whole_sentence_is_likely_to_be_all(language: str, text: str) -> None:
    assert read(text, language).complete > 0.6


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        ("I want to cancel my order", "I want to cancel my"),
        ("is it possible to come tomorrow instead", "is it possible to come"),
        ("my name is peter and i have a question", "my name is peter and i have a"),
        ("i bought it two weeks ago at the store", "i bought it two weeks ago at the"),
    ],
)
def test_the_whole_is_likelier_to_be_over_than_its_beginning(whole: str, cut: str) -> None:
    assert read(whole, "en").complete > read(cut, "en").complete + 0.2


def test_a_misheard_word_in_the_middle_changes_little() -> None:
    heard = read("I'd like to bork a table for", "en").complete
    assert heard == pytest.approx(read("I'd like to book a table for", "en").complete, abs=0.1)


def test_a_full_stop_and_capitals_are_no_evidence() -> None:
    assert read("I want to.", "en") == read("i want to", "en")


@pytest.mark.parametrize("mark", ["...", "…", ",", "，"])
def test_dots_and_commas_are_weak_evidence_that_more_comes(mark: str) -> None:
    plain = read("I want to cancel", "en").complete
    assert plain / 5 < read(f"I want to cancel{mark}", "en").complete < plain


def test_a_question_mark_is_weak_evidence_of_an_end() -> None:
    plain = read("can i come tomorrow", "en").complete
    assert plain < read("can i come tomorrow?", "en").complete < 1


@pytest.mark.parametrize(
    ("language", "said", "text"),
    [
        ("en", "When would you like to come?", "Tomorrow at five."),
        ("en", "How many people?", "Four."),
        ("en", "Which color?", "The red one."),
        ("zh", "您想什么时候来？", "明天上午十点"),
    ],
)
def test_a_fragment_is_likelier_to_be_all_when_it_answers_a_question(
    language: str, said: str, text: str
) -> None:
    answered = read(text, language, said=said).complete
    assert answered > 0.6
    assert answered > read(text, language, said="I see.").complete


def test_an_answer_that_ends_in_a_small_word_is_still_cut_off() -> None:
    assert read("Tomorrow at", "en", said="When would you like to come?").complete < 0.3


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("Well...", "..."),
        ("Well…", "..."),
        ("I want—", "..."),
        ("Yes!", "."),
        ("是吗？", "?"),
        ("嗯，", ","),
        ("“Yes.”", "."),
        ("yes", ""),
        ("", ""),
    ],
)
def test_the_ending_is_the_last_punctuation(text: str, last: str) -> None:
    assert ending(text) == last


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("I’d like A-B-C.", "en", ["i'd", "like", "a", "b", "c"]),
        ("555-0123", "en", ["555", "0123"]),
        ("the 27th", "en", ["the", "27th"]),
        ("j.s@mail.com", "en", ["j", "s", "@", "mail", "com"]),
        ("訂單 12號", "zh", ["订", "单", "12", "号"]),
        ("えっと、明日", "ja", ["え", "っ", "と", "明", "日"]),
        ("네, 맞아요", "ko", ["네", "맞아요"]),
    ],
)
def test_tokens_are_words_numbers_and_characters(
    text: str, language: str, expected: list[str]
) -> None:
    assert tokens(text, language) == expected


def test_a_language_without_a_model_is_left_undecided() -> None:
    assert completeness.log_odds(["ich", "möchte"], "de") == 0.0


def test_the_weights_are_small_and_there() -> None:
    from importlib.resources import files

    data = (files("agent.turns") / completeness.WEIGHTS).read_bytes()
    assert len(data) <= 200_000
    assert set(completeness.tables()) == {"en", "zh"}
