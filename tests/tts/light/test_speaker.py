"""How a light voice speaks, with a model that plays one tone for each letter."""

from collections.abc import Iterable

import numpy as np
import pytest

from tests.tts.light.test_phonemes import VOCABULARY, spelled
from tts.engine.types import Kind, Piece, Step, Work
from tts.errors import EngineFailed
from tts.light.speaker import Limits, Rendered, phoneme_edges, speak
from tts.text.feed import TextFeed
from tts.types import SynthesisRequest

RATE = 1000
LIMITS = Limits(first_chars=40, max_chars=40, max_ids=6)


def tones(ids: list[int]) -> Rendered:
    """100 samples of silence, 100 of voice for each id, 100 of silence."""
    voice = np.resize(np.array([0.5, -0.5], np.float32), 100 * len(ids))
    samples = np.concatenate([np.zeros(100, np.float32), voice, np.zeros(100, np.float32)])
    units = np.full(len(ids) + 2, 1)
    return Rendered(samples, phoneme_edges(units, 100))


def mumbled(ids: list[int]) -> Rendered:
    return Rendered(tones(ids).samples, None)


def said(text: str, render=tones, **options) -> list[Piece]:
    return pieces_of(
        speak(
            SynthesisRequest(text, "v", "xx"),
            TextFeed.of(text),
            phonemise=spelled,
            render=render,
            vocabulary=VOCABULARY,
            sample_rate_hz=RATE,
            limits=LIMITS,
            **options,
        )
    )


def pieces_of(steps: Iterable[Step]) -> list[Piece]:
    """The pieces, each work being done at once."""
    pieces: list[Piece] = []
    for step in steps:
        if isinstance(step, Work):
            step.run([step])
        else:
            assert isinstance(step, Piece)
            pieces.append(step)
    return pieces


def test_each_sentence_is_a_piece_with_its_pause_and_only_the_last_ends() -> None:
    pieces = said("ab. cd.")
    assert [len(piece.samples) for piece in pieces] == [10 + 300 + 250] * 2
    assert [piece.is_last for piece in pieces] == [False, True]


def test_marks_count_from_the_first_sample_of_the_request() -> None:
    marks = [mark for piece in said("ab. cd.") for mark in piece.marks]
    assert [(m.start_s, m.end_s) for m in marks] == [(0.01, 0.21), (0.57, 0.77)]
    assert [m.estimated for m in marks] == [False, False]


def test_a_model_that_hides_its_durations_gives_estimated_marks() -> None:
    (piece,) = said("ab cd", mumbled)
    assert [(m.start_s, m.end_s) for m in piece.marks] == [(0, 0.255), (0.255, 0.51)]
    assert [m.estimated for m in piece.marks] == [True, True]


def test_words_that_are_guessed_are_marked_so() -> None:
    (piece,) = said("ab", exact_words=False)
    assert [m.estimated for m in piece.marks] == [True]


def test_more_phonemes_than_the_model_takes_are_rendered_in_runs() -> None:
    seen: list[int] = []

    def counting(ids: list[int]) -> Rendered:
        seen.append(len(ids))
        return tones(ids)

    (piece,) = said("abcdefgh ij", counting)
    assert seen == [6, 5]
    # The second run's silences lie within; the word that spans both ends where its letters do.
    assert [m.end_s for m in piece.marks] == [1.01, 1.31]


def test_each_clause_is_one_work_that_no_other_request_s_may_join() -> None:
    def works() -> list[Work]:
        steps = speak(
            SynthesisRequest("ab. cde.", "v", "xx"),
            TextFeed.of("ab. cde."),
            phonemise=spelled,
            render=tones,
            vocabulary=VOCABULARY,
            sample_rate_hz=RATE,
            limits=LIMITS,
        )
        found = []
        for step in steps:
            if isinstance(step, Work):
                step.run([step])
                found.append(step)
        return found

    one, other = works(), works()
    assert [(work.kind, work.size) for work in one] == [(Kind.SOUND, 3), (Kind.SOUND, 4)]
    assert len({id(work.together) for work in one + other}) == 4


def test_a_last_clause_without_sound_still_ends_the_request() -> None:
    pieces = said("ab. 好。")
    assert [len(piece.samples) for piece in pieces] == [560, 0]
    assert [piece.is_last for piece in pieces] == [False, True]
    assert [(m.start_s, m.end_s) for m in pieces[1].marks] == [(0.56, 0.56)]


def test_a_text_without_any_sound_fails() -> None:
    with pytest.raises(EngineFailed, match="can pronounce nothing"):
        said("好。好。")
