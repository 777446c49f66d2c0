from tts.text.en.words import words


def test_words_keep_what_stands_inside_them() -> None:
    assert words("Don't ask my mother-in-law, OK?") == [
        "Don't", "ask", "my", "mother-in-law", ",", "OK", "?",
    ]  # fmt: skip


def test_a_hyphen_or_an_apostrophe_at_an_edge_is_a_mark() -> None:
    assert words("Wi- Fi 'n' -x") == ["Wi", "-", "Fi", "'", "n", "'", "-", "x"]


def test_what_looks_like_a_web_site_is_one_word() -> None:
    assert words("see www.example.com. or a.m. there") == [
        "see", "www.example.com", ".", "or", "a", ".", "m", ".", "there",
    ]  # fmt: skip
