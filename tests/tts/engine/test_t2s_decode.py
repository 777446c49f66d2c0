"""One utterance's tokens: how a run goes on and how it ends, with a scripted model."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.tts.models.t2s_vectors import CPU, known, small_model, vectors
from tts.engine.sampling import ExponentialNoise, Sampling
from tts.engine.t2s_decode import End, Limits, decode
from tts.models.t2s import T2s, T2sInput
from tts.spec import T2sSpec

SPEC = T2sSpec(
    hidden=8, heads=1, layers=1, ffn=32, phones=20, vocabulary=101, eos=100, bert=4, max_sec=40
)
GREEDY = Sampling(top_k=1, repetition_penalty=1.0)
LONG = Limits(early_stop=10_000)


class ScriptedModel:
    """Makes the token that a script names for each step the likeliest."""

    spec = SPEC
    device = CPU

    def __init__(self, script: Callable[[int], int]) -> None:
        self._script = script
        self.steps = 0

    def init_state(self, rows: int, capacity: int, *, poisoned: bool) -> None:
        return None

    def prefill(self, inputs: T2sInput, state: None) -> Tensor:
        return self._logits()

    def step(self, tokens: Tensor, state: None, window: int) -> Tensor:
        self.steps += 1
        return self._logits()

    def _logits(self) -> Tensor:
        logits = torch.zeros(1, SPEC.vocabulary)
        logits[0, self._script(self.steps)] = 9.0
        return logits


def text(phones: int = 3, codes: int = 4) -> T2sInput:
    return T2sInput.of(
        torch.zeros(phones, dtype=torch.int64), torch.zeros(4, phones), torch.arange(codes)
    )


def run(model: object, inputs: T2sInput | None = None, **options) -> tuple[list[int], End]:
    """The tokens and the reason of the end."""
    options = {"sampling": GREEDY, "noise": lambda _: torch.ones(101), "limits": LONG} | options
    tokens: list[int] = []
    generator = decode(model, inputs or text(), **options)
    while True:
        try:
            tokens.append(next(generator))
        except StopIteration as stop:
            return tokens, stop.value


def counting(step: int) -> int:
    return step % 90


def test_a_run_ends_with_the_end_token_and_without_it() -> None:
    model = ScriptedModel(lambda step: 100 if step == 20 else counting(step))
    assert run(model) == (list(range(20)), End.EOS)


def test_the_end_token_does_not_end_a_run_among_the_first_eleven() -> None:
    model = ScriptedModel(lambda step: 100 if step in (0, 10, 11) else counting(step))
    tokens, end = run(model)
    assert (len(tokens), end) == (11, End.EOS)


@pytest.mark.parametrize(("limit", "count"), [(0, 1), (1, 2), (14, 15), (200, 201)])
def test_a_run_ends_once_it_has_more_tokens_than_the_early_stop(limit: int, count: int) -> None:
    tokens, end = run(ScriptedModel(counting), limits=Limits(early_stop=limit))
    assert (len(tokens), end) == (count, End.LENGTH)


def test_a_run_ends_after_so_many_steps_as_its_limits_say_a_minute_if_they_say_nothing() -> None:
    tokens, end = run(ScriptedModel(counting), limits=Limits(early_stop=10_000, steps=60))
    assert (len(tokens), end) == (60, End.LENGTH)
    assert (LONG.steps, LONG.most) == (60 * 25, 60 * 25)


def test_the_end_token_counts_also_where_a_limit_is_reached() -> None:
    model = ScriptedModel(lambda step: 100 if step == 15 else counting(step))
    assert run(model, limits=Limits(early_stop=15))[1] == End.EOS


def test_the_early_stop_comes_of_the_longest_audio_the_model_knows() -> None:
    assert Limits.of(SPEC, 10).early_stop == 2000


def test_a_run_far_too_long_for_its_text_is_a_runaway() -> None:
    limits = Limits.of(SPEC, target_phones=8)
    tokens, end = run(ScriptedModel(counting), limits=limits)
    assert (len(tokens), end) == (100 + 15 * 8, End.RUNAWAY)


def test_six_seconds_of_the_same_few_tokens_are_a_loop() -> None:
    model = ScriptedModel(lambda step: counting(step) if step < 50 else 50 + step % 12)
    tokens, end = run(model)
    assert (len(tokens), end) == (50 + 150, End.LOOP)


def test_a_pause_and_a_phrase_said_again_are_no_loop() -> None:
    paused = ScriptedModel(lambda step: 7 if 50 <= step < 130 else counting(step))
    again = ScriptedModel(lambda step: step % 13)
    limits = Limits(early_stop=400)
    assert run(paused, limits=limits)[1] == run(again, limits=limits)[1] == End.LENGTH


def test_overflow_ends_a_run_with_nothing_instead_of_the_prompt() -> None:
    model = ScriptedModel(counting)
    model._logits = lambda: torch.full((1, 101), torch.nan)
    assert run(model) == ([], End.NOT_FINITE)


def test_no_steps_give_nothing_instead_of_the_prompt() -> None:
    assert run(ScriptedModel(counting), limits=Limits(early_stop=9, steps=0)) == ([], End.LENGTH)


def test_closing_a_run_stops_the_model() -> None:
    model = ScriptedModel(counting)
    tokens = decode(
        model,
        text(),
        sampling=GREEDY,
        noise=lambda _: torch.ones(101),
        limits=LONG,
    )
    assert [next(tokens) for _ in range(3)] == [0, 1, 2]
    tokens.close()
    assert model.steps == 2


def test_tokens_of_the_prompt_and_of_the_run_are_penalised() -> None:
    model = ScriptedModel(lambda step: 3)
    flat = Sampling(top_k=1, repetition_penalty=20.0)
    tokens, _ = run(model, sampling=flat, limits=Limits(early_stop=2))
    # 9 / 20 still beats 0.
    assert tokens == [3, 3, 3]
    negative = ScriptedModel(lambda step: 3)
    negative._logits = lambda: -1 - torch.arange(101.0)[None] / 1e3
    tokens, _ = run(negative, text(codes=4), sampling=flat, limits=Limits(early_stop=2))
    assert tokens == [4, 5, 6]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"phones": torch.tensor([[0, 20]])}, "phone 20 is not one of the model's: 0 to 19"),
        ({"codes": torch.tensor([[5, 100]])}, "semantic token 100 .* 0 to 99"),
        ({"codes": torch.tensor([[-1]])}, "semantic token -1"),
    ],
)
def test_an_id_that_the_model_does_not_have_is_named(
    inputs: dict[str, Tensor], message: str
) -> None:
    fields = {name: getattr(text(2, 2), name) for name in T2sInput.__slots__}
    with pytest.raises(ValueError, match=message):
        run(ScriptedModel(counting), T2sInput(**fields | inputs))


def test_input_beyond_the_table_of_positions_is_refused() -> None:
    with pytest.raises(ValueError, match="4097 phones: the model takes 4096"):
        run(ScriptedModel(counting), text(phones=4097))
    with pytest.raises(ValueError, match="4100 semantic tokens, those to come included"):
        crowded = T2sInput.of(
            torch.zeros(1, dtype=torch.int64),
            torch.zeros(4, 1),
            torch.zeros(2600, dtype=torch.int64),
        )
        run(ScriptedModel(counting), crowded)


def test_several_utterances_are_refused() -> None:
    with pytest.raises(ValueError, match="2 utterances"):
        run(ScriptedModel(counting), T2sInput.stack([text(), text(2, 2)]))


@pytest.fixture(scope="module")
def model() -> T2s:
    return small_model("v2")


def test_a_run_is_a_function_of_its_seed(model: T2s) -> None:
    inputs = known(vectors("npz", "t2s_v2"))

    def spoken(seed: int) -> tuple[list[int], End]:
        noise = ExponentialNoise(seed, model.spec.vocabulary, CPU)
        return run(model, inputs, sampling=Sampling(), noise=noise, limits=Limits(early_stop=30))

    assert spoken(1) == spoken(1)
    assert spoken(1) != spoken(2)


def test_poison_in_the_cache_changes_no_token(model: T2s) -> None:
    inputs = known(vectors("npz", "t2s_v2"))
    noise = ExponentialNoise(1, model.spec.vocabulary, CPU)
    options = {"sampling": Sampling(), "noise": noise, "limits": Limits(early_stop=60)}
    assert run(model, inputs, poisoned=True, **options) == run(model, inputs, **options)
