"""Laws of the T2S runtime: its tokens are `decode`'s, whatever else happens around a run."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.tts.laws import law
from tts.engine.sampling import ExponentialNoise, Sampling
from tts.engine.t2s_decode import End, Limits, decode
from tts.engine.t2s_runtime import NoSlot, Run, T2sRuntime
from tts.engine.types import Kind
from tts.models.t2s import T2s, T2sInput
from tts.spec import T2sSpec

SPEC = T2sSpec(
    hidden=32, heads=4, layers=2, ffn=64, phones=40, vocabulary=33, eos=32, bert=8, max_sec=10
)
CAPACITY = 200
ROWS = 3
CPU = torch.device("cpu")
LIMITS = Limits(early_stop=40)
GREEDY = Sampling(top_k=1, repetition_penalty=1.0)

WAYS = {
    "apart": {"windowed": False},
    "apart, poisoned": {"windowed": False, "poisoned": True},
    "windowed": {"windowed": True},
    "windowed, poisoned": {"windowed": True, "poisoned": True},
    "windowed, three at once": {"windowed": True, "tokens_per_work": 3},
    "apart, two at once": {"windowed": False, "tokens_per_work": 2},
}
"""How a runtime steps; on a GPU `windowed` is a graph."""


def made(seed: int = 3) -> T2s:
    torch.manual_seed(seed)
    model = T2s(SPEC).requires_grad_(False)
    # Or every run would end with its twelfth token, or never.
    model.head.weight *= 2
    return model


@pytest.fixture(scope="module")
def model() -> T2s:
    return made()


@pytest.fixture(scope="module")
def int8() -> T2s:
    model = made()
    for layer in model.layers:
        layer.quantise()
    return model


@dataclass(frozen=True)
class Wish:
    """One utterance that is asked for."""

    phones: int
    codes: int
    seed: int
    sampling: Sampling
    limits: Limits

    @property
    def inputs(self) -> T2sInput:
        draw = torch.Generator().manual_seed(100 * self.phones + self.codes)
        return T2sInput.of(
            torch.randint(SPEC.phones, (self.phones,), generator=draw),
            torch.randn(SPEC.bert, self.phones, generator=draw),
            torch.randint(SPEC.eos, (self.codes,), generator=draw),
        )


def wish(phones: int = 5, codes: int = 4, seed: int = 1, **more) -> Wish:
    return Wish(phones, codes, seed, **{"sampling": Sampling(), "limits": LIMITS} | more)


wishes = st.builds(
    Wish,
    st.integers(1, 40),
    st.sampled_from([0, 1, 7, 60, 100]),
    st.integers(0, 99),
    st.builds(
        Sampling,
        st.sampled_from([1, 5, 15, 100]),
        st.sampled_from([0.6, 1.0]),
        st.sampled_from([0.5, 1.0]),
        st.sampled_from([1.0, 1.35]),
    ),
    st.builds(
        Limits,
        st.integers(0, 40),
        st.just(50),
        st.sampled_from([None, 3, 25]),
        st.sampled_from([10, 150]),
        st.just(4),
    ),
)


def spoken(model: T2s, one: Wish) -> tuple[list[int], End]:
    """What the plain way gives."""
    tokens: list[int] = []
    generator = decode(
        model,
        one.inputs,
        sampling=one.sampling,
        noise=ExponentialNoise(one.seed, SPEC.vocabulary, CPU),
        limits=one.limits,
    )
    while True:
        try:
            tokens.append(next(generator))
        except StopIteration as stop:
            return tokens, stop.value


def runtime_of(model: T2s, way: str, rows: int = ROWS, capacity: int = CAPACITY) -> T2sRuntime:
    return T2sRuntime(model, rows=rows, capacity=capacity, **WAYS[way])


def begun(runtime: T2sRuntime, one: Wish) -> Run:
    run = runtime.join(one.inputs, one.sampling, one.seed, one.limits)
    work = run.prefill()
    work.run([work])
    return run


def step(*runs: Run) -> None:
    works = [run.step() for run in runs]
    works[0].run(works)


def finished(*runs: Run) -> None:
    while going := [run for run in runs if run.end is None]:
        step(*going)


@pytest.mark.golden
@pytest.mark.parametrize("way", WAYS)
@law
@given(st.data())
def test_a_run_is_decode_whoever_joins_leaves_and_is_stepped_beside_it(
    model: T2s, way: str, data: st.DataObject
) -> None:
    """The law: runs come, go, are cancelled and stepped in any company, into used slots too."""
    runtime = runtime_of(model, way)
    runs: dict[Run, Wish] = {}
    for _ in range(data.draw(st.integers(1, 25))):
        going = [run for run in runs if run.end is None]
        some = data.draw(st.lists(st.sampled_from(going), unique=True)) if going else []
        if some:
            step(*some)
        free = len(runs) < ROWS
        if free and data.draw(st.booleans()):
            one = data.draw(wishes)
            runs[begun(runtime, one)] = one
        elif runs and data.draw(st.integers(0, 4)) == 0:
            # A cancelled run has the first of its tokens; an ended one all of them.
            run = data.draw(st.sampled_from(list(runs)))
            tokens, end = spoken(model, runs[run])
            assert run.tokens == tokens[: len(run.tokens)]
            assert run.end in (None, end)
            run.leave()
            del runs[run]
    finished(*runs)
    for run, one in runs.items():
        assert (run.tokens, run.end) == spoken(model, one)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_decode_while_one_beside_it_is_cancelled_and_another_takes_its_slot(
    model: T2s, way: str
) -> None:
    runtime = runtime_of(model, way)
    wanted = [wish(5, 7, seed=1), wish(20, 60, seed=2), wish(9, 0, seed=3)]
    first, cancelled = begun(runtime, wanted[0]), begun(runtime, wanted[1])
    step(first, cancelled)
    step(cancelled)
    tokens, _ = spoken(model, wanted[1])
    assert cancelled.tokens == tokens[: 1 + 2 * runtime.tokens_per_work]
    cancelled.leave()
    second = begun(runtime, wanted[2])
    assert second.slot == 1
    finished(second, first)
    assert (first.tokens, first.end) == spoken(model, wanted[0])
    assert (second.tokens, second.end) == spoken(model, wanted[2])


@pytest.mark.parametrize("way", WAYS)
def test_every_end_of_decode_is_an_end_of_a_run(model: T2s, way: str) -> None:
    limits = [
        LIMITS,
        Limits(early_stop=5),
        Limits(early_stop=40, runaway=9),
        Limits(early_stop=60, loop_span=14, loop_kinds=14),
        Limits(early_stop=9, steps=0),
    ]
    wanted = [wish(limits=one, seed=2, sampling=Sampling(top_k=40)) for one in limits]
    runtime = runtime_of(model, way, rows=len(wanted))
    runs = [begun(runtime, one) for one in wanted]
    finished(*runs)
    found = [(run.tokens, run.end) for run in runs]
    assert found == [spoken(model, one) for one in wanted]
    assert {end for _, end in found} == {End.EOS, End.LENGTH, End.RUNAWAY, End.LOOP}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_whose_numbers_overflow_ends_and_harms_neither_neighbour_nor_follower(
    way: str,
) -> None:
    model = made()
    runtime = runtime_of(model, way, rows=2)
    healthy = wish(seed=7, sampling=GREEDY, limits=Limits(early_stop=30))
    beside = begun(runtime, healthy)
    sick = begun(runtime, wish(seed=8, limits=Limits(early_stop=100)))
    runtime.rows.state.cache.slots[:, sick.slot, :, :, : sick.places] = torch.nan
    step(beside, sick)
    assert sick.end is End.NOT_FINITE
    sick.leave()
    after = begun(runtime, healthy)
    finished(beside, after)
    assert (beside.tokens, beside.end) == (after.tokens, after.end) == spoken(model, healthy)


@pytest.mark.parametrize("way", WAYS)
def test_the_window_grows_over_every_border(model: T2s, way: str) -> None:
    long = wish(30, 90, sampling=GREEDY, limits=Limits(early_stop=70))
    runtime = runtime_of(model, way)
    run, other = begun(runtime, long), begun(runtime, wish())
    finished(run, other)
    assert len(run.tokens) > 20
    assert (run.tokens, run.end) == spoken(model, long)


@pytest.mark.parametrize("way", WAYS)
def test_with_int8_neighbours_change_nothing(int8: T2s, way: str) -> None:
    wanted = [wish(5, 4), wish(30, 60, seed=2), wish(1, 0, seed=3)]
    alone = []
    for one in wanted:
        run = begun(runtime_of(int8, way), one)
        finished(run)
        alone.append((run.tokens, run.end))
    runtime = runtime_of(int8, way)
    runs = [begun(runtime, one) for one in wanted]
    finished(*runs)
    assert [(run.tokens, run.end) for run in runs] == alone


def test_slots_are_given_from_the_first_on_and_given_again(model: T2s) -> None:
    runtime = runtime_of(model, "apart")
    runs = [begun(runtime, wish(seed=seed)) for seed in range(ROWS)]
    assert [run.slot for run in runs] == [0, 1, 2]
    with pytest.raises(NoSlot, match="every slot has an utterance"):
        begun(runtime, wish())
    runs[1].leave()
    runs[1].leave()
    assert runs[1].slot is None
    assert begun(runtime, wish()).slot == 1
    with pytest.raises(NoSlot):
        begun(runtime, wish())


def test_works_of_a_run_that_has_left_or_ended_do_nothing(model: T2s) -> None:
    runtime = runtime_of(model, "apart")
    stays, leaves, ends = begun(runtime, wish()), begun(runtime, wish()), begun(runtime, wish())
    works = [run.step() for run in (stays, leaves, ends)]
    leaves.leave()
    ends.end = End.LENGTH
    works[1].run(works)
    assert [len(run.tokens) for run in (stays, leaves, ends)] == [2, 1, 1]
    unread = runtime.join(wish().inputs, Sampling(), 1, LIMITS)
    work = unread.prefill()
    unread.leave()
    work.run([work])
    assert unread.tokens == []


def test_works_say_what_they_are_and_what_may_run_with_them(model: T2s) -> None:
    runtime = runtime_of(model, "windowed, three at once")
    one = runtime.join(wish(5, 4).inputs, Sampling(), 1, LIMITS)
    other = runtime.join(wish(6, 8).inputs, Sampling(), 1, LIMITS)
    first, second = one.prefill(), other.prefill()
    assert [(work.kind, work.size) for work in (first, second)] == [
        (Kind.PREFILL, 9),
        (Kind.PREFILL, 14),
    ]
    assert first.together is not second.together
    first.run([first])
    second.run([second])
    works = [one.step(), other.step()]
    assert [(work.kind, work.size) for work in works] == [(Kind.TOKEN, 3)] * 2
    assert works[0].together is works[1].together
    assert runtime_of(model, "apart").tokens_per_work == 1


def test_steps_of_fixed_shape_are_made_once_for_each_shape(model: T2s) -> None:
    runtime = runtime_of(model, "windowed", rows=3, capacity=200)
    runtime.warm()
    shapes = [(count, window) for count in (1, 2, 3) for window in (128, 200)]
    assert sorted(runtime.graphs) == shapes
    runs = [begun(runtime, wish(30, 90, seed=seed)) for seed in range(3)]
    finished(*runs)
    assert sorted(runtime.graphs) == shapes


@pytest.mark.parametrize("way", WAYS)
def test_a_warm_runtime_has_all_slots_free(model: T2s, way: str) -> None:
    runtime = runtime_of(model, way)
    runtime.warm()
    run = begun(runtime, wish())
    assert run.slot == 0
    finished(run)
    assert (run.tokens, run.end) == spoken(model, wish())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"capacity": 5000}, "capacity is 5000: 4096 at most is allowed"),
        ({"tokens_per_work": 33}, "tokens_per_work is 33: 1 to 32 is allowed"),
        ({"tokens_per_work": 0}, "tokens_per_work is 0"),
    ],
)
def test_a_runtime_that_cannot_be_is_refused(
    model: T2s, options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        T2sRuntime(model, **{"rows": 1, "capacity": 100} | options)


def test_an_utterance_that_fits_into_no_slot_is_refused_and_takes_none(model: T2s) -> None:
    runtime = runtime_of(model, "apart", rows=1, capacity=50)
    with pytest.raises(ValueError, match="9 phones and tokens, and 42 to come, .* 50 places"):
        begun(runtime, wish(5, 4, limits=Limits(early_stop=41)))
    with pytest.raises(ValueError, match="2 utterances"):
        both = T2sInput.stack([wish().inputs, wish().inputs])
        runtime.join(both, Sampling(), 1, LIMITS)
    assert begun(runtime, wish(5, 4, limits=Limits(early_stop=40))).slot == 0
