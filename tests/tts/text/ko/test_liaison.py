from unicodedata import normalize

import pytest

from tts.text.ko.liaison import meetings, pronounced


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("학교", "학꾜"),
        ("국물", "궁물"),
        ("신라", "실라"),
        ("좋다", "조타"),
        ("입학", "이팍"),
        ("옷이", "오시"),
        ("같이", "가치"),
        ("값이", "갑씨"),
        ("닭", "닥"),
        ("많아", "마나"),
        ("희망", "히망"),
        ("신/P고", "신꼬"),
        ("할/E 것", "할 껃"),
        ("나의/J", "나의"),
    ],
)
def test_syllables_sound_by_their_neighbours(written: str, said: str) -> None:
    assert pronounced(normalize("NFD", written)) == normalize("NFD", said)


def test_there_is_a_rule_for_each_meeting_that_changes_a_sound() -> None:
    assert len(meetings()) == 402
