"""One utterance: the guards, with a scripted T2S; the whole way, with small random models."""

from collections.abc import Callable, Generator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.tts.engine.test_t2s_decode import SPEC, ScriptedModel
from tests.tts.models.golden_sovits import small
from tests.tts.models.t2s_vectors import small_model
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import SEEDS, Sampling
from tts.engine.synthesis import Manner, Models, Reference, Utterance, synthesise
from tts.engine.t2s_decode import End
from tts.errors import BadRequest, EngineFailed

SAMPLES_PER_CODE = 1280
GREEDY = Manner(Sampling(top_k=1, repetition_penalty=1.0))
PHONES = 3
# 1 s, and 0.2 s a phone.
SLOW_TOKENS = 40
RUNAWAY_TOKENS = 145


class Runs(ScriptedModel):
    """Each run follows the next script; a script names each step's likeliest token."""

    def __init__(self, *scripts: Callable[[int], int]) -> None:
        super().__init__(scripts[0])
        self.scripts = list(scripts)
        self.seeds: list[int] = []

    def prefill(self, inputs: object, state: None) -> Tensor:
        self._script, self.steps = self.scripts.pop(0), 0
        return self._logits()


def says(tokens: int) -> Callable[[int], int]:
    """A healthy run."""
    return lambda step: SPEC.eos if step == tokens else step % 90


def babbles(step: int) -> int:
    return step % 90


def drones(after: int) -> Callable[[int], int]:
    return lambda step: step % 90 if step < after else 7


def overflows(step: int) -> int:
    return -1


class Overflowing(Runs):
    """As `Runs`; a script that gives -1 makes the numbers overflow."""

    def _logits(self) -> Tensor:
        if self._script(self.steps) == -1:
            return torch.full((1, SPEC.vocabulary), torch.nan)
        return super()._logits()


class Zeros:
    """Stands for a SoVITS model: silence of the right length, or NaN."""

    spec = small("v2").spec

    def __init__(self, value: float = 0.0) -> None:
        self._value = value

    def frames(self, codes: int, speed: float) -> int:
        return 2 * codes

    def decode(self, codes: Tensor, *_: Tensor, **__: float) -> Tensor:
        return torch.full((1, codes.shape[1] * SAMPLES_PER_CODE), self._value)


def reference() -> Reference:
    spec = small("v2").spec
    return Reference(
        torch.arange(4)[None],
        torch.ones(1, 2, dtype=torch.int64),
        torch.zeros(1, SPEC.bert, 2),
        torch.zeros(1, spec.gin, 1),
    )


def finish(steps: Generator[None, None, Utterance]) -> Utterance:
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def speak(
    *scripts: Callable[[int], int],
    sovits: object = None,
    phones: int = PHONES,
    manner: Manner = GREEDY,
) -> tuple[Utterance, Runs]:
    t2s = Overflowing(*scripts)
    models = Models(t2s, sovits or Zeros())  # type: ignore[arg-type]
    return finish(synthesise(models, reference(), *text(phones), manner)), t2s


def text(phones: int) -> tuple[Tensor, Tensor]:
    return torch.ones(1, phones, dtype=torch.int64), torch.zeros(1, SPEC.bert, phones)


def test_a_healthy_run_is_heard_as_it_is() -> None:
    utterance, t2s = speak(says(30), says(20))
    assert utterance.codes == tuple(range(30))
    assert utterance.end is End.EOS
    assert len(utterance.samples) == 30 * SAMPLES_PER_CODE
    assert len(t2s.scripts) == 1


def test_a_long_but_healthy_run_is_not_cut() -> None:
    utterance, _ = speak(says(140))
    assert len(utterance.codes) == 140 > SLOW_TOKENS


@pytest.mark.parametrize("bad", [babbles, overflows, drones(0), drones(40)])
def test_a_run_that_goes_wrong_is_tried_again_and_the_healthy_one_is_heard(
    bad: Callable[[int], int],
) -> None:
    utterance, _ = speak(bad, says(30), phones=8)
    assert (utterance.codes, utterance.end) == (tuple(range(30)), End.EOS)


def test_a_runaway_is_cut_where_slow_speech_would_have_ended() -> None:
    utterance, _ = speak(babbles, babbles)
    assert utterance.end is End.RUNAWAY
    assert len(utterance.codes) == SLOW_TOKENS < RUNAWAY_TOKENS
    assert len(utterance.samples) == SLOW_TOKENS * SAMPLES_PER_CODE


def test_a_loop_is_cut_where_it_begins() -> None:
    utterance, _ = speak(drones(40), babbles, phones=8)
    assert utterance.end is End.LOOP
    # A window of 150 tokens of 12 kinds may hold 11 that came before the drone.
    assert utterance.codes == tuple(range(29))


@pytest.mark.parametrize(("after", "heard"), [(60, End.LOOP), (15, End.RUNAWAY)])
def test_of_two_unhealthy_runs_the_shorter_that_may_hold_the_text_is_heard(
    after: int, heard: End
) -> None:
    loop, runaway = drones(after), babbles
    assert speak(loop, runaway, phones=8)[0].end is heard
    assert speak(runaway, loop, phones=8)[0].end is heard


def test_a_little_of_the_text_is_better_than_nothing() -> None:
    assert len(speak(drones(15), drones(13), phones=8)[0].codes) == 3


def test_a_loop_after_long_babble_is_cut_like_a_runaway() -> None:
    assert len(speak(drones(66), overflows, phones=8)[0].codes) == 55
    assert len(speak(drones(90), overflows, phones=10)[0].codes) == 25 + 5 * 10


def test_a_drone_from_the_first_token_on_is_never_heard() -> None:
    with pytest.raises(EngineFailed, match="8 phones in 2 attempts: loop, loop"):
        speak(drones(0), drones(0), phones=8)


def test_numbers_that_overflow_twice_are_a_failure() -> None:
    with pytest.raises(EngineFailed, match="3 phones in 2 attempts: not finite, not finite"):
        speak(overflows, overflows)


def test_overflow_after_a_runaway_leaves_the_runaway_cut() -> None:
    assert len(speak(babbles, overflows)[0].codes) == SLOW_TOKENS


def test_audio_that_is_not_finite_is_a_failure_after_two_attempts() -> None:
    with pytest.raises(EngineFailed, match="audio that is not finite"):
        speak(says(30), says(30), sovits=Zeros(float("nan")))


@pytest.mark.golden
def test_the_second_attempt_has_another_seed_and_after_the_last_seed_comes_the_first() -> None:
    sovits = small("v2")
    last = replace(GREEDY, seed=SEEDS - 1)
    again, _ = speak(babbles, says(30), manner=last, sovits=sovits)
    fresh, _ = speak(says(30), manner=replace(last, seed=0), sovits=sovits)
    first, _ = speak(says(30), manner=last, sovits=sovits)
    assert np.array_equal(again.samples, fresh.samples)
    assert not np.array_equal(again.samples, first.samples)


@pytest.mark.golden
def test_the_audio_is_that_of_a_plain_decode_of_the_tokens() -> None:
    sovits = small("v2")
    utterance, _ = speak(says(30), manner=replace(GREEDY, seed=9), sovits=sovits)
    noise = LatentNoise(9, sovits.spec.latent, torch.device("cpu"))(0, 60)
    expected = sovits.decode(torch.arange(30)[None], text(PHONES)[0], reference().ge, noise)
    assert np.array_equal(utterance.samples, expected[0].numpy())


# The whole way.


@lru_cache
def models() -> Models:
    return Models(small_model("v2"), small("v2"))


def random_case() -> tuple[Reference, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(3)
    spec = models().t2s.spec
    return (
        Reference(
            torch.randint(1024, (1, 25), generator=draw),
            torch.randint(700, (1, 9), generator=draw),
            torch.randn(1, spec.bert, 9, generator=draw),
            torch.randn(1, models().sovits.spec.gin, 1, generator=draw),
        ),
        torch.randint(700, (1, 7), generator=draw),
        torch.zeros(1, spec.bert, 7),
    )


def spoken(manner: Manner) -> Utterance:
    return finish(synthesise(models(), *random_case(), manner))


@pytest.mark.golden
def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    one, same, other = (spoken(Manner(Sampling(), seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.samples, same.samples)
    assert one.codes == same.codes
    assert one.codes != other.codes


@pytest.mark.golden
def test_speed_and_noise_change_the_audio_and_not_the_tokens() -> None:
    plain = spoken(Manner(Sampling()))
    fast = spoken(Manner(Sampling(), speed=2.0))
    still = spoken(Manner(Sampling(), noise_scale=0.0))
    assert plain.codes == fast.codes == still.codes
    assert len(plain.samples) == len(plain.codes) * SAMPLES_PER_CODE
    assert len(fast.samples) == (len(plain.codes) + 1) * SAMPLES_PER_CODE // 2
    assert not np.array_equal(plain.samples, still.samples)


def test_it_yields_between_the_tokens_and_closing_drops_the_rest() -> None:
    t2s = Overflowing(says(30))
    steps = synthesise(
        Models(t2s, Zeros()),  # type: ignore[arg-type]
        reference(),
        *text(PHONES),
        GREEDY,
    )
    for _ in range(5):
        next(steps)
    steps.close()
    assert t2s.steps == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"speed": 0.0}, "speed is 0.0: a number above 0"),
        ({"speed": float("nan")}, "speed is nan"),
        ({"noise_scale": -0.1}, "noise_scale is -0.1: 0 or more"),
        ({"seed": -1}, "seed is -1: 0 to"),
    ],
)
def test_a_manner_out_of_range_is_refused(changes: dict[str, float], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        replace(GREEDY, **changes)
