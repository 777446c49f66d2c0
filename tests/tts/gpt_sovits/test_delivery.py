"""Sound on its way to pieces: pauses measured, words timed, whatever the chunks."""

from collections.abc import Generator, Sequence

import numpy as np
import pytest
from hypothesis import given

from tests.tts.laws import Split, law, splits
from tts.engine.types import Kind, Piece, Work
from tts.engine.utterance import Sound
from tts.gpt_sovits.delivery import Delivery, Script
from tts.text.phone_words import WordPhones
from tts.text.spans import Span
from tts.types import Mark

RATE_HZ = 8000
ROW = 160
"""Samples of a row of attention."""
ROWS_PER_PHONE = 10
LEAD = 80
FADE = 24


def script(words: Sequence[tuple[int, int]], *, pause_s: float = 0.1, is_last: bool) -> Script:
    """A clause of words that begin and end at these characters, two phones each."""
    return Script(
        phones=["AH0", "B"] * len(words),
        words=[WordPhones(Span(*w), 2 * n, 2 * n + 2, True) for n, w in enumerate(words)],
        pause_s=pause_s,
        is_last=is_last,
    )


def tone(rows: int) -> np.ndarray:
    at = np.arange(rows * ROW)
    return (0.2 * np.sin(0.7 * at)).astype(np.float32)


def attention(phones: int, *, first: int = 0, known: int | None = None) -> np.ndarray:
    """`ROWS_PER_PHONE` rows that look at each phone from `first` on; columns for all `known`."""
    rows = np.repeat(np.eye(phones, dtype=np.float32), ROWS_PER_PHONE, axis=0)
    return np.pad(rows, ((0, 0), (first, (known or first + phones) - first - phones)))


def sounds(samples: np.ndarray, rows: np.ndarray, split: Split) -> Generator[Sound, None, str]:
    for start, end in split:
        yield Sound(samples[start * ROW : end * ROW], rows[start:end])
    return "over"


def pieces(steps: Generator[Piece, None, object]) -> list[Piece]:
    return [step for step in steps if isinstance(step, Piece)]


def one_clause(split: Split | None = None) -> list[Piece]:
    """Silence, two words, silence: 10 + 40 + 15 rows."""
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    clause = script([(0, 2), (3, 5)], is_last=True)
    delivery.begin()
    delivery.expect(clause)
    clause.end_sample, clause.end_row = 65 * ROW, 65
    samples = np.concatenate([np.zeros(10 * ROW), tone(40), np.zeros(15 * ROW)]).astype(np.float32)
    rows = attention(4)
    rows = np.concatenate([rows[:1].repeat(10, 0), rows, rows[-1:].repeat(15, 0)])
    return pieces(delivery.of(sounds(samples, rows, split or [(0, 65)])))


@law
@given(splits(65))
def test_audio_and_words_do_not_depend_on_the_chunks(split: Split) -> None:
    whole, cut = one_clause(), one_clause(split)
    assert np.array_equal(*(np.concatenate([p.samples for p in one]) for one in (whole, cut)))
    marks = [[m for p in one for m in p.marks] for one in (whole, cut)]
    assert [(m.text_start, m.text_end) for m in marks[1]] == [(0, 2), (3, 5)]
    for one, other in zip(*marks, strict=True):
        assert abs(one.start_s - other.start_s) <= 2 * ROW / RATE_HZ
    assert [p.is_last for p in cut] == [False] * (len(cut) - 1) + [True]


def test_silence_is_measured_and_words_are_where_their_phones_are_heard() -> None:
    (piece,) = one_clause()
    assert len(piece.samples) == LEAD + 40 * ROW + 0.1 * RATE_HZ
    first, second = piece.marks
    assert first.start_s == 0  # its first phone takes the silence before it
    assert first.end_s == second.start_s == (LEAD + 20 * ROW) / RATE_HZ
    assert second.end_s == (LEAD + 40 * ROW + 0.1 * RATE_HZ) / RATE_HZ
    assert {(m.kind, m.estimated) for m in piece.marks} == {("word", False)}


def test_clauses_of_one_utterance_are_each_given_their_pause() -> None:
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    first, second = script([(0, 2)], is_last=False), script([(3, 5)], pause_s=0.2, is_last=True)
    delivery.begin()
    delivery.expect(first)
    # The first chunk ends before the clause does.
    begun = pieces(delivery.of(sounds(tone(12), attention(2)[:12], [(0, 12)])))
    first.end_sample, first.end_row = 20 * ROW, 20
    delivery.expect(second)
    second.end_sample, second.end_row = 40 * ROW, 40
    rest = np.concatenate([attention(2, known=4)[12:], attention(2, first=2)])
    ended = pieces(delivery.of(sounds(tone(28), rest, [(0, 28)])))
    heard = np.concatenate([piece.samples for piece in begun + ended])
    # The first clause's voice is given to its end, a pause, the second's, a pause.
    assert len(heard) == 20 * ROW + 0.1 * RATE_HZ + 20 * ROW + 0.2 * RATE_HZ == delivery.gave
    assert not heard[20 * ROW : 20 * ROW + 800].any()
    marks: list[Mark] = [mark for piece in begun + ended for mark in piece.marks]
    assert [(m.text_start, m.text_end) for m in marks] == [(0, 2), (3, 5)]
    assert marks[1].start_s == pytest.approx((20 * ROW + 800) / RATE_HZ)
    assert [piece.is_last for piece in begun + ended] == [False, True]


def test_the_next_utterance_counts_from_where_the_one_before_ended() -> None:
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    marks: list[Mark] = []
    for at in (0, 3):
        clause = script([(at, at + 2)], is_last=at == 3)
        delivery.begin()
        delivery.expect(clause)
        clause.end_sample, clause.end_row = 20 * ROW, 20
        (piece,) = pieces(delivery.of(sounds(tone(20), attention(2), [(0, 20)])))
        marks += piece.marks
    assert [m.start_s for m in marks] == [0, (20 * ROW + 800) / RATE_HZ]


def test_work_passes_through_and_so_does_what_the_steps_came_to() -> None:
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    clause = script([(0, 2)], is_last=True)
    delivery.begin()
    delivery.expect(clause)
    work = Work(Kind.TOKEN, 1, lambda works: None, None)

    def steps() -> Generator[Work | Sound, None, str]:
        yield work
        yield Sound(np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
        return "over"

    given = []

    def gather() -> Generator[object, None, None]:
        given.append((yield from delivery.of(steps())))

    assert list(gather()) == [work]
    assert given == ["over"]


def test_a_voice_that_gives_no_sound_gives_no_piece() -> None:
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    clause = script([(0, 2)], is_last=True)
    delivery.begin()
    delivery.expect(clause)
    clause.end_sample, clause.end_row = 20 * ROW, 20
    silence = np.zeros(20 * ROW, np.float32)
    assert pieces(delivery.of(sounds(silence, attention(2), [(0, 20)]))) == []
    assert delivery.gave == 0


def test_closing_closes_the_utterance() -> None:
    delivery = Delivery(sample_rate_hz=RATE_HZ, row_samples=ROW, gain_db=0.0)
    closed = []

    def steps() -> Generator[Work | Sound, None, None]:
        try:
            yield Work(Kind.TOKEN, 1, lambda works: None, None)
        finally:
            closed.append(True)

    speaking = delivery.of(steps())
    next(speaking)
    speaking.close()
    assert closed == [True]
