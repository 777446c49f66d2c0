"""The heard clock cuts at words."""

from hypothesis import given
from hypothesis import strategies as st

from agent.turns.heard import HeardText
from tts.types import Mark


def spoken(*pieces: str, lead: str = " ", word_s: float = 0.5) -> HeardText:
    """Pieces in which every space-separated word takes `word_s`."""
    heard, start_s = HeardText(), 0.0
    for piece in pieces:
        heard.add_piece(piece, start_s, lead=lead)
        at, marks = 0, []
        for index, word in enumerate(piece.split()):
            at = piece.index(word, at)
            core = word.rstrip(".,!?\"'")
            marks.append(Mark(at, at + len(core), index * word_s, (index + 1) * word_s))
            at += len(core)
        heard.add_marks(marks)
        start_s += len(marks) * word_s
    return heard


def said(heard: HeardText, position_s: float) -> str:
    words = heard.heard(position_s)
    assert words == heard.text[: heard.heard_chars(position_s)]
    return words


def test_nothing_is_heard_before_half_of_the_first_word() -> None:
    assert said(spoken("Hello world."), 0.2) == ""


def test_a_word_counts_from_its_middle_and_keeps_its_punctuation() -> None:
    heard = spoken('Hello, "world."', "Next one.")
    assert said(heard, 0.25) == "Hello,"
    assert said(heard, 0.9) == 'Hello, "world."'
    assert said(heard, 1.3) == 'Hello, "world." Next'
    assert said(heard, 99) == 'Hello, "world." Next one.'


def test_chinese_pieces_are_joined_without_spaces() -> None:
    heard = HeardText()
    heard.add_piece("你好，", 0.0)
    heard.add_marks([Mark(0, 1, 0.0, 0.2), Mark(1, 2, 0.2, 0.4)])
    heard.add_piece("世界。", 0.4)
    heard.add_marks([Mark(0, 1, 0.0, 0.2), Mark(1, 2, 0.2, 0.4)])
    assert said(heard, 0.55) == "你好，世"


def test_the_next_word_is_told_ahead() -> None:
    heard = spoken("one two")
    assert heard.next_word_s(0.0) == 0.25
    assert heard.next_word_s(0.25) == 0.75
    assert heard.next_word_s(0.75) is None


@given(st.lists(st.sampled_from(["a b", "one, two!", "x"]), min_size=1), st.floats(0, 30))
def test_heard_text_is_a_growing_prefix(pieces: list[str], position_s: float) -> None:
    heard = spoken(*pieces)
    assert heard.heard_chars(position_s) <= heard.heard_chars(position_s + 0.1)
    assert heard.heard_chars(1e9) == len(heard.text)


def test_a_piece_whose_audio_was_lost_is_not_heard() -> None:
    heard = spoken("One two.", "Lost words here.", "Three.")
    lost = HeardText()
    lost.add_piece("One two.", 0.0)
    lost.add_marks([Mark(0, 3, 0.0, 0.5), Mark(4, 7, 0.5, 1.0)])
    lost.add_piece("Lost words here.", 1.0, lead=" ")
    lost.add_marks([Mark(0, 4, 0.0, 0.5), Mark(5, 10, 0.5, 1.0)])
    assert lost.break_off(1.6) == len("Lost")
    lost.add_piece("Three.", 1.6, lead=" ")
    lost.add_marks([Mark(0, 5, 0.0, 0.5)])
    assert lost.heard(99) == "One two. Lost Three."
    assert lost.text == heard.text


def test_a_piece_grows_while_it_is_spoken() -> None:
    heard = HeardText()
    heard.add_piece("One", 2.0)
    heard.add_text(" two,")
    heard.add_marks([Mark(0, 3, 0.0, 0.5), Mark(4, 7, 0.5, 1.0)])
    heard.add_text(" three.")
    assert said(heard, 3.0) == "One two,"
    assert heard.text == "One two, three."


def test_what_broke_off_goes_on_in_the_same_text() -> None:
    heard = HeardText()
    heard.add_piece("Before.", 0.0)
    heard.add_marks([Mark(0, 6, 0.0, 0.5)])
    heard.add_piece("One two, three four.", 0.5, lead=" ")
    heard.add_marks([Mark(0, 3, 0.0, 0.5), Mark(4, 7, 0.5, 1.0), Mark(9, 14, 1.0, 1.5)])
    spoken = heard.break_off(1.6)
    assert spoken == len("One two,")
    heard.go_on_at(spoken, 1.6)
    heard.add_marks([Mark(1, 6, 0.0, 0.5), Mark(7, 11, 0.5, 1.0)])
    assert said(heard, 1.7) == "Before. One two,"
    assert said(heard, 1.9) == "Before. One two, three"
    assert said(heard, 99) == heard.text == "Before. One two, three four."


def test_what_broke_off_before_its_first_word_begins_again() -> None:
    heard = HeardText()
    heard.add_piece("Before.", 0.0)
    heard.add_marks([Mark(0, 6, 0.0, 0.5)])
    heard.add_piece("One.", 0.5, lead=" ")
    heard.go_on_at(heard.break_off(0.7), 0.7)
    heard.add_marks([Mark(0, 3, 0.0, 0.5)])
    assert heard.next_word_s(0.5) == 0.95
    assert said(heard, 99) == "Before. One."
