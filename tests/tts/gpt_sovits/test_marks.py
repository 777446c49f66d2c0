"""Marks of a small random voice, from its attention to its pieces, with a plain reader."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.tts.gpt_sovits.made import add_voice
from tests.tts.gpt_sovits.test_engine import RATE_HZ, engine, pieces, say
from tts.engine.types import Piece
from tts.text import readers
from tts.text.readers import FrontendFiles, Reading
from tts.types import MARK_KINDS, Mark

TEXT = "mama pipi. nono, lulu fafa!"
PHONES = "m a m a p i p i . n o n o , l u l u f a f a !".split()


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every letter and mark is a phone, and the words are known."""

    def reader(files: FrontendFiles, **_: bool) -> Callable[[str], Reading]:
        def read(text: str) -> Reading:
            words = re.findall(r"\w+|[^\w\s]", text)
            return Reading(text, list("".join(words)), None, [(word, len(word)) for word in words])

        return read

    monkeypatch.setattr(readers, "english", reader)


def of_kind(parts: list[Piece], kind: str) -> list[Mark]:
    return [mark for part in parts for mark in part.marks if mark.kind == kind]


@pytest.mark.golden
@pytest.mark.parametrize("speed", [1.0, 1.3])
def test_words_phones_and_visemes_say_when_each_is_heard(tmp_path: Path, speed: float) -> None:
    add_voice(tmp_path, "ann")
    with engine(tmp_path) as running:
        parts = pieces(running, say(TEXT, marks=("phone", "viseme"), speed=speed))
        plain = pieces(running, say(TEXT, speed=speed))
    end_s = sum(len(part.samples) for part in parts) / RATE_HZ

    words = of_kind(parts, "word")
    assert [TEXT[m.text_start : m.text_end] for m in words] == re.findall(r"\w+", TEXT)
    assert {mark.estimated for mark in words} == {False}
    phones = of_kind(parts, "phone")
    assert [mark.label for mark in phones] == PHONES
    spoken = [TEXT[m.text_start : m.text_end] for m in phones]
    assert spoken == ["mama"] * 4 + ["pipi"] * 4 + [""] + ["nono"] * 4 + [""] + (
        ["lulu"] * 4 + ["fafa"] * 4 + [""]
    )
    first_of = {word.text_start: word.start_s for word in words}
    for phone in phones:
        if phone.text_start in first_of and phone.text_end > phone.text_start:
            assert phone.start_s >= first_of[phone.text_start]

    visemes = of_kind(parts, "viseme")
    assert [mark.end_s for mark in visemes] == [m.start_s for m in visemes[1:]] + [end_s]
    assert visemes[0].start_s == 0
    for kind in MARK_KINDS:
        assert all(a.end_s <= b.start_s for a, b in pairwise(of_kind(parts, kind)))

    assert [mark for part in plain for mark in part.marks] == words
