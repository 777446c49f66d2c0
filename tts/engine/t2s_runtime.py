"""Utterances of one T2S model, each in a slot, stepped together.

In: an utterance's input, how freely it is spoken, a seed and limits.  Out: `Work` for whoever
decides what runs when, and the tokens of that utterance once its work has run.  The tokens are
those of `t2s_decode.decode`, whoever else is stepped with it.  Knows nothing of text, voices,
audio or deadlines.  Everything here is for the thread that steps the model.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import cast

from tts.engine.sampling import ExponentialNoise, Sampling
from tts.engine.t2s_decode import End, Limits, check, decode
from tts.engine.types import Kind, Work
from tts.errors import Overloaded
from tts.models.t2s import T2s, T2sInput


class NoSlot(Overloaded):
    """Every slot has an utterance; one must leave first."""


@dataclass(frozen=True, slots=True, eq=False)
class RunWork(Work):
    """Work on one run."""

    of: "Run"


class Run:
    """One utterance's tokens, which grow as its works run."""

    def __init__(
        self, runtime: "T2sRuntime", places: int, drawn: Generator[int, None, End], end: End | None
    ) -> None:
        self.tokens: list[int] = []
        """The tokens so far; those of the reference are not among them."""
        self.end = end
        """Why there will be no more; None while it goes on."""
        self._runtime = runtime
        self._places = places
        self._drawn = drawn

    def prefill(self) -> Work:
        """The work up to the first token: once, before any step."""
        return RunWork(Kind.PREFILL, self._places, self._runtime.advance, self, self)

    def step(self) -> Work:
        """The work of one more token; only while `end` is None."""
        return RunWork(Kind.TOKEN, 1, self._runtime.advance, self._runtime, self)

    def leave(self) -> None:
        """Give the slot back.  Idempotent; nothing of the run may be used afterwards."""
        self._drawn.close()
        self._runtime.forget(self)

    def draw(self) -> None:
        """One more token, or the end."""
        try:
            self.tokens.append(next(self._drawn))
        except StopIteration as stop:
            self.end = stop.value


class T2sRuntime:
    """The slots of one model."""

    def __init__(self, model: T2s, *, rows: int, capacity: int, poisoned: bool = False) -> None:
        """`rows` utterances at most, each of up to `capacity` phones and tokens."""
        self.model = model
        self.rows = rows
        self.capacity = capacity
        self._poisoned = poisoned
        self._runs: set[Run] = set()

    def warm(self) -> None:
        """Do once what the first use of each kind of work would have to do."""

    def join(self, inputs: T2sInput, sampling: Sampling, seed: int, limits: Limits) -> Run:
        """Take a slot for an utterance; no model work yet.

        Raises `NoSlot` when all are taken, and ValueError for input that the model or a slot
        cannot take.
        """
        check(inputs, self.model.spec, limits)
        if len(self._runs) == self.rows:
            raise NoSlot(f"all {self.rows} slots are taken")
        places = inputs.phones.shape[1] + inputs.codes.shape[1]
        if places + limits.most > self.capacity:
            raise ValueError(
                f"{places} phones and tokens and {limits.most} to come do not fit into "
                f"{self.capacity} slots"
            )
        noise = ExponentialNoise(seed, self.model.spec.vocabulary, self.model.device)
        drawn = decode(
            self.model,
            inputs,
            sampling=sampling,
            noise=noise,
            limits=limits,
            poisoned=self._poisoned,
        )
        run = Run(self, places, drawn, End.LENGTH if limits.most == 0 else None)
        self._runs.add(run)
        return run

    def advance(self, works: Sequence[Work]) -> None:
        """Do such works of this runtime's runs, as one."""
        for work in works:
            run = cast(RunWork, work).of
            if run in self._runs and run.end is None:
                run.draw()

    def forget(self, run: Run) -> None:
        """Take a run's slot back."""
        self._runs.discard(run)
