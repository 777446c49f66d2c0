from tts.text.zh.words import halves


def test_a_word_is_cut_at_its_shortest_part() -> None:
    assert halves("蒙古包") == ("蒙古", "包")
    assert halves("纸老虎") == ("纸", "老虎")
    assert halves("老虎") == ("老虎", "")


def test_single_characters_are_one_word_with_one_that_the_model_has_never_seen() -> None:
    assert halves("我嘅") == ("我嘅", "")
    assert halves("嘅嘢冇") == ("嘅嘢冇", "")
