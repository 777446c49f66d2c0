import pytest

from tts.text.symbols import UNKNOWN, Symbols, symbols


def test_the_first_table_is_the_start_of_the_second() -> None:
    assert [len(symbols(size)) for size in (322, 732)] == [322, 732]
    assert symbols(322).ids(["!", "UNK", "zuo5"]) == [0, 86, 86]
    assert symbols(322).ids(["AA0", "zh", "…"]) == symbols(732).ids(["AA0", "zh", "…"])
    assert symbols(732).ids(["[", "]", "空", "Yzou6", "…"]) == [322, 323, 352, 86, 321]


def test_an_unknown_phone_becomes_the_unknown_one() -> None:
    assert symbols(322).known(["[", "a", "#"]) == [UNKNOWN, "a", UNKNOWN]
    assert symbols(732).known(["[", "a", "#"]) == ["[", "a", UNKNOWN]


def test_a_size_that_no_version_has_is_refused() -> None:
    with pytest.raises(ValueError, match=r"512 is not the size of a phone table; allowed: \(322"):
        Symbols(512)
