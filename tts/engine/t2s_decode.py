"""One utterance's semantic tokens, one by one.

In: a model, an utterance's input, settings, noise and limits.  Out: the tokens as they are drawn,
and why they end.  This is the plain way, one utterance at a time: what any faster way must equal.
Knows nothing of text, voices or audio.  Runs on the thread that steps the model.

The reference's own tokens are never given back: a run that draws nothing gives nothing.
"""

from collections import Counter, deque
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum

import torch

from tts.engine.sampling import (
    STEPS_WITHOUT_EOS,
    Noise,
    Sampling,
    SamplingRows,
    sample,
    tokens_seen,
)
from tts.models.t2s import MAX_POSITIONS, T2s, T2sInput
from tts.spec import T2sSpec

MAX_STEPS = 1500
"""Tokens of one utterance at most: a minute."""

EARLY_STOP_PER_SEC = 50
"""The limit that comes of a model's `max_sec`, in tokens; audio has 25 tokens a second."""

WINDOW_SLOTS = 32
"""The window of the cache grows by so many slots: few wipes, little wasted attention."""


class End(StrEnum):
    """Why a run of tokens ends."""

    EOS = "eos"
    """The model says that the utterance is over: the healthy end."""
    LENGTH = "length"
    """`Limits.early_stop` or `Limits.steps`, as the reference project has them."""
    RUNAWAY = "runaway"
    """`Limits.runaway`: no speech of this text is so long."""
    LOOP = "loop"
    """The same few tokens for seconds: a drone, a hiss or a stutter."""
    NOT_FINITE = "not finite"
    """The model's numbers overflowed; nothing can follow."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a run is cut that does not end by itself, in tokens of 40 ms."""

    early_stop: int
    """The run ends once it has more tokens than this."""
    steps: int = MAX_STEPS
    """The run ends at so many tokens."""
    runaway: int | None = None
    """The run ends at so many tokens, as a runaway; None: never."""
    loop_span: int = 150
    loop_kinds: int = 12
    """The run ends, as a loop, when its last `loop_span` tokens are of so few kinds or fewer.

    Six seconds of speech have five times as many, and of silence nobody wants six seconds.
    """

    @classmethod
    def of(cls, spec: T2sSpec, target_phones: int) -> "Limits":
        """The limits of a text of so many phones: 4 s and 0.6 s a phone are a runaway.

        Slow speech takes 0.3 s a phone, pauses included.
        """
        return cls(
            early_stop=int(EARLY_STOP_PER_SEC * spec.max_sec), runaway=100 + 15 * target_phones
        )

    @property
    def most(self) -> int:
        """No run has more tokens."""
        caps = [self.steps, self.early_stop + 1]
        return min(caps if self.runaway is None else [*caps, self.runaway])


class Watch:
    """Sees a run's tokens and says when it must end."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._tokens = 0
        self._span: deque[int] = deque()
        self._kinds: Counter[int] = Counter()

    def see(self, token: int) -> End | None:
        """The reason to end after this token, or None."""
        limits = self._limits
        self._tokens += 1
        if self._tokens > limits.early_stop or self._tokens >= limits.steps:
            return End.LENGTH
        if limits.runaway is not None and self._tokens >= limits.runaway:
            return End.RUNAWAY
        self._span.append(token)
        self._kinds[token] += 1
        if len(self._span) < limits.loop_span:
            return None
        if len(self._kinds) <= limits.loop_kinds:
            return End.LOOP
        oldest = self._span.popleft()
        self._kinds[oldest] -= 1
        if self._kinds[oldest] == 0:
            del self._kinds[oldest]
        return None


def decode(
    model: T2s,
    inputs: T2sInput,
    *,
    sampling: Sampling,
    noise: Noise,
    limits: Limits,
    poisoned: bool = False,
) -> Generator[int, None, End]:
    """Yield the tokens of one utterance; the generator's return value says why they end.

    The model works between the tokens: closing the generator drops the rest.  `inputs` has one
    row, on the model's device.  `poisoned`: see `T2s.init_state`.  Raises ValueError for ids that
    the model does not have and for input longer than it takes.
    """
    check(inputs, model.spec, limits)
    device, spec = model.device, model.spec
    used = inputs.phones.shape[1] + inputs.codes.shape[1]
    state = model.init_state(1, _rounded_up(used + limits.most), poisoned=poisoned)
    rows = SamplingRows.of([sampling], spec.vocabulary, device)
    seen = tokens_seen(inputs.codes, inputs.code_lengths, spec.vocabulary)
    watch = Watch(limits)
    if limits.most == 0:
        return End.LENGTH
    logits = model.prefill(inputs, state)
    step = 0
    while True:
        may_end = torch.full((1,), step >= STEPS_WITHOUT_EOS, device=device)
        drawn = sample(logits, seen, rows, noise(step).unsqueeze(0), may_end=may_end, eos=spec.eos)
        ((token, ended, finite),) = drawn.read(spec.eos)
        if not finite:
            return End.NOT_FINITE
        if ended:
            return End.EOS
        yield token
        reason = watch.see(token)
        if reason is not None:
            return reason
        step += 1
        logits = model.step(drawn.tokens, state, _rounded_up(used + step))


def check(inputs: T2sInput, spec: T2sSpec, limits: Limits) -> None:
    """Raise ValueError unless the input is one utterance that the model can take."""
    if len(inputs.phones) != 1:
        raise ValueError(f"{len(inputs.phones)} utterances: one at a time")
    for name, ids, end in (
        ("phone", inputs.phones, spec.phones),
        ("semantic token", inputs.codes, spec.eos),
    ):
        wrong = ids[(ids < 0) | (ids >= end)].tolist()  # sync
        if wrong:
            raise ValueError(f"{name} {wrong[0]} is not one of the model's: 0 to {end - 1}")
    for name, count in (
        ("phones", inputs.phones.shape[1]),
        ("semantic tokens, those to come included", inputs.codes.shape[1] + limits.most),
    ):
        if count > MAX_POSITIONS:
            raise ValueError(f"{count} {name}: the model takes {MAX_POSITIONS}")


def _rounded_up(slots: int) -> int:
    return -(-slots // WINDOW_SLOTS) * WINDOW_SLOTS
