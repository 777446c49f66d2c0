"""Which phones say which written word, with the real readers."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.cutting import ended
from tts.text.frontend import Frontend, Spoken
from tts.text.marks import written_words
from tts.text.mixed.runs import Run
from tts.text.phone_words import word_phones
from tts.text.spans import Span

BEFORE = "Said before. "


@pytest.fixture(scope="module")
def frontend() -> Frontend:
    return Frontend(732)


def read(frontend: Frontend, text: str, language: str) -> list[tuple[str, str, bool]]:
    """Each written word, its phones in one string, and whether they are exactly its own."""
    spoken = frontend.speak(ended(text, language=language), language)
    phones = [phone for run in spoken for phone in run.phones]
    whole = BEFORE + text
    clause = Span(len(BEFORE), len(whole))
    return [
        (word.span.of(whole), "".join(phones[int(word.start) : int(word.end)]), word.exact)
        for word in word_phones(whole, clause, spoken)
    ]


def exact(frontend: Frontend, text: str, language: str) -> str:
    """Written words with their phones; those that share theirs stand without."""
    found = read(frontend, text, language)
    return " ".join(f"{word}={phones}" if sure else word for word, phones, sure in found)


@pytest.mark.golden
@pytest.mark.parametrize(
    ("language", "text", "wanted"),
    [
        (
            "en",
            "Hello there, it's 3.14 for Dr. Smith",
            "Hello=HHAH0LOW1 there=DHEH1R it's=IH1TS 3.14=THRIY1POY1NTWAH1NFAO1R for=FAO1R"
            " Dr=DRAY1V Smith=SMIH1TH",
        ),
        ("en", "No", "No=NOW1"),
        ("en", "In 1999 $5 was a lot", "In=IH0N 1999 5 was=WAA1Z a=AH0 lot=LAA1T"),
        (
            "zh",
            "有3个人，2024年",
            "有=you3 3=san1 个=ge5 人=ren2 2024=EEer4ling2EEer4si04 年=nian2",
        ),
        ("zh", "好iPhone手机", "好=hao3 iPhone=AY1FOW1N 手=shou3 机=ji1"),
        ("yue", "我有3個蘋果", "我=YngYo5 有=YjYau5 3=YsYaam1 個=YgYo3 蘋=YpYing4 果=YgwYo2"),
        ("ja", "今日は3時に行きます", "今 日 は=wa 3=sa]N 時=ji に=ni 行=i き=ki ま=ma す=su"),
        ("ja", "きょう買った", "き ょ う=o 買=ka っ=cl た=ta"),
        ("ko", "안녕, 저는 3시에", "안녕=ㅇㅏㄴㄴㅣㅓㅇ 저는=ㅈㅓㄴㅡㄴ 3시에=ㅅㅔㅅㅣㅇㅔ"),
        ("ko", "값이 text도 좋아요!", "값이=ㄱㅏㅂㅆㅣ text도=TEH1KSTㄷㅗ 좋아요=ㅈㅗㅇㅏㅇㅣㅗ"),
    ],
)
def test_every_written_word_has_the_phones_that_say_it(
    frontend: Frontend, language: str, text: str, wanted: str
) -> None:
    assert exact(frontend, text, language) == wanted


@pytest.mark.golden
@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ["", "'", "...", "a", "don't 'quote' me - ever", "x y z 42%"]),
        ("zh", ["", "，", "嗯", "A股￥5^", "一点儿，好玩儿！", "℃ ℃"]),
        ("yue", ["", "。", "冇𠮷㗎", "呢個……5%"]),
        (
            "ja",
            ["", "、", "っ", "ー", "ん。", "ヴァイオリン１２個", "行って来た「はい」", "ゃ食べ"],
        ),
        ("ko", ["", " ", "밟히다 넓죽하다", " 안녕 ", "ㅋㅋ 읊고 3 시", "값,\n값"]),
    ],
)
def test_the_spoken_words_make_up_the_phones(
    frontend: Frontend, language: str, texts: list[str]
) -> None:
    for text in texts:
        spoken = frontend.read(Run(language, text))
        assert spoken.words is not None
        assert sum(count for _, count in spoken.words) == len(spoken.phones), text
        assert all(count >= 0 for _, count in spoken.words)


def test_words_that_share_their_phones_take_them_by_length() -> None:
    spoken = Spoken("en", "", "", tuple("abcdefghij"), None, (("one", 2), ("two", 6), ("x", 2)))
    words = word_phones("aaaa bb x", Span(0, 9), [spoken])
    assert [(w.start, w.end, w.exact) for w in words] == [
        (0, pytest.approx(16 / 3), False),
        (pytest.approx(16 / 3), 8, False),
        (8, 10, True),
    ]


def test_a_word_in_several_characters_is_shared_out_and_its_neighbours_are_not() -> None:
    spoken = Spoken("ja", "", "", tuple("kyouwa"), None, (("今日", 4), ("は", 2)))
    words = word_phones("今日は", Span(0, 3), [spoken])
    assert [(w.start, w.end, w.exact) for w in words] == [
        (0, 2, False),
        (2, 4, False),
        (4, 6, True),
    ]


def test_pauses_belong_to_no_word() -> None:
    words = (("a", 2), (",", 1), ("b", 3))
    spoken = Spoken("en", "", "", ("[", "EY1", ",", "B", "IY1", "空"), None, words)
    found = word_phones("a, b", Span(0, 4), [spoken])
    assert [(w.start, w.end) for w in found] == [(1, 2), (3, 5)]


def test_a_mark_that_the_frontend_puts_first_moves_the_phones_of_all_words() -> None:
    spoken = [
        Spoken("en", "", "", (".", "B", "IY1"), None, ((".", 1), ("b", 2))),
        Spoken("zh", "", "", ("h", "ao3", "."), (2, 1), (("好", 2), (".", 1))),
    ]
    found = word_phones("...b好", Span(3, 5), spoken)
    assert [(w.span, w.start, w.end) for w in found] == [(Span(3, 4), 1, 3), (Span(4, 5), 3, 5)]


def test_a_word_that_nothing_says_has_no_phones_and_its_place_in_the_order() -> None:
    spoken = Spoken("en", "", "", ("B", "IY1"), None, (("b", 2),))
    found = word_phones("b 안녕", Span(0, 4), [spoken])
    assert [(w.start, w.end, w.exact) for w in found] == [(0, 2, True), (2, 2, False)]


def test_a_run_whose_words_are_not_known_is_shared_out() -> None:
    spoken = Spoken("en", "", "xx yyyy", ("B", "IY1", "D"), None)
    found = word_phones("aa bbbb", Span(0, 7), [spoken])
    assert [(w.start, w.end, w.exact) for w in found] == [(0, 1, False), (1, 3, False)]


@quick
@given(
    written=st.text("ab今日3, ", max_size=12),
    said=st.lists(st.tuples(st.text("ab今日三,", max_size=3), st.integers(0, 3)), max_size=8),
)
def test_whatever_is_said_words_are_in_order_and_no_sound_is_nobodys(
    written: str, said: list[tuple[str, int]]
) -> None:
    phones = ("a",) * sum(count for _, count in said)
    clause = Span(0, len(written))
    found = word_phones(written, clause, [Spoken("ja", "", "", phones, None, tuple(said))])
    assert [word.span for word in found] == written_words(written, clause)
    edges = [edge for word in found for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= len(phones) for edge in edges)
    for word in found:
        assert not word.exact or (word.start < word.end and word.start == int(word.start))
    # What is said in letters is some word's, what is a mark's is nobody's.
    covered = {place for w in found for place in range(int(w.start), ceil(w.end))}
    places = iter(range(len(phones)))
    for name, count in said:
        mine = {next(places) for _ in range(count)}
        assert not found or not name.strip(",") or mine <= covered
