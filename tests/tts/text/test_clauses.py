"""Texts cut while they are being written."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.tts.laws import splits
from tests.tts.properties import quick
from tts.text.clauses import Clause, clauses
from tts.text.feed import TextFeed
from tts.text.split import split

SAMPLES = (
    'Dr. Smith paid 3.14 to J. Doe, who laughed. Well... maybe (not)! "Stop!" he said, e.g. now',
    "At 10:30, we met; it cost 3,500.50 euros — too much? Yes. 🙂👍 No 1, 2, 3.\n\nNext: line\n",
    "你好，我是客服，请问有什么可以帮您？我们10：30见，一共3，5个…好的。“真的！”她说。",
    "こんにちは、今日は2時です。明日は「雨」です！はい",
    "안녕하세요, 오늘은 날씨가 좋네요. 네, 알겠습니다!",
    "我们用 GPT-SoVITS, OK？Let's go，现在。 \u3000 \t ... !!! ",
    "a" * 90 + "，" + "b" * 70,
)
TEXTS = st.one_of(
    st.sampled_from(SAMPLES),
    st.text(st.sampled_from('ab1好は네。，,.:：… \n!"—()🙂\u3000'), max_size=120),
    st.text(max_size=60),
)
LIMITS = st.tuples(st.integers(1, 60), st.integers(5, 80))


class Reader:
    """Asks for clauses as an engine does: after a future, not before it is done."""

    def __init__(self, feed: TextFeed, *, first: int = 200, most: int = 200) -> None:
        self.found: list[Clause] = []
        self.texts: list[str] = []
        self.over = False
        self.waits_for: Future[None] | None = None
        self._clauses = clauses(feed, first_chars=first, max_chars=most)

    def ask(self, most: int = 1000) -> list[str]:
        """Take up to so many clauses; their texts."""
        found = list(self._take(most))
        self.found += found
        self.texts += [clause.text for clause in found]
        return [clause.text for clause in found]

    def _take(self, most: int) -> Iterator[Clause]:
        for _ in range(most):
            while True:
                if self.waits_for is not None and not self.waits_for.done():
                    return
                item = next(self._clauses, None)
                if item is None:
                    self.over = True
                    return
                if not isinstance(item, Future):
                    yield item
                    break
                self.waits_for = item


def fed(*pieces: str, **limits: int) -> list[list[str]]:
    """What is said after each piece, and after the end."""
    feed = TextFeed()
    reader = Reader(feed, **limits)
    said = []
    for piece in pieces:
        feed.append(piece)
        said.append(reader.ask())
    feed.end()
    return [*said, reader.ask()]


@quick
@given(TEXTS, st.data(), LIMITS)
def test_however_a_text_arrives_every_word_is_said_once_and_in_order(
    text: str, data: st.DataObject, limits: tuple[int, int]
) -> None:
    first, most = limits
    feed = TextFeed()
    reader = Reader(feed, first=first, most=most)
    for start, end in data.draw(splits(len(text))):
        feed.append(text[start:end])
        reader.ask(data.draw(st.integers(0, 3)))
    feed.end()
    reader.ask()
    assert reader.over
    spans = [clause.span for clause in reader.found]
    assert all(a.end <= b.start for a, b in pairwise(spans))
    inside = {i for span in spans for i in range(span.start, span.end)}
    assert [i for i, char in enumerate(text) if char.isalnum() and i not in inside] == []
    assert reader.texts == [span.of(text) for span in spans]
    assert all(any(char.isalnum() for char in said) for said in reader.texts)
    assert all(len(said) <= most for said in reader.texts)
    assert [said for said in reader.texts if said != said.strip()] == []
    # The last is known as the last when it is given.
    assert [c.is_last for c in reader.found] == [False] * (len(spans) - 1) + [True] * bool(spans)
    assert [c.begins_sentence for c in reader.found[:1]] == [True] * bool(spans)


@quick
@given(TEXTS, LIMITS)
def test_a_text_that_was_complete_is_cut_whole(text: str, limits: tuple[int, int]) -> None:
    first, most = limits
    feed = TextFeed()
    for char in text:
        feed.append(char)
    feed.end()
    reader = Reader(feed, first=first, most=most)
    reader.ask()
    expected = split(text, first_chars=first, max_chars=most)
    assert [clause.span for clause in reader.found] == expected


@quick
@given(TEXTS, st.integers(0, 120), LIMITS)
@example("Hm", 0, (5, 5))
def test_what_is_said_early_does_not_depend_on_what_follows(
    text: str, cut: int, limits: tuple[int, int]
) -> None:
    """The same beginning gives the same first clauses, whatever comes then."""
    first, most = limits
    early = []
    for rest in (text[cut:], "", " x. y"):
        feed = TextFeed(text[:cut])
        reader = Reader(feed, first=first, most=most)
        early.append(reader.ask())
        feed.append(rest)
        feed.end()
        reader.ask()
        assert reader.texts[: len(early[-1])] == early[-1]
    assert early[0] == early[1] == early[2]


@quick
@given(TEXTS, LIMITS)
def test_a_reader_that_waits_holds_back_one_phrase_at_most(
    text: str, limits: tuple[int, int]
) -> None:
    first, most = limits
    feed = TextFeed(text)
    reader = Reader(feed, first=first, most=most)
    reader.ask()
    start = reader.found[-1].span.end if reader.found else 0
    said = [i for i in range(start, len(text)) if text[i].isalnum()]
    held = text[said[0] : said[-1] + 1] if said else ""
    # No sentence with something to say and something behind it, and none that is too long.
    assert len(held) <= most
    assert len(split(held, first_chars=most, max_chars=most)) <= 1


@quick
@given(TEXTS, st.data())
def test_sentences_begin_where_they_begin_in_the_whole_text(text: str, data: st.DataObject) -> None:
    feed = TextFeed()
    reader = Reader(feed)
    for start, end in data.draw(splits(len(text))):
        feed.append(text[start:end])
        reader.ask(data.draw(st.integers(0, 3)))
    feed.end()
    reader.ask()
    starts = [clause.span.start for clause in reader.found if clause.begins_sentence]
    assert starts == [span.start for span in split(text, first_chars=200, max_chars=200)]


def test_a_clause_is_said_once_something_follows_it() -> None:
    assert fed("Good morning", ", ", "every", "body. ", "How", " are you?") == [
        [],
        [],
        ["Good morning,"],
        [],
        ["everybody."],
        [],
        ["How are you?"],
    ]


def test_whole_sentences_that_are_there_are_said_whole() -> None:
    assert fed("One, two, three, go on. Four, five, six, go on. And then, later, all") == [
        ["One, two, three, go on.", "Four, five, six, go on.", "And then, later,"],
        ["all"],
    ]


def test_too_little_is_not_said_by_itself() -> None:
    assert fed("Well, ", "yes, ", "but ", "no")[:3] == [[], [], []]
    assert fed("好，", "没问", "题，", "明天", "见。")[2:] == [
        [],
        ["好，没问题，"],
        [],
        ["明天见。"],
    ]
    assert fed("네, ", "알겠습니다, ", "지금") == [[], [], ["네, 알겠습니다,"], ["지금"]]


@pytest.mark.parametrize(
    "text",
    [
        "The price is now 3,500 or so",
        "The train leaves at 10:30 or so",
        "It is about 3.14 or so",
        "We spoke to Dr. Smith or so",
        "We spoke to J. R. Smith or so",
        "我们明天上午10：30见面",
        "这个数字大概是3，500左右",
    ],
)
def test_numbers_times_and_titles_stay_whole_wherever_the_text_is_cut(text: str) -> None:
    for cut in range(len(text)):
        assert fed(text[:cut], text[cut:]) == [[], [], [text]]
    assert fed(*text) == [[]] * len(text) + [[text]]


def test_closing_quotes_and_what_cannot_be_said_stay_with_their_sentence() -> None:
    said = fed('"Stop', "!", '"', " he said", ". ", "🙂", ".", " Go")
    assert said == [[], [], [], ['"Stop!"'], [], [], [], ["he said. 🙂."], ["Go"]]


def test_a_first_sentence_that_is_long_is_begun_at_a_mark_near_the_bound() -> None:
    text = "In my opinion, which is not asked for, this is wrong, and always was"
    assert fed(text, first=20) == [
        ["In my opinion,", "which is not asked for, this is wrong,"],
        ["and always was"],
    ]
    assert fed(text, first=5)[0][0] == "In my opinion,"


def test_a_sentence_without_marks_is_cut_where_it_is_too_long() -> None:
    assert fed("aaa bbb ccc", " ddd", first=8, most=8) == [["aaa bbb"], [], ["ccc ddd"]]
    assert fed("a" * 10, "a", most=4) == [["aaaa", "aaaa"], [], ["aaa"]]


def test_nothing_to_say_is_waited_for_and_left_out() -> None:
    assert fed("...", " \n", "!", " Yes", "", " \t", "?") == [[]] * 7 + [["Yes \t?"]]
    assert fed("", " ", "…") == [[], [], [], []]


def sentences(*pieces: str, **limits: int) -> list[tuple[str, bool]]:
    feed = TextFeed()
    reader = Reader(feed, **limits)
    for piece in pieces:
        feed.append(piece)
        reader.ask()
    feed.end()
    reader.ask()
    return [(clause.text, clause.begins_sentence) for clause in reader.found]


def test_a_clause_tells_whether_it_begins_a_sentence() -> None:
    assert sentences("First of all, ", "y", "es. Second", "ly, I think, ", "no. ", "Third") == [
        ("First of all,", True),
        ("yes.", False),
        ("Secondly, I think,", True),
        ("no.", False),
        ("Third", True),
    ]


def test_parts_of_a_long_sentence_begin_none() -> None:
    text = "aaa bbb ccc. ddd"
    expected = [("aaa bbb", True), ("ccc.", False), ("ddd", True)]
    assert sentences(text, first=8, most=8) == expected
    assert sentences(*text, first=8, most=8) == expected


def test_a_sentence_whose_beginning_cannot_be_said_is_begun_by_what_can() -> None:
    assert sentences("((((((((a", most=5) == [("(((a", True)]


def work(pieces: Sequence[str]) -> int:
    """Characters read of a text that comes in pieces."""
    feed = CountingFeed()
    reader = Reader(feed, first=20, most=60)
    for piece in pieces:
        feed.append(piece)
        reader.ask()
    feed.end()
    reader.ask()
    assert reader.over
    return feed.chars_read


class CountingFeed(TextFeed):
    chars_read = 0

    def read(self, start: int = 0) -> tuple[str, bool, "Future[None]"]:
        text, complete, changed = super().read(start)
        self.chars_read += len(text)
        return text, complete, changed


@pytest.mark.parametrize("unit", ["word ", "word, and so on, ", "。", " ", "好", "Hi. "])
def test_a_text_twice_as_long_is_twice_the_work(unit: str) -> None:
    short, long = work(list(unit * 80)), work(list(unit * 160))
    assert long <= 2 * short + 1000
