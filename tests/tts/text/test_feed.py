"""A text on its way from its writer's thread to its reader's."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.feed import TextFeed


@quick
@given(st.lists(st.text(max_size=5)), st.integers(0, 20))
def test_what_was_appended_is_read_from_anywhere_on(pieces: list[str], start: int) -> None:
    feed = TextFeed()
    for number, piece in enumerate(pieces, 1):
        feed.append(piece)
        so_far = "".join(pieces[:number])
        assert feed.text == so_far
        assert feed.read(start)[:2] == (so_far[start:], False)
    feed.end()
    assert feed.read()[:2] == ("".join(pieces), True)


def test_each_change_is_told_once_and_to_everyone_who_asked_before() -> None:
    feed = TextFeed("a")
    _, _, first = feed.read()
    _, _, same = feed.read()
    feed.append("b")
    _, _, second = feed.read()
    assert (first.done(), same.done(), second.done()) == (True, True, False)
    feed.end()
    assert second.done()
    assert feed.read()[2].done()


def test_a_text_that_has_ended_takes_no_more() -> None:
    for feed in (TextFeed.of("a"), TextFeed("a")):
        feed.end()
        feed.end()
        with pytest.raises(ValueError, match="has ended"):
            feed.append("b")
        assert feed.read()[:2] == ("a", True)


def test_a_reader_on_another_thread_misses_nothing() -> None:
    feed = TextFeed()
    read: list[str] = []

    def follow() -> None:
        complete = False
        while not complete:
            text, complete, changed = feed.read(sum(map(len, read)))
            read.append(text)
            if not complete:
                changed.result(timeout=10)

    reader = threading.Thread(target=follow, name="reader")
    reader.start()
    for number in range(2000):
        feed.append(f"{number} ")
    feed.end()
    reader.join(timeout=10)
    assert "".join(read) == "".join(f"{number} " for number in range(2000))
