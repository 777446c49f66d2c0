"""Laws of the autoregressive model, with tiny random weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.tts.laws import Split, holds, law, splits
from tests.tts.models.t2s_vectors import CPU, GOLDEN, small_model
from tts.checkpoint import CheckpointError, read_t2s
from tts.models.t2s import T2s, T2sInput, T2sState
from tts.modules.int8 import Int8Linear
from tts.spec import T2sSpec

SPEC = T2sSpec(
    hidden=32, heads=4, layers=3, ffn=128, phones=40, vocabulary=65, eos=64, bert=24, max_sec=10
)
CLOSE = {"rtol": 0, "atol": 1e-5}
CAPACITY = 64


@pytest.fixture(scope="module")
def model() -> T2s:
    torch.manual_seed(3)
    return T2s(SPEC)


def utterance(phones: int, codes: int, seed: int = 0) -> T2sInput:
    draw = torch.Generator().manual_seed(100 * phones + codes + seed)
    return T2sInput.of(
        torch.randint(SPEC.phones, (phones,), generator=draw),
        torch.randn(SPEC.bert, phones, generator=draw),
        torch.randint(SPEC.eos, (codes,), generator=draw),
    )


def steps(model: T2s, state: T2sState, tokens: Tensor, window: int | None = None) -> list[Tensor]:
    """The logits after each column of tokens [B, steps]."""
    return [model.step(column, state, window) for column in tokens.unbind(1)]


def begun(
    model: T2s, inputs: T2sInput, *, poisoned: bool = False, capacity: int = CAPACITY
) -> tuple[Tensor, T2sState]:
    state = model.init_state(len(inputs.phones), capacity, poisoned=poisoned)
    return model.prefill(inputs, state), state


def alone(model: T2s, inputs: T2sInput, tokens: Tensor) -> list[Tensor]:
    logits, state = begun(model, inputs)
    return [logits, *steps(model, state, tokens)]


def soil(state: T2sState, value: float) -> None:
    """Fill every unused slot."""
    unused = torch.arange(state.cache.capacity) >= state.cache.lengths[:, None]
    state.cache.slots.masked_fill_(unused[:, None, None, :, None], value)


TOKENS = torch.tensor([[5, 63, 5, 0, 17], [1, 2, 3, 4, 5], [60, 61, 62, 63, 0]])
RAGGED = [(7, 9), (12, 0), (3, 4)]


@law
@given(st.data(), st.integers(1, 9), st.integers(1, 12), st.sampled_from(["", "nan", "1e4"]))
def test_tokens_read_in_pieces_equal_tokens_read_at_once(
    model: T2s, data: st.DataObject, phones: int, codes: int, dirt: str
) -> None:
    """The law: the first piece at once, the rest token by token, the window growing by pieces.

    Unused slots hold what is named, and other utterances stand in the rows before and after.
    """
    whole = utterance(phones, codes)
    split = data.draw(splits(codes, shortest=1))
    sizes = st.tuples(st.integers(1, 9), st.integers(0, 12))
    before, after = data.draw(st.lists(sizes, max_size=1)), data.draw(st.lists(sizes, max_size=1))
    longest = max(sum(size) for size in [(phones, split[0][1]), *before, *after])

    def speak(pieces: Split) -> np.ndarray:
        known = replace(
            whole,
            codes=whole.codes[:, : pieces[0][1]],
            code_lengths=torch.tensor([pieces[0][1]]),
        )
        around = [[utterance(*size) for size in sizes] for sizes in (before, after)]
        inputs = T2sInput.stack([*around[0], known, *around[1]])
        logits, state = begun(model, inputs, poisoned=dirt == "nan")
        if dirt == "1e4":
            soil(state, 1e4)
        for start, end in pieces[1:]:
            for token in whole.codes[0, start:end]:
                window = longest + end - pieces[0][1]
                logits = model.step(token.expand(len(inputs.phones)), state, window)
        return logits[len(before)].numpy()

    holds(speak, split, within=1e-5)


def test_a_row_does_not_depend_on_its_neighbours(model: T2s) -> None:
    inputs = [utterance(*size) for size in RAGGED]
    logits, state = begun(model, T2sInput.stack(inputs))
    found = torch.stack([logits, *steps(model, state, TOKENS)], dim=1)
    for row, one in enumerate(inputs):
        wanted = torch.cat(alone(model, one, TOKENS[row : row + 1]))
        torch.testing.assert_close(found[row], wanted, **CLOSE)
    assert state.cache.lengths.tolist() == [7 + 9 + 5, 12 + 5, 3 + 4 + 5]
    assert state.codes.tolist() == [9 + 5, 5, 4 + 5]


@pytest.mark.parametrize("window", [32, 40, CAPACITY])
def test_slots_full_of_nan_change_no_bit(model: T2s, window: int) -> None:
    inputs = T2sInput.stack([utterance(*size) for size in RAGGED])
    runs = []
    for poisoned in (False, True):
        logits, state = begun(model, inputs, poisoned=poisoned)
        if not poisoned:
            soil(state, 0.0)
        runs.append(torch.stack([logits, *steps(model, state, TOKENS, window)]))
        behind = state.cache.slots[..., window:, :]
        assert behind.isnan().sum() == (behind.numel() if poisoned else 0)
    assert torch.equal(runs[0], runs[1])


def test_the_poison_reaches_every_unused_slot_and_no_other(model: T2s) -> None:
    _, state = begun(model, T2sInput.stack([utterance(*size) for size in RAGGED]), poisoned=True)
    steps(model, state, TOKENS)
    state.cache.poison()
    bad = state.cache.slots.isnan().movedim(4, 2).flatten(3)  # [L, B, S, ...]
    unused = (torch.arange(CAPACITY) >= state.cache.lengths[:, None])[None, :, :, None]
    assert torch.equal(bad, unused.expand_as(bad))


def test_a_row_is_given_to_another_utterance_while_its_neighbour_goes_on(model: T2s) -> None:
    stays, leaves, comes = utterance(7, 9), utterance(12, 11), utterance(4, 2)
    _, state = begun(model, T2sInput.stack([stays, leaves]))
    steps(model, state, TOKENS[:2, :2])
    # The utterance that leaves had overflowed, as half precision can.
    state.cache.slots[:, 1] = torch.nan
    first = model.prefill(comes, state.rows(1, 2))
    found = torch.stack(steps(model, state, TOKENS[:2, 2:]), dim=1)
    torch.testing.assert_close(found[0], torch.cat(alone(model, stays, TOKENS[:1]))[3:], **CLOSE)
    torch.testing.assert_close(
        torch.cat([first, found[1]]), torch.cat(alone(model, comes, TOKENS[1:2, 2:])), **CLOSE
    )


def test_a_state_is_written_in_place(model: T2s) -> None:
    inputs = utterance(5, 3)
    state = model.init_state(1, CAPACITY)
    tensors = [state.cache.slots, state.cache.lengths, state.codes]
    places = [tensor.data_ptr() for tensor in tensors]
    model.prefill(inputs, state)
    steps(model, state, TOKENS[:1])
    after = [state.cache.slots, state.cache.lengths, state.codes]
    assert all(a is b for a, b in zip(tensors, after, strict=True))
    assert [tensor.data_ptr() for tensor in after] == places


def test_reading_twice_into_one_state_forgets_the_first(model: T2s) -> None:
    _, state = begun(model, utterance(12, 11))
    steps(model, state, TOKENS[:1])
    found = [model.prefill(utterance(5, 3), state), *steps(model, state, TOKENS[:1])]
    wanted = alone(model, utterance(5, 3), TOKENS[:1])
    torch.testing.assert_close(torch.cat(found), torch.cat(wanted), **CLOSE)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_single_precision_logits_close_to_the_real_ones(
    dtype: torch.dtype,
) -> None:
    exact, half = small_model("v2"), small_model("v2", dtype)
    assert {parameter.dtype for parameter in half.parameters()} == {dtype}
    draw = torch.Generator().manual_seed(1)
    inputs = T2sInput.of(
        torch.randint(732, (9,), generator=draw),
        torch.zeros(1024, 9),
        torch.randint(1024, (6,), generator=draw),
    )
    wanted = torch.cat(alone(exact, inputs, TOKENS[:1]))
    found = torch.cat(alone(half, inputs, TOKENS[:1]))
    assert found.dtype == torch.float32
    noise = (found - wanted).square().mean() / wanted.square().mean()
    assert 10 * noise.log10() < (-30 if dtype == torch.bfloat16 else -45)


def test_input_that_does_not_fit_the_state_is_refused(model: T2s) -> None:
    with pytest.raises(ValueError, match="12 phones and 11 semantic tokens do not fit into 22"):
        begun(model, utterance(12, 11), capacity=22)
    with pytest.raises(ValueError, match="the state has 2 rows, the input 1"):
        model.prefill(utterance(3, 3), model.init_state(2, CAPACITY))


def test_text_features_of_another_width_are_refused(model: T2s) -> None:
    inputs = T2sInput.of(torch.zeros(3, dtype=torch.int64), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"bert is \[1, 5, 3\], not \[1, 24, 3\]"):
        begun(model, inputs)


def test_text_features_that_do_not_belong_to_the_phones_are_refused() -> None:
    with pytest.raises(ValueError, match=r"bert \[24, 4\] must have a column for 3 phones"):
        T2sInput.of(torch.zeros(3, dtype=torch.int64), torch.zeros(24, 4))
    with pytest.raises(ValueError, match="at least one phone"):
        T2sInput.of(torch.zeros(0, dtype=torch.int64), torch.zeros(24, 0))


def test_a_tensor_that_is_missing_is_named() -> None:
    checkpoint = read_t2s(GOLDEN / "ckpt" / "t2s_v2.ckpt")
    del checkpoint.tensors["h.layers.1.linear2.bias"]
    with pytest.raises(CheckpointError, match=r"h\.layers\.1\.linear2\.bias is missing"):
        T2s.load(checkpoint.spec, checkpoint.tensors, dtype=torch.float32, device=CPU)


def small_int8() -> T2s:
    checkpoint = read_t2s(GOLDEN / "ckpt" / "t2s_v2.ckpt")
    return T2s.load(checkpoint.spec, checkpoint.tensors, dtype=torch.float32, device=CPU, int8=True)


def test_int8_gives_logits_close_to_the_real_ones_and_keeps_no_weight_twice() -> None:
    exact, rough = small_model("v2"), small_int8()
    draw = torch.Generator().manual_seed(1)
    inputs = T2sInput.of(
        torch.randint(732, (9,), generator=draw),
        torch.zeros(1024, 9),
        torch.randint(1024, (6,), generator=draw),
    )
    wanted = torch.cat(alone(exact, inputs, TOKENS[:1]))
    found = torch.cat(alone(rough, inputs, TOKENS[:1]))
    noise = (found - wanted).square().mean() / wanted.square().mean()
    assert 10 * noise.log10() < -25
    left = {name.split(".")[2] for name, _ in rough.layers.named_parameters(prefix="layers")}
    assert left == {"norm1", "norm2"}
    layers = [module for module in rough.modules() if isinstance(module, Int8Linear)]
    assert sum(layer.weight_bytes for layer in layers) == sum(
        parameter.numel() for parameter in exact.layers.parameters() if parameter.ndim == 2
    )


def test_int8_reads_tokens_in_steps_as_it_reads_them_at_once() -> None:
    model = small_int8()
    whole = T2sInput.of(torch.arange(9), torch.zeros(1024, 9), torch.arange(100, 112))
    known = replace(whole, codes=whole.codes[:, :4], code_lengths=torch.tensor([4]))
    at_once, _ = begun(model, whole)
    _, state = begun(model, known)
    in_steps = steps(model, state, whole.codes[:, 4:])[-1]
    # Rounding decides between two bytes now and then.
    assert (in_steps - at_once).abs().max() < 0.01 * at_once.abs().max()


@pytest.mark.parametrize("place", [{"dtype": torch.bfloat16}, {"device": torch.device("meta")}])
def test_int8_is_refused_where_there_is_none(place: dict[str, Any]) -> None:
    checkpoint = read_t2s(GOLDEN / "ckpt" / "t2s_v2.ckpt")
    with pytest.raises(ValueError, match="only float32 on a CPU is allowed"):
        T2s.load(
            checkpoint.spec,
            checkpoint.tensors,
            **{"dtype": torch.float32, "device": CPU} | place,
            int8=True,
        )


@pytest.mark.parametrize("poisoned", [False, True])
def test_rows_stepped_by_themselves_read_what_they_read_in_a_batch(
    model: T2s, poisoned: bool
) -> None:
    inputs = T2sInput.stack([utterance(*size) for size in RAGGED])
    _, batch = begun(model, inputs, poisoned=poisoned)
    _, apart = begun(model, inputs, poisoned=poisoned)
    wanted = torch.stack(steps(model, batch, TOKENS), dim=1)
    lengths = [7 + 9, 12, 3 + 4]
    for rows in ([2], [0, 2], [1, 0], [1]):
        moved = [apart.codes[row].item() - codes for row, (_, codes) in enumerate(RAGGED)]
        tokens = torch.stack([TOKENS[row, moved[row]] for row in rows])
        found = model.step_rows(tokens, apart, rows, [lengths[row] + moved[row] for row in rows])
        expected = torch.stack([wanted[row, moved[row]] for row in rows])
        torch.testing.assert_close(found, expected, **CLOSE)
    assert apart.cache.lengths.tolist() == [18, 14, 9]
    assert apart.codes.tolist() == [9 + 2, 2, 4 + 2]
