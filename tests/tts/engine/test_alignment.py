"""Phones placed in frames by attention: what is clear is found, and the worst is still a path."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tts.laws import Split, law, splits
from tts.engine.alignment import Aligner, PhoneSpan, best_path

Attention = NDArray[np.float32]

few = settings(law, max_examples=20)
FRAMES_PER_CODE = 2
DURATIONS = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def attention_of(durations: list[int]) -> Attention:
    """Each frame looks at its own phone and nowhere else."""
    return np.repeat(np.eye(len(durations), dtype=np.float32), durations, axis=0)


def starts_of(durations: list[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *durations[:-1]])


def aligned(
    attention: Attention, split: Split, *, aligner: Aligner | None = None
) -> list[PhoneSpan]:
    """The spans of a matrix that is fed in pieces; each is whole when it is given."""
    aligner = aligner or Aligner()
    spans: list[PhoneSpan] = []
    for number, (start, end) in enumerate(split, start=1):
        rows = attention[start:end]
        spans += aligner.feed(rows, phones=attention.shape[1], is_last=number == len(split))
        assert all(span.end_frame <= end for span in spans)
    return spans


def whole(attention: Attention) -> list[PhoneSpan]:
    return aligned(attention, [(0, len(attention))])


def check_cover(spans: list[PhoneSpan], frames: int, phones: int) -> None:
    """All phones in order, next to each other, over all frames."""
    assert [span.phone for span in spans] == list(range(phones))
    assert [a.end_frame for a in spans] == [b.start_frame for b in spans[1:]] + [frames]
    assert spans[0].start_frame == 0
    assert all(span.start_frame <= span.end_frame for span in spans)


@dataclass(frozen=True)
class Noise:
    """What attention holds besides the truth, as shares of each row."""

    scattered: float
    """On phones anywhere, some much more than others."""
    beside: float
    """On the phones before and after."""
    struck: float
    """Share of frames of which 0.8 look at one phone anywhere instead."""

    def of(self, durations: list[int], seed: int) -> Attention:
        rng = np.random.default_rng(seed)
        truth = attention_of(durations)
        frames, phones = truth.shape
        beside = (np.roll(truth, 1, axis=1) + np.roll(truth, -1, axis=1)) / 2
        scattered = rng.dirichlet(np.full(phones, 0.3), frames)
        clean = 1 - self.scattered - self.beside
        noisy = clean * truth + self.beside * beside + self.scattered * scattered
        struck = rng.random(frames) < self.struck
        anywhere = np.eye(phones)[rng.integers(0, phones, frames)]
        noisy[struck] = 0.2 * noisy[struck] + 0.8 * anywhere[struck]
        mixed: Attention = noisy.astype(np.float32)
        return mixed


@few
@given(durations=DURATIONS, data=st.data())
def test_clean_attention_is_found_to_the_frame_however_it_is_fed(
    durations: list[int], data: st.DataObject
) -> None:
    split = data.draw(splits(sum(durations)))
    spans = aligned(attention_of(durations), split)
    assert [span.start_frame for span in spans] == starts_of(durations).tolist()
    check_cover(spans, sum(durations), len(durations))


@few
@given(durations=DURATIONS, seed=st.integers(0, 2**32 - 1))
def test_attention_that_moves_on_within_a_code_is_found_within_a_code(
    durations: list[int], seed: int
) -> None:
    """Both frames of a code may look the same, half at one phone and half at the next."""
    clean = attention_of(durations)
    odd = len(clean) % FRAMES_PER_CODE
    padded = np.concatenate([clean, clean[len(clean) - odd :]])
    coded = padded.reshape(-1, FRAMES_PER_CODE, clean.shape[1]).mean(axis=1)
    spans = whole(coded.repeat(FRAMES_PER_CODE, axis=0)[: len(clean)])
    found = np.array([span.start_frame for span in spans])
    assert np.abs(found - starts_of(durations)).max() <= FRAMES_PER_CODE


@pytest.mark.parametrize(
    ("noise", "mean_frames", "p95_frames"),
    [
        (Noise(scattered=0.6, beside=0.0, struck=0.0), 0.02, 0),
        (Noise(scattered=0.3, beside=0.4, struck=0.0), 0.05, 0),
        (Noise(scattered=0.3, beside=0.3, struck=0.1), 0.1, 0),
        (Noise(scattered=0.3, beside=0.3, struck=0.2), 0.2, 1),
        (Noise(scattered=0.5, beside=0.3, struck=0.1), 0.5, 2),
    ],
    ids=str,
)
def test_noisy_attention_is_found_within_a_code_in_all_but_a_few_phones(
    noise: Noise, mean_frames: float, p95_frames: int
) -> None:
    errors = []
    for seed in range(12):
        durations = np.random.default_rng(seed).integers(1, 9, 40).tolist()
        attention = noise.of(durations, seed)
        pieces = list(pairwise([*range(0, len(attention), 25), len(attention)]))
        found = [span.start_frame for span in aligned(attention, pieces)]
        errors.append(np.abs(found - starts_of(durations)))
    assert np.mean(errors) <= mean_frames
    assert np.percentile(errors, 95) <= p95_frames


@few
@given(
    frames=st.integers(0, 60),
    phones=st.integers(1, 40),
    kind=st.sampled_from(["random", "peaky", "even", "zeros", "nan", "backwards"]),
    seed=st.integers(0, 2**32 - 1),
    lag_frames=st.integers(0, 12),
    data=st.data(),
)
def test_whatever_attention_says_every_phone_and_every_frame_is_covered_in_order(
    frames: int, phones: int, kind: str, seed: int, lag_frames: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    matrix = {
        "random": rng.random((frames, phones)),
        "peaky": rng.dirichlet(np.full(phones, 0.05), frames),
        "even": np.full((frames, phones), 1 / phones),
        "zeros": np.zeros((frames, phones)),
        "nan": np.full((frames, phones), np.nan),
        "backwards": np.eye(max(frames, phones))[:frames, :phones][:, ::-1],
    }[kind]
    split = data.draw(splits(frames))
    spans = aligned(matrix.astype(np.float32), split, aligner=Aligner(lag_frames=lag_frames))
    check_cover(spans, frames, phones)


@few
@given(durations=DURATIONS, data=st.data())
def test_chunks_give_what_the_whole_gives_where_the_next_frames_leave_no_doubt(
    durations: list[int], data: st.DataObject
) -> None:
    attention = Noise(scattered=0.4, beside=0.1, struck=0.0).of(durations, seed=len(durations))
    split = data.draw(splits(len(attention)))
    assert aligned(attention, split) == whole(attention)


@few
@given(clauses=st.lists(DURATIONS, min_size=2, max_size=4), data=st.data())
def test_a_clause_ends_with_its_last_frame_whatever_of_the_next_is_known(
    clauses: list[list[int]], data: st.DataObject
) -> None:
    """Rows that come later have more columns; the clause's own decide."""
    durations = [frames for clause in clauses for frames in clause]
    attention = attention_of(durations)
    aligner = Aligner()
    spans: list[PhoneSpan] = []
    frame = phones = 0
    for clause in clauses:
        first, frame = frame, frame + sum(clause)
        phones += len(clause)
        columns = data.draw(st.integers(phones, len(durations)))
        for start, end in (split := data.draw(splits(sum(clause)))):
            rows = attention[first + start : first + end, :columns]
            spans += aligner.feed(rows, phones=phones, is_last=(start, end) == split[-1])
        assert (spans[-1].phone, spans[-1].end_frame) == (phones - 1, frame)
    assert [span.start_frame for span in spans] == starts_of(durations).tolist()
    check_cover(spans, len(attention), len(durations))


def test_phones_may_be_added_while_a_clause_is_heard() -> None:
    attention = attention_of([4, 4, 4, 4])
    aligner = Aligner(lag_frames=0)
    spans = aligner.feed(attention[:6, :2], phones=2)
    spans += aligner.feed(attention[6:], phones=4, is_last=True)
    assert [(s.start_frame, s.end_frame) for s in spans] == [(0, 4), (4, 8), (8, 12), (12, 16)]


def test_a_phone_is_given_as_soon_as_its_end_is_older_than_the_lag() -> None:
    attention = attention_of([4, 4, 4])
    aligner = Aligner(lag_frames=2)
    given = [aligner.feed(attention[i : i + 1], phones=3, is_last=i == 11) for i in range(12)]
    assert {i: [s.phone for s in spans] for i, spans in enumerate(given) if spans} == {
        6: [0],
        10: [1],
        11: [2],
    }


def test_a_phone_that_nothing_looks_at_has_no_frame_and_costs_its_neighbours_none() -> None:
    attention = np.insert(attention_of([5, 5]), 1, 0.0, axis=1)
    spans = whole(attention)
    assert [(s.start_frame, s.end_frame) for s in spans] == [(0, 5), (5, 5), (5, 10)]


def test_where_attention_says_nothing_phones_come_at_an_even_pace() -> None:
    spans = whole(np.full((40, 10), 0.1, np.float32))
    assert max(abs(span.start_frame - 4 * span.phone) for span in spans) <= 2


def test_one_frame_that_looks_elsewhere_moves_nothing() -> None:
    attention = attention_of([6] * 8)
    attention[20] = np.eye(8)[7]
    assert [span.start_frame for span in whole(attention)] == list(range(0, 48, 6))


def test_the_path_is_the_best_of_all() -> None:
    """Against every path there is, for a matrix small enough to try them all."""
    rng = np.random.default_rng(3)
    frames, columns, skip = 5, 4, 1.5

    def price(path: tuple[int, ...]) -> float:
        return sum(skip * max(b - a - 1, 0) for a, b in pairwise((0, *path)))

    paths = [
        path for path in np.ndindex(*(columns,) * frames) if all(a <= b for a, b in pairwise(path))
    ]
    for _ in range(20):
        scores = rng.normal(size=(frames, columns)) * 2
        for ends in (False, True):
            allowed = [path for path in paths if not ends or path[-1] == columns - 1]
            best = max(
                sum(scores[f, c] for f, c in enumerate(path)) - price(path) for path in allowed
            )
            found = best_path(scores, skip_nats=skip, ends_with_last=ends)
            total = sum(scores[f, c] for f, c in enumerate(found)) - price(tuple(found))
            assert total == pytest.approx(best)
            assert not ends or found[-1] == columns - 1


@pytest.mark.parametrize(("phones", "columns"), [(4, 3), (2, 3)])
def test_phones_that_cannot_be_are_refused(phones: int, columns: int) -> None:
    aligner = Aligner()
    aligner.feed(np.ones((1, 3), np.float32), phones=3)
    with pytest.raises(ValueError, match=f"phones = {phones}: allowed are 3, those .* to 3"):
        aligner.feed(np.ones((1, columns), np.float32), phones=phones)


def test_frames_after_the_last_phone_are_refused() -> None:
    aligner = Aligner()
    aligner.feed(np.ones((2, 3), np.float32), phones=3, is_last=True)
    with pytest.raises(ValueError, match="phones = 3: allowed are 4"):
        aligner.feed(np.ones((1, 3), np.float32), phones=3)
