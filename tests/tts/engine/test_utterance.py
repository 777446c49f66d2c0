"""A sentence that is heard while its tokens are drawn: what is sounded when, and the guards.

The token model is scripted; the model of sound is small and its weights random.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.tts.engine.test_t2s_decode import SPEC as T2S_SPEC
from tests.tts.models.test_sovits_windows import SPEC
from tts.engine.chunk_schedule import ChunkSchedule
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import SEEDS, Sampling
from tts.engine.stitched import AHEAD_FRAMES
from tts.engine.t2s_decode import End, Limits
from tts.engine.types import Kind, Work
from tts.engine.utterance import DRONE_TOKENS, Said, Sound, Utterance, whole
from tts.engine.voice import Manner, Models, Reference
from tts.errors import EngineFailed
from tts.models.sovits import Sovits
from tts.models.t2s import T2sInput

HOP = SPEC.hop_samples
PHONES = 4
# 1 s, and 0.2 s a phone.
SLOW_TOKENS = 45
LIMITS = Limits.of(T2S_SPEC, PHONES)
Script = tuple[Sequence[int], End]


class FakeRun:
    """A run whose tokens and end are written down."""

    def __init__(self, script: Script, left: list["FakeRun"]) -> None:
        self._script, self._end = script
        self._left = left
        self.tokens: list[int] = []
        self.end: End | None = None

    def prefill(self) -> Work:
        return Work(Kind.PREFILL, 1, self._run, self)

    def step(self) -> Work:
        assert self.end is None
        return Work(Kind.TOKEN, 1, self._run, self)

    def leave(self) -> None:
        self._left.append(self)

    def _run(self, works: Sequence[Work]) -> None:
        if len(self.tokens) < len(self._script):
            self.tokens.append(self._script[len(self.tokens)])
        else:
            self.end = self._end


class FakeRuntime:
    """Gives each utterance that joins the next script."""

    class model:
        spec = T2S_SPEC

    def __init__(self, *scripts: Script) -> None:
        self.scripts = list(scripts)
        self.inputs: list[T2sInput] = []
        self.seeds: list[int] = []
        self.left: list[FakeRun] = []

    def room(self, places: int) -> int:
        return 1000

    def join(self, inputs: T2sInput, sampling: Sampling, seed: int, limits: Limits) -> FakeRun:
        self.inputs.append(inputs)
        self.seeds.append(seed)
        return FakeRun(self.scripts.pop(0), self.left)


@dataclass
class Played:
    """A pace whose clock is the work that was done: so many seconds for each kind."""

    token_s: float = 0.01
    frame_s: float = 0.002
    now_s: float = 0.0
    began_s: float | None = None
    given_s: float = 0.0
    done: Counter[Kind] = field(default_factory=Counter)

    def ahead_s(self) -> float | None:
        return None if self.began_s is None else self.given_s - (self.now_s - self.began_s)

    def cost_s(self, kind: Kind, size: int) -> float:
        return size * self.frame_s if kind is Kind.SOUND else self.token_s

    def work(self, work: Work) -> None:
        work.run([work])
        self.done[work.kind] += 1
        self.now_s += self.cost_s(work.kind, work.size)

    def hear(self, sound: Sound) -> None:
        self.began_s = self.now_s if self.began_s is None else self.began_s
        self.given_s += len(sound.samples) / HOP * 0.02


@pytest.fixture(scope="module")
def sovits() -> Sovits:
    torch.manual_seed(5)
    model = Sovits(SPEC).eval().requires_grad_(False)
    model.codebook.normal_()
    return model


def reference() -> Reference:
    return Reference(
        torch.arange(3)[None],
        torch.ones(1, 2, dtype=torch.int64),
        torch.zeros(1, T2S_SPEC.bert, 2),
        torch.randn(1, SPEC.gin, 1, generator=torch.Generator().manual_seed(2)),
    )


def text(phones: int = PHONES) -> tuple[Tensor, Tensor]:
    return torch.arange(phones)[None] % SPEC.symbols, torch.zeros(1, T2S_SPEC.bert, phones)


def various(count: int) -> list[int]:
    return [(7 * step) % 1000 for step in range(count)]


def healthy(count: int) -> Script:
    return various(count), End.EOS


def utterance(
    sovits: Sovits, *scripts: Script, pace: Played | None = None, seed: int = 0, **options: object
) -> tuple[Utterance, FakeRuntime, Played]:
    runtime, pace = FakeRuntime(*scripts), pace or Played()
    models = Models(runtime, sovits)  # type: ignore[arg-type]
    manner = Manner(Sampling(), seed=seed)
    return Utterance(models, reference(), manner, pace, **options), runtime, pace  # type: ignore[arg-type]


def heard(steps: object, pace: Played) -> tuple[list[Sound], object]:
    """The sounds of steps, their work done, and what they came to."""
    sounds = []
    while True:
        try:
            step = next(steps)  # type: ignore[call-overload]
        except StopIteration as stop:
            return sounds, stop.value
        if isinstance(step, Work):
            pace.work(step)
        else:
            pace.hear(step)
            sounds.append(step)


def length(sounds: Sequence[Sound]) -> int:
    return sum(len(sound.samples) for sound in sounds)


# What is sounded when.


def test_the_first_chunk_is_sounded_as_soon_as_its_frames_and_their_reach_are_known(
    sovits: Sovits,
) -> None:
    speaking, _, pace = utterance(sovits, healthy(50))
    schedule = ChunkSchedule()
    for step in speaking.say(*text(), 0):
        if isinstance(step, Sound):
            break
        pace.work(step)
    frames = schedule.least_frames + sovits.dec.reach_frames + AHEAD_FRAMES
    tokens = -(-frames // 2)
    assert pace.done == {Kind.PREFILL: 1, Kind.TOKEN: tokens - 1, Kind.SOUND: 1}
    assert len(step.samples) == schedule.least_frames * HOP


def test_later_chunks_are_fewer_the_faster_the_machine(sovits: Sovits) -> None:
    counts = []
    for factor in (1.0, 0.1):
        pace = Played(token_s=0.015 * factor, frame_s=0.004 * factor)
        speaking, _, pace = utterance(sovits, healthy(120), pace=pace)
        sounds, end = heard(speaking.say(*text(), 0), pace)
        rest, _ = heard(speaking.finish(), pace)
        assert end is End.EOS
        assert length(sounds + rest) == 120 * 2 * HOP == speaking.end_sample
        counts.append(len(sounds))
    assert counts[0] > counts[1] >= 1


@settings(deadline=None, max_examples=8)
@given(st.floats(0.001, 0.014), st.floats(0.0001, 0.004), st.integers(11, 100))
def test_playback_does_not_run_dry(
    sovits: Sovits, token_s: float, frame_s: float, count: int
) -> None:
    speaking, _, pace = utterance(sovits, healthy(count), pace=Played(token_s, frame_s))
    for steps in (speaking.say(*text(30), 0), speaking.finish()):
        for step in steps:
            if isinstance(step, Work):
                pace.work(step)
            else:
                ahead_s = pace.ahead_s()
                assert ahead_s is None or ahead_s >= 0
                pace.hear(step)


def test_every_row_of_attention_comes_once(sovits: Sovits) -> None:
    speaking, _, pace = utterance(sovits, healthy(60))
    sounds, _ = heard(speaking.say(*text(), 0), pace)
    rest, _ = heard(speaking.finish(), pace)
    rows = [sound.attention.shape for sound in sounds + rest]
    assert sum(count for count, _ in rows) == 120 == 2 * speaking.codes
    assert {phones for _, phones in rows} == {PHONES}


def test_a_clause_in_one_go_is_the_plain_decode_of_its_tokens(sovits: Sovits) -> None:
    models = Models(FakeRuntime(healthy(40)), sovits)  # type: ignore[arg-type]
    phones, features = text()
    samples = whole(models, reference(), phones, features, Manner(Sampling(), seed=9))
    noise = LatentNoise(9, SPEC.latent, torch.device("cpu"))
    plain = sovits.decode(torch.tensor([various(40)]), phones, reference().ge, noise(0, 80))
    assert np.abs(samples - plain[0].numpy()).max() <= 1e-5 * plain.abs().max()


# Clauses of one sentence.


def test_a_clause_goes_on_where_the_one_before_ended(sovits: Sovits) -> None:
    speaking, runtime, pace = utterance(sovits, healthy(30), healthy(20))
    sounds, _ = heard(speaking.say(*text(4), 0), pace)
    more, _ = heard(speaking.say(*text(3), 2), pace)
    rest, _ = heard(speaking.finish(), pace)
    first, second = runtime.inputs
    assert first.codes[0].tolist() == [0, 1, 2]
    assert second.codes[0].tolist() == [0, 1, 2, *various(30)]
    assert second.phones[0].tolist() == [1, 1, 0, 1, 2, 3, 0, 1, 2]
    assert runtime.seeds == [0, 2]
    assert length(sounds + more + rest) == 50 * 2 * HOP
    assert [len(said.codes) for said in speaking.sentence] == [30, 20]


def test_a_sentence_that_had_to_wait_for_its_text_keeps_its_prompt(sovits: Sovits) -> None:
    said = Said(*text(4), codes=(5, 6, 7))
    speaking, runtime, pace = utterance(sovits, healthy(20), before=[said])
    heard(speaking.say(*text(3), 0), pace)
    assert runtime.inputs[0].codes[0].tolist() == [0, 1, 2, 5, 6, 7]
    assert speaking.codes == 20


# Guards.


@pytest.mark.parametrize(
    "bad",
    [
        ([], End.NOT_FINITE),
        ([], End.EOS),
        ([7] * LIMITS.loop_span, End.LOOP),
        ([7, 8] * LIMITS.loop_span, End.RUNAWAY),
    ],
)
def test_a_run_of_which_nothing_is_sure_is_tried_again_with_another_seed(
    sovits: Sovits, bad: Script
) -> None:
    speaking, runtime, pace = utterance(sovits, bad, healthy(30))
    _, end = heard(speaking.say(*text(), SEEDS - 1), pace)
    assert (end, speaking.codes) == (End.EOS, 30)
    assert runtime.seeds == [SEEDS - 1, 0]
    assert len(runtime.left) == 2


def test_two_such_runs_are_a_failure(sovits: Sovits) -> None:
    bad: Script = ([], End.NOT_FINITE)
    speaking, runtime, pace = utterance(sovits, bad, bad)
    with pytest.raises(EngineFailed, match="nothing of 4 phones; .* not finite, not finite"):
        heard(speaking.say(*text(), 0), pace)
    assert len(runtime.left) == 2


def test_a_long_but_healthy_run_is_not_cut(sovits: Sovits) -> None:
    speaking, _, pace = utterance(sovits, healthy(3 * SLOW_TOKENS))
    heard(speaking.say(*text(), 0), pace)
    assert speaking.codes == 3 * SLOW_TOKENS


def test_a_runaway_ends_where_slow_speech_would_have_ended(sovits: Sovits) -> None:
    speaking, _, pace = utterance(sovits, (various(160), End.RUNAWAY))
    _, end = heard(speaking.say(*text(), 0), pace)
    assert (end, speaking.codes) == (End.RUNAWAY, SLOW_TOKENS)


def test_of_a_drone_no_more_is_heard_than_it_takes_to_know_it(sovits: Sovits) -> None:
    script = [*various(30), *[7] * LIMITS.loop_span]
    speaking, _, pace = utterance(sovits, (script, End.LOOP), pace=Played(token_s=0.02))
    sounds, end = heard(speaking.say(*text(), 0), pace)
    rest, _ = heard(speaking.finish(), pace)
    assert end is End.LOOP
    assert length(sounds + rest) < (30 + DRONE_TOKENS) * 2 * HOP


def test_a_pause_in_a_healthy_run_is_heard_once_speech_goes_on(sovits: Sovits) -> None:
    script = [*various(20), *[7] * 25, *various(20)]
    speaking, _, pace = utterance(sovits, (script, End.EOS), pace=Played(token_s=0.02))
    heard(speaking.say(*text(20), 0), pace)
    assert speaking.codes == 65


def test_numbers_that_overflow_after_sound_has_left_end_the_clause(sovits: Sovits) -> None:
    speaking, runtime, pace = utterance(sovits, (various(30), End.NOT_FINITE))
    sounds, end = heard(speaking.say(*text(), 0), pace)
    assert sounds and end is End.NOT_FINITE
    assert len(runtime.seeds) == 1


def test_sound_that_is_no_number_is_a_failure() -> None:
    torch.manual_seed(5)
    broken = Sovits(SPEC).eval().requires_grad_(False)
    broken.dec.conv_post.weight.fill_(torch.nan)
    speaking, runtime, pace = utterance(broken, healthy(30))
    with pytest.raises(EngineFailed, match="not finite"):
        heard(speaking.say(*text(), 0), pace)
    assert len(runtime.left) == 1


@pytest.mark.parametrize("steps", [0, 1, 5, 12, 20])
def test_closing_at_any_step_gives_the_slot_back(sovits: Sovits, steps: int) -> None:
    speaking, runtime, pace = utterance(sovits, healthy(50))
    run = speaking.say(*text(), 0)
    for _, step in zip(range(steps), run, strict=False):
        if isinstance(step, Work):
            pace.work(step)
    run.close()
    assert len(runtime.left) == len(runtime.seeds)
