"""Every phone has a mouth, and a track of mouths has no gap."""

import json
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.text.spans import Span
from tts.text.symbols import PUNCTUATION, SILENT
from tts.text.visemes import VISEMES, PlacedViseme, Shape, VisemeTrack, shapes

PHONES = json.loads((files("tts.text") / "data" / "symbols.json").read_text(encoding="utf-8"))
NOWHERE = Span(0, 0)


def mouths(*phones: str) -> list[str]:
    """The visemes of consecutive phones."""
    return [viseme for shape in shapes(phones) for viseme, _ in shape]


@pytest.mark.parametrize("after", ["a1", "AA1", "p", "."])
def test_every_phone_of_the_table_has_visemes_that_share_its_time(after: str) -> None:
    assert len(PHONES) == 732
    for phone in PHONES:
        shape = shapes([phone, after])[0]
        assert {viseme for viseme, _ in shape} <= set(VISEMES)
        assert sum(share for _, share in shape) == pytest.approx(1)
        assert min(share for _, share in shape) > 0.2


def test_every_viseme_of_the_set_is_used() -> None:
    assert set(mouths(*PHONES)) == set(VISEMES)


def test_pauses_rest_and_nothing_else_does() -> None:
    # A stop before a double consonant is silent, but the mouth is not at rest in it.
    resting = {phone for phone in PHONES if shapes([phone, "."])[0][0][0] == "sil"}
    assert set(PUNCTUATION) < resting
    assert resting == (SILENT & set(PHONES)) | {"cl"}


@pytest.mark.parametrize(
    "phone",
    [
        *["P", "B", "M"],
        *["p", "b", "m"],
        *["py", "by", "my"],
        *["ㅁ", "ㅂ", "ㅃ", "ㅍ"],
        *["Yp", "Yb", "Ym", "Ym4"],
    ],
)
def test_lips_close_for_what_is_made_with_them(phone: str) -> None:
    assert shapes([phone, "a1"])[0] == (("PP", 1.0),)


def test_lips_close_at_the_end_of_a_cantonese_syllable() -> None:
    finals = [
        phone
        for phone in PHONES
        if phone.startswith("Y") and phone[-1].isdigit() and phone[-2] in "mp"
    ]
    assert len(finals) >= 36
    assert {shapes([phone])[0][-1][0] for phone in finals} == {"PP"}


@pytest.mark.parametrize(
    ("phones", "wanted"),
    [
        ("F AY1 V", "FF aa ih FF"),
        ("DH EH1 R", "TH E RR"),
        ("sh uang1", "CH ou aa kk"),
        ("l iang2 y En3", "nn ih aa kk ih E nn"),
        ("n v3", "nn ou"),
        ("zh ong1 s i04", "CH ou kk SS ih"),
        ("ts u k i", "SS ou kk ih"),
        ("ㅅ ㅏ ㄹ ㅏ ㅁ", "SS aa nn aa PP"),
        ("Ygw Yong2 Yj Yut6", "kk ou oh kk ih ou DD"),
        ("Yng Yg5", "kk kk"),
    ],
)
def test_phones_show_where_they_are_made(phones: str, wanted: str) -> None:
    assert mouths(*phones.split()) == wanted.split()


@pytest.mark.parametrize(
    ("phones", "wanted"),
    [
        ("HH UW1", "ou ou"),  # who
        ("h ua1", "ou ou aa"),  # 花
        ("ㅇ ㅗ", "oh oh"),
        ("ㄱ ㅏ ㅇ ㄱ ㅏ", "kk aa kk kk aa"),  # ㅇ closes a syllable
        ("i cl p a", "ih PP PP aa"),  # いっぱい
        ("a [ cl t o", "aa DD DD DD oh"),
        ("a ]", "aa sil"),
        ("HH ,", "kk sil"),
    ],
)
def test_phones_without_a_mouth_of_their_own_show_the_next(phones: str, wanted: str) -> None:
    assert mouths(*phones.split()) == wanted.split()


def test_the_widest_mouth_of_a_phone_takes_twice_the_time_of_the_others() -> None:
    assert shapes(["iang1"]) == [(("ih", 0.25), ("aa", 0.5), ("kk", 0.25))]
    assert shapes(["OW0"]) == [(("oh", 2 / 3), ("ou", 1 / 3))]


def test_what_is_no_phone_is_refused() -> None:
    with pytest.raises(ValueError, match="'Q!' is not in the table"):
        shapes(["a", "Q!"])


def track(phones: list[tuple[Shape, float, float]], end: float) -> list[PlacedViseme]:
    made = VisemeTrack()
    placed = [
        one
        for number, phone in enumerate(phones)
        for one in made.feed(*phone, Span(number, number + 1))
    ]
    return placed + made.end(end)


def test_equal_neighbours_are_one_and_say_what_they_hold() -> None:
    p, a = shapes(["p", "a"])
    placed = track([(p, 0, 2), (p, 2, 3), (a, 3, 7)], 7)
    assert placed == [PlacedViseme("PP", 0, 3, Span(0, 2)), PlacedViseme("aa", 3, 7, Span(2, 3))]


def test_the_mouth_rests_before_between_and_after_phones() -> None:
    (a,) = shapes(["a"])
    placed = track([(a, 2, 3), (a, 5, 6)], 9)
    assert [(one.viseme, one.start, one.end) for one in placed] == [
        ("sil", 0, 2),
        ("aa", 2, 3),
        ("sil", 3, 5),
        ("aa", 5, 6),
        ("sil", 6, 9),
    ]


def test_a_phone_without_time_shows_nothing() -> None:
    p, a = shapes(["p", "a"])
    assert [one.viseme for one in track([(a, 0, 2), (p, 2, 2), (a, 2, 4)], 4)] == ["aa"]


@quick
@given(
    phones=st.lists(st.sampled_from(PHONES), max_size=20),
    lengths=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=20, max_size=20),
    rest=st.floats(0, 9),
)
def test_the_track_covers_the_audio_in_order_and_without_a_gap(
    phones: list[str], lengths: list[tuple[float, float]], rest: float
) -> None:
    now = 0.0
    placed = []
    for shape, (gap, length) in zip(shapes(phones), lengths, strict=False):
        placed.append((shape, now + gap, now + gap + length))
        now += gap + length
    made = track(placed, now + rest)
    edges = [one.start for one in made] + [now + rest]
    assert edges[0] == 0
    assert all(one.start < one.end for one in made)
    assert [one.end for one in made] == edges[1:]
    assert all(a.viseme != b.viseme for a, b in pairwise(made))
