"""Utterances of one T2S model, each in a slot, stepped together.

In: an utterance's input, how freely it is spoken, a seed and limits.  Out: `Work` for whoever
decides what runs when, and the tokens of that utterance once its work has run.  The tokens are
those of `t2s_decode.decode`, whoever else is stepped with it and however.  Knows nothing of text,
voices, audio or deadlines.  Everything here is for the thread that steps the model.

On a CPU a step takes the utterances that are asked for.  On a GPU it is one of a set of graphs, by
how many slots it covers and how far back it looks (`t2s_rows`); the host reads the tokens of
several steps at once, and what a run drew past its end is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import cast

import torch
from torch import Tensor

from tts.engine.graphed import Graphed
from tts.engine.sampling import ExponentialNoise, Sampling, SamplingRows, read_table
from tts.engine.t2s_decode import End, Limits, Watch, check
from tts.engine.t2s_rows import NOISE_STEPS, Rows
from tts.engine.types import Kind, Work
from tts.errors import Overloaded
from tts.models.t2s import MAX_POSITIONS, T2s, T2sInput

WINDOW = 128
"""Graphs look back by multiples of so many places."""

GPU_TOKENS_PER_WORK = 4
"""Reading tokens back stops the GPU for a moment; this many are read at once, 0.16 s of speech."""

MOST_TOKENS_PER_WORK = 32

_NOISE_BLOCK = 16
"""Steps of noise that are sent to a GPU at once; with the above no more than `NOISE_STEPS`."""

_WARM_PLACES, _WARM_TOKENS = 64, 3
"""Phones, reference tokens and new tokens of the utterance that warms the kernels."""


class NoSlot(Overloaded):
    """Every slot has an utterance; one must leave first."""


@dataclass(frozen=True, slots=True, eq=False)
class RunWork(Work):
    """Work on one run."""

    of: "Run"


class Run:
    """One utterance's tokens, which grow as its works run."""

    def __init__(
        self,
        runtime: "T2sRuntime",
        slot: int,
        inputs: T2sInput,
        settings: SamplingRows,
        noise: ExponentialNoise,
        limits: Limits,
    ) -> None:
        self.tokens: list[int] = []
        """The tokens so far; those of the reference are not among them."""
        self.end: End | None = End.LENGTH if limits.most == 0 else None
        """Why there will be no more; None while it goes on."""
        self.slot: int | None = slot
        """Its place in the runtime; None once it has left."""
        self.inputs = inputs
        self.settings = settings
        self.noise = noise
        self._runtime = runtime
        self._watch = Watch(limits)
        self.places = inputs.phones.shape[1] + inputs.codes.shape[1]
        """Phones and tokens that the model has read for it, or has to read for a prefill."""
        self.noise_steps = 0
        """Steps of noise that lie in its slot, from the first on."""

    def prefill(self) -> Work:
        """The work up to the first token; once, before any step."""
        return RunWork(Kind.PREFILL, self.places, self._runtime.run_prefills, self, self)

    def step(self) -> Work:
        """The work of a further token, or of several where the runtime reads several at once."""
        runtime = self._runtime
        return RunWork(Kind.TOKEN, runtime.tokens_per_work, runtime.run_steps, runtime, self)

    def leave(self) -> None:
        """Give the slot back.  Works of this run that did not run yet do nothing.  Idempotent."""
        if self.slot is not None:
            self._runtime.free(self.slot)
            self.slot = None

    @property
    def is_going(self) -> bool:
        """Whether it may be stepped."""
        return self.slot is not None and self.end is None

    def see(self, token: int, ended: bool, finite: bool) -> None:
        """Take in what a step drew, unless the run has ended: as `t2s_decode.decode` does."""
        if self.end is not None:
            return
        if not finite:
            self.end = End.NOT_FINITE
        elif ended:
            self.end = End.EOS
        else:
            self.tokens.append(token)
            self.end = self._watch.see(token)


class T2sRuntime:
    """The slots of one model."""

    def __init__(
        self,
        model: T2s,
        *,
        rows: int,
        capacity: int,
        poisoned: bool = False,
        windowed: bool | None = None,
        tokens_per_work: int | None = None,
    ) -> None:
        """`rows` utterances at most, each of up to `capacity` phones and tokens.

        `windowed`: steps of fixed shape, the only ones that a GPU's graphs can hold; with
        `tokens_per_work` steps between two reads.  None: as the model's device needs it.
        `poisoned`: see `T2s.init_state`.  Raises ValueError for a capacity beyond the model's and
        for more tokens in a work than there is noise for.
        """
        if capacity > MAX_POSITIONS:
            raise ValueError(f"capacity is {capacity}: {MAX_POSITIONS} at most is allowed")
        if tokens_per_work is not None and not 0 < tokens_per_work <= MOST_TOKENS_PER_WORK:
            raise ValueError(
                f"tokens_per_work is {tokens_per_work}: 1 to {MOST_TOKENS_PER_WORK} is allowed"
            )
        on_gpu = model.device.type == "cuda"
        self.model = model
        self.capacity = capacity
        self.windowed = on_gpu if windowed is None else windowed
        self.tokens_per_work = tokens_per_work or (GPU_TOKENS_PER_WORK if on_gpu else 1)
        self.rows = Rows.empty(model, rows, capacity, windowed=self.windowed, poisoned=poisoned)
        self._batches = sorted({rows} | {2**n for n in range(rows.bit_length())})
        self._windows = [*range(WINDOW, capacity, WINDOW), capacity]
        self.graphs: dict[tuple[int, int], Graphed] = {}
        """Steps of fixed shape, by slots that they cover and places that they look back."""
        self._free = list(range(rows))

    def warm(self) -> None:
        """Do once what the first use of each kind of work would have to do.  No run may be on."""
        if self.windowed:
            for count in self._batches:
                for window in self._windows:
                    self._step_of(count, window)
        spec, device = self.model.spec, self.model.device
        length = min(_WARM_PLACES, (self.capacity - _WARM_TOKENS - self.tokens_per_work) // 2)
        ids = torch.zeros(length, dtype=torch.int64, device=device)
        features = torch.zeros(spec.bert, length, device=device)
        limits = Limits(early_stop=_WARM_TOKENS)
        run = self.join(T2sInput.of(ids, features, ids), Sampling(), 0, limits)
        works = [run.prefill()]
        while run.end is None:
            works[0].run(works)
            works = [run.step()]
        run.leave()

    def join(self, inputs: T2sInput, sampling: Sampling, seed: int, limits: Limits) -> Run:
        """Take the first free slot for an utterance; no model work yet.

        Raises `NoSlot` when all are taken, and ValueError for input that the model or a slot
        cannot take.
        """
        model = self.model
        check(inputs, model.spec, limits)
        places = inputs.phones.shape[1] + inputs.codes.shape[1]
        if limits.most > self.room(places):
            raise ValueError(
                f"{places} phones and tokens, and {limits.most} to come, do not fit into "
                f"{self.capacity} places"
            )
        settings = SamplingRows.of([sampling], model.spec.vocabulary, model.device)
        noise = ExponentialNoise(seed, model.spec.vocabulary, model.device)
        if not self._free:
            raise NoSlot("every slot has an utterance")
        slot = min(self._free)
        self._free.remove(slot)
        return Run(self, slot, inputs, settings, noise, limits)

    def room(self, places: int) -> int:
        """How many tokens a slot has room for after so many phones and tokens."""
        return max(0, self.capacity - places - (self.tokens_per_work - 1))

    def free(self, slot: int) -> None:
        """Take a slot back."""
        self._free.append(slot)

    def run_prefills(self, works: Sequence[Work]) -> None:
        """Read the inputs of these works' runs and draw their first tokens, one after another."""
        for run in _going(works):
            self._fill_noise(run, 1)
            drawn = self.rows.begin(_slot(run), run.inputs, run.settings)
            run.see(*read_table(drawn)[0])

    def run_steps(self, works: Sequence[Work]) -> None:
        """Draw the next tokens of these works' runs."""
        runs = _going(works)
        if not runs:
            return
        count = self.tokens_per_work
        for run in runs:
            self._fill_noise(run, len(run.tokens) + count)
        step = self._step_windowed if self.windowed else self._step_apart
        tables = []
        for _ in range(count):
            tables.append(step(runs))
            for run in runs:
                run.places += 1
        drawn = read_table(torch.cat(tables))
        for run, one in zip(chain.from_iterable([runs] * count), drawn, strict=True):
            run.see(*one)

    def _step_apart(self, runs: Sequence[Run]) -> Tensor:
        return self.rows.step([_slot(run) for run in runs], [run.places for run in runs])

    def _step_windowed(self, runs: Sequence[Run]) -> Tensor:
        slots = [_slot(run) for run in runs]
        count = next(count for count in self._batches if count > max(slots))
        longest = max(run.places for run in runs)
        window = next(window for window in self._windows if window > longest)
        active = torch.zeros(count, dtype=torch.bool)
        active[slots] = True
        return self._step_of(count, window)(active.to(self.model.device))[slots]

    def _step_of(self, count: int, window: int) -> Graphed:
        """The step that covers so many slots and looks back so many places."""
        if (count, window) not in self.graphs:
            nobody = torch.zeros(count, dtype=torch.bool, device=self.model.device)
            step = partial(self.rows.step_first, window=window)
            self.graphs[count, window] = Graphed(step, nobody)
        return self.graphs[count, window]

    def _fill_noise(self, run: Run, steps: int) -> None:
        """Let the noise of a run's first `steps` steps, or more, lie in its slot."""
        block = _NOISE_BLOCK if self.windowed else 1
        while run.noise_steps < steps:
            fresh = run.noise.block(run.noise_steps, block)
            first = run.noise_steps % NOISE_STEPS
            self.rows.noise[_slot(run), first : first + block] = fresh
            run.noise_steps += block


def _going(works: Sequence[Work]) -> list[Run]:
    """The runs that these works can go on with."""
    return [run for run in (cast(RunWork, work).of for work in works) if run.is_going]


def _slot(run: Run) -> int:
    assert run.slot is not None
    return run.slot
