"""How the next semantic token is drawn from logits: the reference project's order, step by step.

In: logits, which tokens a row has had, settings and noise.  Out: tokens.  Everything is a tensor
of static shape and nothing waits for the device, except that `Drawn.read` does.  Knows nothing of
models, positions or audio; functions of their arguments, for any thread.

The order: the end token is out of the question for the first 11 tokens; repetition penalty for
every earlier token, the reference's included, each once; top-p on the penalised logits;
temperature; top-k, equals staying in; softmax; the largest p / noise, the noise exponential with
mean 1, which draws each token with its probability (the Gumbel-max trick in another form).

Shapes: B rows, V vocabulary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tts.errors import BadRequest

STEPS_WITHOUT_EOS = 11
"""The end token cannot be among the first 11 tokens of a run."""

MIN_TEMPERATURE = 1e-5

SEEDS = 2**64
"""Seeds are the numbers below this, from 0."""

Noise = Callable[[int], Tensor]
"""The noise of a step: step number, from 0 -> [V] float32, positive."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How freely one utterance is spoken.  Raises BadRequest for a value out of range."""

    top_k: int = 15
    """Tokens to choose from; 1 always takes the likeliest.  At least 1."""
    top_p: float = 1.0
    """Share of the probability to choose from; 0 to 1."""
    temperature: float = 1.0
    """Above 1 flatter, below 1 sharper; 0 or more, as 1e-5 at least."""
    repetition_penalty: float = 1.35
    """What earlier tokens' logits are divided by (multiplied, if negative); above 0."""

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise BadRequest(f"top_k is {self.top_k}: at least 1 is allowed")
        if not 0 <= self.top_p <= 1:
            raise BadRequest(f"top_p is {self.top_p}: 0 to 1 is allowed")
        if not 0 <= self.temperature < float("inf"):
            raise BadRequest(f"temperature is {self.temperature}: 0 or more is allowed")
        if not 0 < self.repetition_penalty < float("inf"):
            raise BadRequest(
                f"repetition_penalty is {self.repetition_penalty}: a number above 0 is allowed"
            )


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """The settings of several rows, as tensors [B, 1]."""

    top_k: Tensor
    top_p: Tensor
    temperature: Tensor
    repetition_penalty: Tensor

    @classmethod
    def of(
        cls, settings: Sequence[Sampling], vocabulary: int, device: torch.device
    ) -> "SamplingRows":
        """One row for each."""
        ks = [min(one.top_k, vocabulary) for one in settings]
        floats = [
            [one.top_p for one in settings],
            [max(one.temperature, MIN_TEMPERATURE) for one in settings],
            [one.repetition_penalty for one in settings],
        ]
        columns = torch.tensor(floats, dtype=torch.float32, device=device).unsqueeze(2)
        return cls(torch.tensor(ks, device=device).unsqueeze(1), *columns)

    @classmethod
    def empty(cls, rows: int, device: torch.device) -> "SamplingRows":
        """Rows to be filled by `put`; they take the likeliest token until then."""
        return cls.of([Sampling(top_k=1)] * rows, 1, device)

    def put(self, row: int, settings: "SamplingRows") -> None:
        """Give a row the settings of the only row of others, in place."""
        for own, new in zip(self._columns(), settings._columns(), strict=True):
            own[row] = new[0]

    def take(self, rows: Tensor) -> "SamplingRows":
        """The settings of some rows."""
        return SamplingRows(*(column[rows] for column in self._columns()))

    def _columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.top_k, self.top_p, self.temperature, self.repetition_penalty


@dataclass(frozen=True, slots=True)
class Drawn:
    """The outcome of one step."""

    tokens: Tensor
    """[B] int64: the tokens drawn."""
    likeliest: Tensor
    """[B] int64: the first of the largest penalised logits."""
    finite: Tensor
    """[B] bool: whether all logits were finite numbers; otherwise the token means nothing."""

    def read(self, eos: int) -> list[tuple[int, bool, bool]]:
        """For each row: the token, whether the run ends here and without it, whether it is sound.

        A run ends when the end token is drawn, and also when it is the likeliest.
        """
        return read_table(self.table(eos))

    def table(self, eos: int) -> Tensor:
        """What `read` gives, on the device: [B, 3] int64."""
        ends = (self.tokens == eos) | (self.likeliest == eos)
        return torch.stack([self.tokens, ends, self.finite], dim=1)


def read_table(table: Tensor) -> list[tuple[int, bool, bool]]:
    """The rows of a `Drawn.table`, or of several on end."""
    found: list[list[int]] = table.tolist()  # sync
    return [(token, bool(ended), bool(finite)) for token, ended, finite in found]


class ExponentialNoise:
    """Noise that depends on seed and step alone: not on the device, nor on what else is drawn."""

    def __init__(self, seed: int, vocabulary: int, device: torch.device) -> None:
        """`seed`: 0 to 2^64 - 1; raises BadRequest for others."""
        check_seed(seed)
        self._seed = seed
        self._vocabulary = vocabulary
        self._device = device

    def __call__(self, step: int) -> Tensor:
        """[V] float32 of a step."""
        return self.block(step, 1)[0]

    def block(self, first: int, steps: int) -> Tensor:
        """[steps, V] float32 of the steps from `first` on."""
        noise = np.empty((steps, self._vocabulary), np.float32)
        for row, step in enumerate(range(first, first + steps)):
            # The second word of the counter: steps lie 2^64 blocks apart.
            bits = np.random.Philox(key=self._seed, counter=[0, step, 0, 0])
            np.random.Generator(bits).standard_exponential(dtype=np.float32, out=noise[row])
        # Zero comes once in some million draws, and 0 / 0 would win every comparison.
        np.maximum(noise, np.finfo(np.float32).tiny, out=noise)
        return torch.from_numpy(noise).to(self._device)


def check_seed(seed: int) -> None:
    """Raise BadRequest for what is no seed."""
    if not 0 <= seed < SEEDS:
        raise BadRequest(f"seed is {seed}: 0 to {SEEDS - 1} is allowed")


def tokens_seen(codes: Tensor, lengths: Tensor, vocabulary: int) -> Tensor:
    """Which tokens stand in each row's first `lengths` [B] codes [B, S]: [B, V] bool."""
    places = torch.arange(codes.shape[1], device=codes.device)
    valid = places < lengths.unsqueeze(1)
    counts = torch.zeros(len(codes), vocabulary, dtype=torch.int32, device=codes.device)
    return counts.scatter_add_(1, codes, valid.int()) > 0


def penalised(logits: Tensor, seen: Tensor, rows: SamplingRows) -> Tensor:
    """Logits [B, V] after the repetition penalty on tokens `seen` [B, V]."""
    scores = torch.where(
        logits < 0, logits * rows.repetition_penalty, logits / rows.repetition_penalty
    )
    return torch.where(seen, scores, logits)


def probabilities(logits: Tensor, rows: SamplingRows) -> Tensor:
    """Top-p, temperature, top-k and softmax of penalised logits: [B, V] -> [B, V]."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    # The token that crosses the limit goes too, unless it is the first.  Rounding may lift the
    # whole sum above 1, where nothing is to go.
    gone = (ordered.softmax(dim=-1).cumsum(dim=-1) > rows.top_p) & (rows.top_p < 1)
    gone[:, 0] = False
    ordered = ordered.masked_fill(gone, -torch.inf) / rows.temperature
    ordered = ordered.masked_fill(ordered < ordered.gather(1, rows.top_k - 1), -torch.inf)
    return torch.empty_like(ordered).scatter_(1, order, ordered.softmax(dim=-1))


def draw(probs: Tensor, noise: Tensor) -> Tensor:
    """One token a row: probabilities and noise [B, V] -> [B] int64."""
    return (probs / noise).argmax(dim=-1)


@torch.inference_mode()
def sample(
    logits: Tensor,
    seen: Tensor,
    rows: SamplingRows,
    noise: Tensor,
    *,
    may_end: Tensor,
    eos: int,
) -> Drawn:
    """One step for every row; the tokens drawn are added to `seen`, in place.

    `logits` [B, V] float32, `seen` [B, V] bool, `noise` [B, V], `may_end` [B] bool: whether the
    end token may be drawn, which is so from step `STEPS_WITHOUT_EOS` on.
    """
    finite = logits.isfinite().all(dim=-1)
    barred = torch.zeros_like(seen)
    barred[:, eos] = ~may_end
    logits = penalised(logits.masked_fill(barred, -torch.inf), seen, rows)
    tokens = draw(probabilities(logits, rows), noise)
    seen.scatter_(1, tokens.unsqueeze(1), True)
    return Drawn(tokens, logits.argmax(dim=-1), finite)
