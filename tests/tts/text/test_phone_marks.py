"""Marks of phones whose places become known one after another."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import Split, law, splits
from tts.text.phone_marks import PhoneMarks
from tts.text.phone_words import WordPhones
from tts.text.spans import Span
from tts.types import MARK_KINDS, Mark

RATE_HZ = 1000
# "Bee, 今日 a": a pause, and two characters that share their phones.
PHONES = ("B", "IY1", ",", "ky", "o", "o", "EY1")
WORDS = (
    WordPhones(Span(0, 3), 0, 2, True),
    WordPhones(Span(5, 6), 3, 4.5, False),
    WordPhones(Span(6, 7), 4.5, 6, False),
    WordPhones(Span(8, 9), 6, 7, True),
)
HEARD = ((10, 100), (100, 200), (200, 250), (260, 300), (300, 400), (400, 480), (480, 600))
END = 700


def made(split: Split, wanted: tuple[str, ...] = MARK_KINDS) -> list[tuple[Mark, ...]]:
    marks = PhoneMarks(wanted, sample_rate_hz=RATE_HZ)
    marks.extend(PHONES, WORDS)
    return [marks.feed(HEARD[start:end]) for start, end in split] + [marks.end(END)]


def of_kind(kind: str, given: list[tuple[Mark, ...]]) -> list[Mark]:
    return [mark for marks in given for mark in marks if mark.kind == kind]


def test_a_word_is_marked_when_its_last_phone_is_known() -> None:
    given = made([(n, n + 1) for n in range(7)], wanted=())
    assert [[mark.text_start for mark in marks] for marks in given] == [
        *[[], [0], [], [], [5], [6], [8]],
        [],
    ]
    assert [(m.start_s, m.end_s, m.estimated) for m in of_kind("word", given)] == [
        (0.01, 0.2, False),
        (0.26, 0.35, True),
        (0.35, 0.48, True),
        (0.48, 0.6, False),
    ]


def test_words_alone_are_marked_unless_more_is_wanted() -> None:
    assert {mark.kind for marks in made([(0, 7)], wanted=()) for mark in marks} == {"word"}
    assert of_kind("viseme", made([(0, 7)], wanted=("phone",))) == []


def test_every_phone_is_marked_with_its_symbol_and_its_word() -> None:
    phones = of_kind("phone", made([(0, 7)]))
    assert [mark.label for mark in phones] == list(PHONES)
    assert [(m.text_start, m.text_end) for m in phones] == [
        (0, 3), (0, 3), (3, 3), (5, 6), (6, 7), (6, 7), (8, 9),
    ]  # fmt: skip
    assert [(m.start_s, m.end_s) for m in phones] == [
        (start / RATE_HZ, end / RATE_HZ) for start, end in HEARD
    ]


def test_visemes_cover_all_of_the_audio_and_close_the_lips_for_b() -> None:
    visemes = of_kind("viseme", made([(0, 7)]))
    assert [mark.label for mark in visemes] == "sil PP ih sil kk oh E ih sil".split()
    assert [mark.end_s for mark in visemes] == [m.start_s for m in visemes[1:]] + [END / RATE_HZ]
    assert visemes[0].start_s == 0
    assert (visemes[1].start_s, visemes[1].end_s) == (0.01, 0.1)
    assert [(m.text_start, m.text_end) for m in visemes[:4]] == [(0, 0), (0, 3), (0, 3), (3, 3)]


@law
@given(split=splits(len(PHONES)))
def test_marks_do_not_depend_on_how_the_phones_come(split: Split) -> None:
    whole, pieces = made([(0, len(PHONES))]), made(split)
    for kind in MARK_KINDS:
        assert of_kind(kind, pieces) == of_kind(kind, whole)
    for marks in pieces:
        assert all(a.start_s <= b.start_s for a, b in pairwise(marks))


def test_clauses_follow_each_other() -> None:
    marks = PhoneMarks(MARK_KINDS, sample_rate_hz=RATE_HZ)
    marks.extend(PHONES, WORDS)
    given = [marks.feed(HEARD)]
    marks.extend(("M", "."), [WordPhones(Span(10, 11), 0, 1, True)])
    given.append(marks.feed([(650, 700), (700, 750)]))
    given.append(marks.end(800))
    words, visemes = of_kind("word", given), of_kind("viseme", given)
    assert (words[-1].text_start, words[-1].start_s) == (10, 0.65)
    assert [m.label for m in visemes][-3:] == ["sil", "PP", "sil"]
    assert [m.end_s for m in visemes] == [m.start_s for m in visemes[1:]] + [0.8]
    assert marks.phones == len(PHONES) + 2


@given(times=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), min_size=7, max_size=7))
@law
def test_times_of_a_kind_never_go_back_whatever_they_are(times: list[tuple[int, int]]) -> None:
    marks = PhoneMarks(MARK_KINDS, sample_rate_hz=RATE_HZ)
    marks.extend(PHONES, WORDS)
    given = [marks.feed(times), marks.end(1000)]
    for kind in MARK_KINDS:
        of_it = of_kind(kind, given)
        assert all(mark.start_s <= mark.end_s for mark in of_it)
        assert all(a.end_s <= b.start_s for a, b in pairwise(of_it))


def test_what_was_never_heard_is_marked_at_the_end_as_estimated() -> None:
    marks = PhoneMarks(("phone",), sample_rate_hz=RATE_HZ)
    marks.extend(PHONES, WORDS)
    given = [marks.feed(HEARD[:4]), marks.end(300)]
    words = of_kind("word", given)
    assert [(m.start_s, m.end_s, m.estimated) for m in words] == [
        (0.01, 0.2, False),
        (0.26, 0.3, True),
        (0.3, 0.3, True),
        (0.3, 0.3, True),
    ]
    assert [m.estimated for m in of_kind("phone", given)] == [False] * 4 + [True] * 3
    assert marks.end(300) == ()


def test_a_text_without_words_has_no_marks_of_words() -> None:
    marks = PhoneMarks(sample_rate_hz=RATE_HZ)
    marks.extend((".",), ())
    assert marks.feed([(0, 10)]) == marks.end(20) == ()


def test_a_word_that_nothing_says_is_marked_where_it_would_be() -> None:
    marks = PhoneMarks(sample_rate_hz=RATE_HZ)
    marks.extend(("B",), [WordPhones(Span(0, 1), 0, 1, True), WordPhones(Span(2, 3), 1, 1, False)])
    (first, second) = marks.feed([(5, 10)])
    assert (second.start_s, second.end_s, second.estimated) == (first.end_s, 0.01, True)
    assert pytest.approx(first.start_s) == 0.005
