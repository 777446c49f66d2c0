"""The utterances of one T2S model on its device, a row each, and one step for some of them.

In: which rows take part.  Out: the tokens they draw, as tensors; what a row remembers is written
in place and never rebound.  Everything from a token's embedding to the next token drawn happens
here and nothing waits for the device.  Knows nothing of runs, limits or who asks; `t2s_runtime`
does.  For the thread that steps the model.

There are two ways to step, with the same outcome.  `step` takes just the rows that take part, each
attending by itself: what a CPU does best.  `step_first` takes the first rows of all, whether they
take part or not, in tensors of fixed shape that one CUDA graph can replay.

Shapes: R rows in all, B rows in a step, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tts.engine.sampling import STEPS_WITHOUT_EOS, SamplingRows, sample, tokens_seen
from tts.models.t2s import T2s, T2sInput, T2sState

NOISE_STEPS = 64
"""Steps of noise that lie on the device: what is drawn ahead, and what is not used yet."""


@dataclass(frozen=True, slots=True)
class Rows:
    """See the module.  Row R, behind the others in all but `state`, is nobody's."""

    model: T2s
    state: T2sState
    tokens: Tensor
    """[R + 1] int64: the token drawn last, which the next step reads."""
    steps: Tensor
    """[R + 1] int64: how many tokens were drawn."""
    seen: Tensor
    """[R + 1, V] bool: which tokens the penalty falls on."""
    settings: SamplingRows
    noise: Tensor
    """[R + 1, NOISE_STEPS, V] float32: the noise of step n at n modulo NOISE_STEPS."""

    @classmethod
    def empty(
        cls, model: T2s, rows: int, capacity: int, *, windowed: bool, poisoned: bool
    ) -> "Rows":
        """Rows for utterances of up to `capacity` phones and tokens; none is there yet.

        `windowed`: they will be stepped by `step_first`; otherwise by `step`.
        """
        state = model.init_state(rows, capacity, poisoned=poisoned)
        if windowed:
            # From here on all slots hold numbers: each utterance wipes what the last one left.
            state.cache.slots.zero_()
            state.cache.opened = capacity
        device, vocabulary, count = model.device, model.spec.vocabulary, rows + 1
        return cls(
            model,
            state,
            torch.zeros(count, dtype=torch.int64, device=device),
            torch.zeros(count, dtype=torch.int64, device=device),
            torch.zeros(count, vocabulary, dtype=torch.bool, device=device),
            SamplingRows.empty(count, device),
            torch.ones(count, NOISE_STEPS, vocabulary, device=device),
        )

    @torch.inference_mode()
    def begin(self, row: int, inputs: T2sInput, settings: SamplingRows) -> Tensor:
        """Put an utterance into a row and draw its first token: see `Drawn.table`, [1, 3]."""
        self.settings.put(row, settings)
        self.steps[row] = 0
        vocabulary = self.model.spec.vocabulary
        self.seen[row] = tokens_seen(inputs.codes, inputs.code_lengths, vocabulary)[0]
        logits = self.model.prefill(inputs, self.state.rows(row, row + 1))
        index = torch.tensor([row], device=self.model.device)
        return self._draw(logits, index, index)

    @torch.inference_mode()
    def step(self, rows: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """The next token of these rows, of which so many places are filled: [B, 3]."""
        index = torch.tensor(rows, device=self.model.device)
        logits = self.model.step_rows(self.tokens[index], self.state, rows, lengths)
        return self._draw(logits, index, index)

    def step_first(self, active: Tensor, window: int) -> Tensor:
        """The next token of the first B rows, where `active` [B] bool is true: [B, 3].

        `window` is above the lengths of all that are active, and opened (`open`).
        """
        count = len(active)
        first = T2sState(self.state.cache.rows(0, count), self.state.codes[:count])
        logits = self.model.step(self.tokens[:count], first, window, active=active)
        index = torch.arange(count, device=self.model.device)
        nobody = len(self.tokens) - 1
        return self._draw(logits, index, torch.where(active, index, nobody))

    def _draw(self, logits: Tensor, rows: Tensor, into: Tensor) -> Tensor:
        """Draw for `rows` [B] and write down what is drawn as that of rows `into` [B]."""
        steps, seen = self.steps[rows], self.seen[rows]
        drawn = sample(
            logits,
            seen,
            self.settings.take(rows),
            self.noise[rows, steps % NOISE_STEPS],
            may_end=steps >= STEPS_WITHOUT_EOS,
            eos=self.model.spec.eos,
        )
        self.seen[into] = seen
        self.tokens[into] = drawn.tokens
        self.steps[into] = steps + 1
        return drawn.table(self.model.spec.eos)
