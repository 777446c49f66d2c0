"""The law of the stitched latent, with tiny random weights."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tts.laws import Split, law, splits
from tests.tts.models.test_sovits_windows import SPEC
from tts.engine.latent_noise import LatentNoise
from tts.engine.stitched import WINDOW_FRAMES, Sounded, StitchedDecoder, sound, warm
from tts.models.sovits import Sovits

CODES = 34
CPU = torch.device("cpu")
SPEEDS = (1.0, 0.5, 0.83, 1.37, 2.0)
CLAUSES = ((1, 2, 3, 4, 2), (3, 1), (4, 4, 1))
MOST = (None, 3, 8, 17, 40)
EXACT = 1e-6
"""Samples are given in single precision."""


@pytest.fixture(scope="module")
def model() -> Sovits:
    torch.manual_seed(5)
    model = Sovits(SPEC).to(torch.float64).eval().requires_grad_(False)
    model.codebook.normal_()
    # Larger weights than training starts from, so that frames at the edge of the reach are heard.
    for weight in [*model.flow.parameters(), *model.dec.parameters()]:
        weight.mul_(2)
    return model


def codes(count: int) -> list[int]:
    return torch.randint(1024, (count,), generator=torch.Generator().manual_seed(1)).tolist()


def decoder(model: Sovits, *, speed: float = 1.0, seed: int = 3, ahead: int = 4) -> StitchedDecoder:
    dtype = model.codebook.dtype
    ge = torch.randn(1, SPEC.gin, 1, generator=torch.Generator().manual_seed(2)).to(dtype)
    return StitchedDecoder(
        model,
        ge,
        LatentNoise(seed, SPEC.latent, CPU),
        noise_scale=0.5,
        speed=speed,
        ahead_frames=ahead,
    )


def given_out(
    stream: StitchedDecoder, said: list[int], *, is_last: bool, most: int | None = None
) -> Iterator[Sounded]:
    """All that can be sounded of so many codes."""
    while stream.sounded_frames < stream.ready_frames(len(said), is_last=is_last):
        before = stream.sounded_frames
        work, sounded = stream.work(said, is_last=is_last, most_frames=most)
        assert len(sounded.samples) == 0
        work.run([work])
        assert len(sounded.samples) == (stream.sounded_frames - before) * SPEC.hop_samples > 0
        assert most is None or work.size <= most
        assert sounded.finite
        yield sounded


def spoken(
    stream: StitchedDecoder, split: Split, *, most: int | None = None, clauses: int = 1
) -> list[Sounded]:
    """The codes in these pieces; a clause is added before each of the first ones."""
    said, out = codes(split[-1][1]), []
    for number, (_, known) in enumerate(split):
        last = number == len(split) - 1
        for clause in CLAUSES[number:clauses] if last else CLAUSES[number:clauses][:1]:
            stream.extend(torch.tensor([clause]))
        out += given_out(stream, said[:known], is_last=last, most=most)
    return out


def samples(out: list[Sounded]) -> NDArray[np.float32]:
    return np.concatenate([one.samples for one in out])


def at_once(stream: StitchedDecoder) -> NDArray[np.float64]:
    """One decode of the latent that a stream stitched together."""
    audio: NDArray[np.float64] = stream.sovits.dec(stream.latent, stream.ge)[0].double().numpy()
    return audio


@settings(law, max_examples=20)
@given(
    splits(CODES),
    st.sampled_from(SPEEDS),
    st.sampled_from(MOST),
    st.integers(1, len(CLAUSES)),
    st.integers(0, 9),
)
def test_the_audio_is_that_of_one_decode_of_the_stitched_latent(
    model: Sovits, split: Split, speed: float, most: int | None, clauses: int, ahead: int
) -> None:
    stream = decoder(model, speed=speed, ahead=ahead)
    heard = samples(spoken(stream, split, most=most, clauses=clauses))
    whole = at_once(stream)
    assert len(heard) == model.frames(CODES, speed) * SPEC.hop_samples == len(whole)
    assert np.abs(heard - whole).max() <= EXACT * np.abs(whole).max()


@settings(law, max_examples=8)
@given(splits(CODES), st.sampled_from(SPEEDS), st.sampled_from(MOST))
def test_each_content_frame_says_once_and_in_order_which_phones_it_saw(
    model: Sovits, split: Split, speed: float, most: int | None
) -> None:
    stream = decoder(model, speed=speed)
    out = spoken(stream, split, most=most, clauses=len(CLAUSES))
    phones = sum(map(len, CLAUSES))
    rows = np.concatenate(
        [np.pad(one.attention, ((0, 0), (0, phones - one.attention.shape[1]))) for one in out]
    )
    assert len(rows) == 2 * CODES
    assert np.abs(rows.sum(axis=1) - 1).max() <= EXACT
    # As far as it was heard, the frames of a piece end where its samples end.
    heard = np.cumsum([len(one.samples) for one in out]) / SPEC.hop_samples * speed
    seen = np.cumsum([len(one.attention) for one in out])
    assert np.all(np.abs(seen - np.minimum(heard, 2 * CODES)) <= 1 + speed)


def test_a_frame_of_content_keeps_the_phones_that_it_saw_when_it_was_frozen(model: Sovits) -> None:
    stream, said = decoder(model), codes(CODES)
    stream.extend(torch.tensor([CLAUSES[0]]))
    first = list(given_out(stream, said[:20], is_last=False))
    frozen = stream.latent.shape[-1] - stream.sounded_frames
    assert frozen == model.dec.reach_frames
    stream.extend(torch.tensor([CLAUSES[1]]))
    (rest,) = given_out(stream, said, is_last=True)
    assert {one.attention.shape[1] for one in first} == {len(CLAUSES[0])}
    assert rest.attention.shape[1] == len(CLAUSES[0]) + len(CLAUSES[1])
    assert not rest.attention[:frozen, len(CLAUSES[0]) :].any()
    assert rest.attention[frozen:, len(CLAUSES[0]) :].all()


def test_one_chunk_is_the_plain_decode(model: Sovits) -> None:
    stream = decoder(model)
    (out,) = spoken(stream, [(0, CODES)])
    plain = model.decode(
        torch.tensor([codes(CODES)]),
        torch.tensor([CLAUSES[0]]),
        stream.ge,
        LatentNoise(3, SPEC.latent, CPU)(0, 2 * CODES),
    )
    assert np.abs(out.samples - plain[0].numpy()).max() <= EXACT * plain.abs().max()


@settings(law, max_examples=20)
@given(st.integers(1, CODES), st.integers(0, 9))
def test_nothing_is_given_before_enough_is_known(model: Sovits, known: int, ahead: int) -> None:
    stream = decoder(model, ahead=ahead)
    stream.extend(torch.tensor([CLAUSES[0]]))
    held_back = model.dec.reach_frames + ahead
    ready = max(0, 2 * known - held_back)
    assert stream.ready_frames(known, is_last=False) == ready
    assert stream.ready_frames(known, is_last=True) == 2 * known
    list(given_out(stream, codes(known), is_last=False))
    assert stream.sounded_frames == ready
    with pytest.raises(ValueError, match="nothing to sound"):
        stream.work(codes(known), is_last=False)


def test_nothing_is_sounded_without_a_phone(model: Sovits) -> None:
    with pytest.raises(ValueError, match="34 codes and 0 phones"):
        decoder(model).work(codes(CODES), is_last=True)


def test_a_chunk_of_no_frames_is_refused(model: Sovits) -> None:
    stream = decoder(model)
    stream.extend(torch.tensor([CLAUSES[0]]))
    with pytest.raises(ValueError, match="most_frames is 0: at least 1"):
        stream.work(codes(CODES), is_last=True, most_frames=0)


def test_codes_that_nothing_was_made_of_may_be_drawn_again(model: Sovits) -> None:
    said, other = codes(CODES), codes(CODES)
    other[20:] = [7] * (CODES - 20)
    ways = []
    for first in (said, other):
        stream = decoder(model)
        stream.extend(torch.tensor([CLAUSES[0]]))
        out = list(given_out(stream, said[:20], is_last=False))
        stream.work(first, is_last=True)  # and its caller goes away before it has run
        ways.append(samples(out + list(given_out(stream, other, is_last=True))))
    assert np.array_equal(*ways)


def test_all_codes_are_encoded_once(model: Sovits, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    stream_latent = model.stream_latent

    def counting(codes: torch.Tensor, *rest: torch.Tensor, speed: float) -> object:
        encoded.append(codes.shape[1])
        return stream_latent(codes, *rest, speed=speed)

    monkeypatch.setattr(model, "stream_latent", counting)
    stream = decoder(model)
    assert len(spoken(stream, [(0, 24), (24, CODES)], most=8)) > 8
    assert encoded == [24, CODES]


def test_windows_have_the_few_shapes_that_were_warmed(
    model: Sovits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the first of an utterance that is shorter than one, and the end of some."""
    most = 24
    decode, shapes = model.dec.forward, set[tuple[int, ...]]()

    def noting(z: torch.Tensor, g: torch.Tensor, *window: int) -> torch.Tensor:
        shapes.add((z.shape[-1], *window))
        return decode(z, g, *window)

    monkeypatch.setattr(model.dec, "forward", noting)
    ge = decoder(model).ge
    warm(model, ge, most)
    warmed = set(shapes)
    lefts = 1 + -(-model.dec.reach_frames // WINDOW_FRAMES)
    assert len(warmed) == (lefts + 1) * most // WINDOW_FRAMES
    for known in range(28, CODES):
        stream, said = decoder(model, ahead=3), codes(known)
        stream.extend(torch.tensor([CLAUSES[0]]))
        list(given_out(stream, said[:14], is_last=False, most=WINDOW_FRAMES))
        list(given_out(stream, said, is_last=True, most=most))
    assert all(last - first <= WINDOW_FRAMES for _, first, last in shapes - warmed)


@pytest.mark.parametrize("speed", [1.0, 0.83])
def test_windows_of_a_batch_do_not_touch_each_other(model: Sovits, speed: float) -> None:
    def streams() -> list[StitchedDecoder]:
        several = [decoder(model, speed=speed, seed=seed) for seed in (3, 4, 5)]
        for number, stream in enumerate(several):
            stream.extend(torch.tensor([CLAUSES[number]]))
        return several

    alone = [
        samples(list(given_out(one, codes(CODES), is_last=True, most=16))) for one in streams()
    ]
    batch = streams()
    heard: list[list[Sounded]] = [[], [], []]
    while batch[0].sounded_frames < batch[0].ready_frames(CODES, is_last=True):
        works = [one.work(codes(CODES), is_last=True, most_frames=16) for one in batch]
        assert len({work.window.shape for work, _ in works}) == 1
        sound([work for work, _ in works])
        for out, (_, sounded) in zip(heard, works, strict=True):
            out.append(sounded)
    for out, expected in zip(heard, alone, strict=True):
        assert np.abs(samples(out) - expected).max() <= EXACT * np.abs(expected).max()


def test_audio_that_is_no_number_is_told(model: Sovits) -> None:
    broken = decoder(model)
    broken.ge = broken.ge * torch.nan
    broken.extend(torch.tensor([CLAUSES[0]]))
    work, sounded = broken.work(codes(CODES), is_last=True)
    work.run([work])
    assert not sounded.finite
