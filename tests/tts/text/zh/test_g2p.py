from collections.abc import Sequence

import pytest

from tts.text.zh import erhua, g2p, sandhi, syllables


def said(text: str, *, joins_er: bool = True) -> str:
    return " ".join(g2p.phones(text, joins_er=joins_er)[0])


@pytest.mark.parametrize(
    ("initial", "final", "phones"),
    [
        ("n", "i3", ["n", "i3"]),
        ("", "ian4", ["y", "En4"]),
        ("", "ie4", ["y", "E4"]),
        ("", "van2", ["y", "van2"]),
        ("j", "v4", ["j", "v4"]),
        ("zh", "i1", ["zh", "ir1"]),
        ("s", "i4", ["s", "i04"]),
        ("g", "uei4", ["g", "ui4"]),
        ("", "uen4", ["w", "en4"]),
        ("", "er2", ["EE", "er2"]),
        ("", "a1", ["AA", "a1"]),
        ("h", "ng5", ["UNK"]),
        ("", "", ["UNK"]),
    ],
)
def test_a_syllable_is_two_phones(initial: str, final: str, phones: Sequence[str]) -> None:
    assert syllables.phones(initial, final) == phones


def test_the_first_of_two_third_tones_rises() -> None:
    assert said("你好") == "n i2 h ao3"
    assert said("展览馆") == "zh an2 l an2 g uan3"


def test_bu_and_yi_change_before_a_falling_tone() -> None:
    assert said("不怕") == "b u2 p a4"
    assert said("一段") == "y i2 d uan4"
    assert said("一天") == "y i4 t ian1"
    assert said("看一看") == "k an4 y i5 k an4"


def test_suffixes_and_doubled_words_lose_their_tone() -> None:
    assert said("桌子") == "zh uo1 z i05"
    assert said("奶奶") == "n ai3 n ai5"


def test_only_later_versions_join_the_suffix_er() -> None:
    assert said("一点儿", joins_er=False) == "y i4 d ian3 EE er2"
    assert said("一点儿") == "y i4 d ian3 EE er3"
    assert erhua.coloured("女儿", "n", ["v3", "er2"]) == ["v3", "er2"]
    assert erhua.coloured("小芳儿", "nr", ["iao3", "ang1", "er2"]) == ["iao3", "ang1", "er2"]


def test_words_are_joined_where_a_tone_reaches_across() -> None:
    assert sandhi.joined([("不", "d"), ("是", "v")]) == [("不是", "v")]
    assert sandhi.joined([("听", "v"), ("一", "m"), ("听", "v")]) == [("听一听", "v")]


def test_each_character_has_its_count_and_a_mark_has_one() -> None:
    phones, counts = g2p.phones("好,坏.", joins_er=True)
    assert (phones, counts) == (["h", "ao3", ",", "h", "uai4", "."], [2, 1, 2, 1])


def test_the_answers_of_a_reader_are_corrected_by_the_dictionary() -> None:
    phones, counts = g2p.phones(
        "银行,",
        joins_er=True,
        reader=lambda sentences: [["yin2", "xing2", ","] for _ in sentences],
        overrides={"银行": ("yin2", "hang2")},
    )
    assert (phones, counts) == (["y", "in2", "h", "ang2", ","], [2, 2, 1])
