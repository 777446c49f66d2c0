from pathlib import Path

import pytest

from tts.text.ja import Japanese, by_word, compiled, with_pitch


def label(phone: str, nucleus: int, start: int, end: int, moras: int) -> str:
    return f"xx^xx-{phone}+xx=xx/A:{nucleus}+{start}+{end}/B:xx/F:{moras}_1#0_xx"


SILENCE = "xx^xx-sil+xx=xx/A:xx+xx+xx/B:xx/F:xx_xx"


def test_pitch_rises_after_the_first_mora_and_falls_after_the_nucleus() -> None:
    labels = [
        SILENCE,
        label("a", -1, 1, 3, 3),
        label("o", 0, 2, 2, 3),
        label("I", 1, 3, 1, 3),
        SILENCE,
    ]
    assert with_pitch(labels) == ["a", "[", "o", "]", "i"]


def test_a_phrase_ends_where_the_next_begins_and_a_pause_is_a_phone() -> None:
    labels = [
        SILENCE,
        label("N", -1, 1, 1, 2),
        label("a", -1, 1, 2, 2),
        "xx^a-pau+xx=xx/A:xx+xx+xx/B:xx/F:xx_xx",
        SILENCE,
    ]
    assert with_pitch(labels) == ["N", "#", "a", "_"]


def test_words_take_their_moras_and_the_kana_at_their_ends_one_each() -> None:
    words = [("飲ん", 2), ("で", 1), ("、", 0), ("きょう", 2), ("か", 1)]
    phones = "n o [ N d e # _ ky o ] o k a".split()
    assert by_word(words, phones) == [
        ("飲", ["n", "o", "["]),
        ("ん", ["N"]),
        ("で", ["d", "e"]),
        ("", ["#"]),
        ("", ["_"]),
        ("、", []),
        ("きょ", ["ky", "o", "]"]),
        ("う", ["o"]),
        ("か", ["k", "a"]),
    ]


def test_words_with_other_moras_than_the_phones_are_one() -> None:
    assert by_word([("東", 2), ("京", 1)], ["t", "o"]) == [("東京", ["t", "o"])]


def test_marks_are_phones_of_their_own_and_spaces_are_not() -> None:
    phones = Japanese().phones("はい、OK 。")
    assert (phones[-1], phones.count(","), phones.count(" ")) == (".", 1, 0)


def test_marks_in_a_row_become_one() -> None:
    assert Japanese().normalise("え!?...") == "え!"


def test_a_folder_without_a_dictionary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no dictionary of Open JTalk \(no sys\.dic\)"):
        Japanese(dictionary=tmp_path)


def test_a_user_dictionary_is_compiled_once_and_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "userdict.csv"
    source.write_text(
        "帕利,,,1,名詞,固有名詞,一般,*,*,*,帕利,パーリー,パーリー,1/4,*\n", encoding="utf-8"
    )
    found = compiled(source, tmp_path / "cache")
    made_ns = found.stat().st_mtime_ns
    assert compiled(source, tmp_path / "cache") == found
    assert found.stat().st_mtime_ns == made_ns
    assert list((tmp_path / "cache").iterdir()) == [found]
    assert capfd.readouterr() == ("", "")


def test_a_user_dictionary_that_cannot_be_compiled_is_named(tmp_path: Path) -> None:
    source = tmp_path / "userdict.csv"
    source.write_text("no, such, columns\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"userdict\.csv: Open JTalk could not compile it"):
        compiled(source, tmp_path / "cache")


def test_a_user_dictionary_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"userdict\.csv: cannot be compiled"):
        compiled(tmp_path / "userdict.csv", tmp_path)
