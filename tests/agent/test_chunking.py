import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.chunking import ClauseChunker

LANGUAGES = st.sampled_from(["en", "zh", "ja", "ko", "yue"])
FRAGMENTS = [
    *' .,!?;:…—\n"()“”「」。！？，、；：-/@1a',
    *["Hello ", "Mr. ", "e.g. ", "U.S.", "No. 5", "5 p.m. ", "3.14", "1,000", "12:30", "v2.0.1"],
    *["bob@example.com", "https://a.io/b?c=1,2", "report.pdf", "...", "and ", "because of it "],
    *["你好", "的", "订单", "2024年", "はい", "です", "안녕하세요 ", "a" * 50],
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def cut(text: str, language: str = "en") -> list[str]:
    chunker = ClauseChunker(language)
    return [piece.text for piece in [*chunker.feed(text), *chunker.flush()] if piece.text]


def raw_pieces(deltas: list[str], language: str) -> list[str]:
    chunker = ClauseChunker(language)
    pieces = [piece for delta in deltas for piece in chunker.feed(delta)]
    return [piece.raw for piece in [*pieces, *chunker.flush()]]


@given(TEXTS, LANGUAGES)
@settings(max_examples=300, deadline=None)
def test_every_character_is_in_exactly_one_piece(text, language):
    assert "".join(raw_pieces([text], language)) == text


@given(TEXTS, LANGUAGES, st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=300, deadline=None)
@example("Version 3.14 is out. No. 5 too", "en", [9, 10, 24])
def test_any_split_into_deltas_gives_the_same_pieces(text, language, cuts):
    bounds = [0, *sorted(c % (len(text) + 1) for c in cuts), len(text)]
    deltas = [text[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]
    assert raw_pieces(deltas, language) == raw_pieces([text], language)


@given(TEXTS, LANGUAGES)
@settings(max_examples=300, deadline=None)
def test_one_character_at_a_time_gives_the_same_pieces(text, language):
    assert raw_pieces(list(text), language) == raw_pieces([text], language)


@given(TEXTS, LANGUAGES)
@settings(max_examples=200, deadline=None)
def test_pieces_are_bounded(text, language):
    assert all(len(piece) <= 420 for piece in raw_pieces([text * 20], language))


@pytest.mark.parametrize(
    "text",
    [
        "It costs $1,299.99 today.",
        "Meet at 12:30 sharp.",
        "Version 2.0.1 is ready.",
        "See Mr. Smith now.",
        "Take fruit e.g. apples.",
        "The U.S. has it.",
        "Use No. 5 here.",
        "Ask J. R. Tolkien then.",
        "Write to bob.smith@example.com today.",
        "Go to https://example.com/a?b=1,2 now.",
        "Open report.final.pdf first.",
        "It is 5 p.m. already.",
        "Call Acme Inc. about it.",
    ],
)
def test_what_only_looks_like_a_stop_does_not_cut(text):
    assert cut(text) == [text]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Yes. I am here.", ["Yes.", "I am here."]),
        ("Of course, I can help you with that.", ["Of course,", "I can help you with that."]),
        ("It is 42. That is all.", ["It is 42.", "That is all."]),
        ("No. I do not.", ["No.", "I do not."]),
        ("It closes at 5 p.m. We open at 9.", ["It closes at 5 p.m.", "We open at 9."]),
        ("Well... I see it.", ["Well... I see it."]),
        ("He said “Yes.” Then he left.", ["He said “Yes.”", "Then he left."]),
        ('He said "Yes." Then he left.', ['He said "Yes."', "Then he left."]),
        ("Milk\nEggs and bread", ["Milk", "Eggs and bread"]),
    ],
)
def test_english_pieces(text, pieces):
    assert cut(text) == pieces


@pytest.mark.parametrize(
    ("language", "text", "pieces"),
    [
        ("zh", "您好！请问有什么可以帮您？", ["您好！", "请问有什么可以帮您？"]),
        ("zh", "您的订单已发货，预计明天到。", ["您的订单已发货，", "预计明天到。"]),
        ("zh", "他说：「好的。」然后走了。", ["他说：「好的。」", "然后走了。"]),
        (
            "ja",
            "はい、承知しました。お待ちください。",
            ["はい、承知しました。", "お待ちください。"],
        ),
        ("ko", "네, 알겠습니다. 잠시만요.", ["네, 알겠습니다.", "잠시만요."]),
    ],
)
def test_asian_pieces(language, text, pieces):
    assert cut(text, language) == pieces


def test_a_sentence_end_is_spoken_without_waiting_for_more():
    for language, text in (("en", "Really?"), ("en", "Great!"), ("zh", "好的。"), ("ja", "はい。")):
        assert [piece.text for piece in ClauseChunker(language).feed(text)] == [text]


def test_a_clause_is_spoken_without_waiting_for_more():
    assert [piece.text for piece in ClauseChunker("en").feed("Of course,")] == ["Of course,"]
    assert [piece.text for piece in ClauseChunker("zh").feed("您的订单，")] == []
    assert [piece.text for piece in ClauseChunker("zh").feed("您的订单号，")] == ["您的订单号，"]


def test_a_full_stop_waits_for_one_more_character_only():
    chunker = ClauseChunker("en")
    assert chunker.feed("It is 3.") == []
    assert chunker.feed("5 now.") == []
    assert [piece.text for piece in chunker.feed(" ")] == ["It is 3.5 now."]


def test_the_first_piece_is_forced_after_ten_words():
    words = " ".join(f"word{number}" for number in range(40))
    pieces = cut(words)
    assert [len(piece.split()) for piece in pieces] == [10, 20, 10]


def test_a_forced_cut_prefers_the_start_of_a_clause():
    text = "I would love to tell you everything that I know about the old castle on the hill"
    assert cut(text)[0] == "I would love to tell you everything"


def test_a_forced_cut_does_not_part_a_year_from_its_number():
    pieces = cut("这个项目大约开始于我们公司2024年的第一个春天到现在一直没有停", "zh")
    assert any("2024年" in piece for piece in pieces)


def test_left_over_punctuation_is_in_no_spoken_text():
    chunker = ClauseChunker("en")
    pieces = [*chunker.feed("Really?! Yes!!"), *chunker.flush()]
    assert [piece.raw for piece in pieces] == ["Really?", "! Yes!!"]
    assert [piece.text for piece in pieces] == ["Really?", "Yes!!"]


def test_a_chunker_starts_afresh_after_flush():
    chunker = ClauseChunker("en")
    first = [*chunker.feed("Of course, my friend."), *chunker.flush()]
    assert [*chunker.feed("Of course, my friend."), *chunker.flush()] == first
