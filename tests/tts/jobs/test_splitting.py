"""Passages of a long text: nothing is lost, nothing is too long, sentences stay whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tts.jobs.splitting import passage_end


def passages(text: str, max_chars: int) -> list[str]:
    found, start = [], 0
    while start < len(text):
        end = passage_end(text, start, max_chars)
        found.append(text[start:end])
        start = end
    return found


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["Dr. ", "Hello there. ", "3,500.50", "，", "好的。", "\n\n", " ", "x" * 9, "…"]
        )
        | st.text(max_size=12),
        max_size=80,
    ).map("".join),
    st.integers(1, 60),
)
def test_joined_passages_are_the_text_and_none_is_too_long_or_empty(
    text: str, max_chars: int
) -> None:
    found = passages(text, max_chars)
    assert "".join(found) == text
    assert [part for part in found if not 0 < len(part) <= max_chars] == []


def test_a_short_text_is_one_passage() -> None:
    assert passages("One. Two.\n\nThree.", 100) == ["One. Two.\n\nThree."]


def test_passages_end_with_sentences() -> None:
    first = "Dr. Ash paid 3,500.50 in May. She left, as they said. "
    second = "Nobody knew why! And then? It rained."
    assert passages(first + second, 60) == [first, second]


def test_a_paragraph_ends_a_passage_unless_that_leaves_it_short() -> None:
    long, short = "This one is long enough to stand alone here.", "Short."
    assert passages(f"{long}\n\n{short} {long}", 60) == [f"{long}\n\n", f"{short} {long}"]
    assert passages(f"{short}\n\n{long} {short}", 60) == [f"{short}\n\n{long} {short}"]


def test_a_sentence_that_is_too_long_is_cut_at_clauses_then_words_then_anywhere() -> None:
    assert passages("one two three four, five six seven eight, nine ten", 30) == [
        "one two three four, ",
        "five six seven eight, nine ten",
    ]
    assert passages("one two three four five six seven", 14) == [
        "one two ",
        "three four ",
        "five six seven",
    ]
    assert passages("x" * 25, 10) == ["x" * 5] * 3 + ["x" * 10]


def test_a_run_of_marks_is_cut_anywhere() -> None:
    assert passages("..." * 5, 10) == ["." * 10, "." * 5]


def test_the_next_end_depends_only_on_what_the_passage_can_hold() -> None:
    text = "A sentence here. " * 50
    assert [passage_end(text[start : start + 90], 0, 90) for start in (0, 17, 34)] == [90] * 3
    assert passage_end(text, 34, 90) - 34 == passage_end(text[34:], 0, 90)
