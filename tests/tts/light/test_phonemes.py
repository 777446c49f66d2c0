"""Model times carried over to the written words."""

from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.light.phonemes import Token, timed, to_ids
from tts.text.marks import to_marks
from tts.text.spans import Span, words

VOCABULARY = {char: i + 1 for i, char in enumerate("abcdefghijklmnopqrstuvwxyz .,")}
LETTERS = st.text(st.sampled_from("abc 5$.,好é"), min_size=1, max_size=30)


def spelled(text: str) -> list[Token]:
    """A language whose phonemes are its letters."""
    tokens = []
    last = 0
    for span in words(text):
        tokens += [Token("", text[last : span.start]), Token(span.of(text), span.of(text).lower())]
        last = span.end
    return [*tokens, Token("", text[last:])]


def test_words_take_the_times_of_their_phonemes() -> None:
    text = "ab, cd"
    tokens = spelled(text)
    edges = [10, 20, 30, 40, 50, 60, 70]
    assert len(edges) == len(to_ids(tokens, VOCABULARY)) + 1
    heard = timed(text, Span(0, 6), tokens, VOCABULARY, edges)
    assert [(h.span.of(text), h.start, h.end) for h in heard] == [("ab", 10, 30), ("cd", 50, 70)]


def test_a_number_takes_all_the_words_it_is_read_as() -> None:
    text = "a $5 b"
    tokens = [Token(t, t) for t in ("a", "five", "dollars", "b")]
    edges = list(range(0, 14 * 10, 10))
    heard = timed(text, Span(0, 6), tokens, VOCABULARY, edges)
    assert [(h.start, h.end) for h in heard] == [(0, 10), (10, 120), (120, 130)]


def test_words_the_model_cannot_say_have_no_length_where_they_stand() -> None:
    text = "a 好 b"
    tokens = [Token("a", "a"), Token("", " "), Token("b", "b")]
    heard = timed(text, Span(0, 5), tokens, VOCABULARY, [0, 10, 20, 30])
    assert [(h.start, h.end) for h in heard] == [(0, 10), (10, 10), (20, 30)]


def test_a_clause_in_the_middle_indexes_the_whole_text() -> None:
    text = "xx. ab"
    heard = timed(text, Span(4, 6), spelled("ab"), VOCABULARY, [0, 10, 20])
    assert [h.span for h in heard] == [Span(4, 6)]


@quick
@given(LETTERS, LETTERS, st.data())
def test_marks_are_in_order_and_cover_every_word_whatever_is_spoken(
    text: str, said: str, data: st.DataObject
) -> None:
    tokens = spelled(said)
    count = len(to_ids(tokens, VOCABULARY))
    steps = data.draw(st.lists(st.integers(0, 50), min_size=count + 1, max_size=count + 1))
    edges = [sum(steps[: i + 1]) for i in range(count + 1)]
    cut = data.draw(st.integers(0, 60))
    heard = timed(text, Span(0, len(text)), tokens, VOCABULARY, edges)
    marks = to_marks(heard, cut=cut, voiced_end=40, offset=7, sample_rate_hz=100, estimated=False)
    assert [Span(m.text_start, m.text_end) for m in marks] == words(text)
    assert all(0.07 <= m.start_s <= m.end_s <= 0.47 for m in marks)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in zip(marks, marks[1:], strict=False))
