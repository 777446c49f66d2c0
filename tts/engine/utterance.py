"""One sentence: phones and a voice in, samples out while tokens are still being drawn.

In: models, a reference, the phones and text features of one clause after another, all on the
models' device, how to speak, and the pace at which it is played.  Out: work for the worker to run,
and sound.  Deaf and blind to the world: no text, no files, no callers.  On the thread that steps
the models.

A clause of a sentence is drawn as the continuation of the clauses before it, which stand in its
prompt beside the reference: so the melody goes on.  Clauses that follow each other at once also
share one latent, so the sound goes on as well.

What the guards do.  None of them touches a healthy run, one that ends with the end token and
whose numbers are finite.

- Tokens that may be wrong are not sounded yet (`sure`): a drone, and what comes after the time that
  slow speech of the text takes.  They are sounded once the run proves healthy, or never.
- Numbers that are not finite, and a run of which nothing is sure: once again with another seed,
  unless some of it has been sounded; if that fails too, `CannotSpeak`.
- A runaway (`End.RUNAWAY`, `End.LENGTH`) or a loop (`End.LOOP`) ends with its last sure token.
- The reference's own tokens are never given back: a run holds the tokens drawn after them only.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts.engine.chunk_schedule import ChunkSchedule, Effort
from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import SEEDS
from tts.engine.stitched import StitchedDecoder
from tts.engine.t2s_decode import End, Limits
from tts.engine.types import Kind, NoHurry, Pace, Work
from tts.engine.voice import Manner, Models, Reference
from tts.errors import CannotSpeak
from tts.models.sovits import FRAMES_PER_CODE
from tts.models.t2s import T2sInput

ATTEMPTS = 2
"""Runs of a clause at most: one, and one more with another seed when it fails."""

SLOW_TOKENS, SLOW_TOKENS_PER_PHONE = 25, 5
"""Slow speech in tokens of 40 ms: 1 s, and 0.2 s for each phone.  Everyday speech has 0.1 s."""

MAX_PLACES = 2048
"""Phones and tokens of a clause at most, its prompt and the tokens to come included."""

DRONE_TOKENS, DRONE_KINDS = 8, 2
"""So many tokens of so few kinds or fewer may be the beginning of a drone, or a pause."""


@dataclass(frozen=True, slots=True)
class Said:
    """A clause whose tokens have been drawn."""

    phones: Tensor
    """[1, T]"""
    features: Tensor
    """[1, bert, T]"""
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples that follow those before them without a gap."""

    samples: NDArray[np.float32]
    """[N] at the SoVITS model's rate, -1 to 1."""
    attention: NDArray[np.float32]
    """[F, T]: how much each content frame, 20 ms at speed 1, that is heard in them for the first
    time looks at each phone of the utterance so far."""


Steps = Generator[Work | Sound, None, None]
"""What an utterance gives: work to be run before it is asked again, and sound."""


class Utterance:
    """A sentence, or what is said of it without a break."""

    def __init__(
        self,
        models: Models,
        reference: Reference,
        manner: Manner,
        pace: Pace,
        *,
        before: Sequence[Said] = (),
        schedule: ChunkSchedule | None = None,
    ) -> None:
        """`before`: the clauses of the sentence that have been spoken already."""
        self._models = models
        self._reference = reference
        self._manner = manner
        self._pace = pace
        self._schedule = schedule or ChunkSchedule()
        self._sentence = list(before)
        self._codes: list[int] = []
        self._fed = 0  # how many codes sound has been made of, as context or to be heard
        noise = LatentNoise(manner.seed, models.sovits.spec.latent, reference.ge.device)
        self._decoder = StitchedDecoder(
            models.sovits,
            reference.ge,
            noise,
            noise_scale=manner.noise_scale,
            speed=manner.speed,
        )

    @property
    def sentence(self) -> Sequence[Said]:
        """The clauses of the sentence so far."""
        return self._sentence

    @property
    def codes(self) -> int:
        """How many tokens its clauses so far have."""
        return len(self._codes)

    @property
    def end_sample(self) -> int:
        """Where the clauses said so far end, in samples from the utterance's first."""
        hop = self._models.sovits.spec.hop_samples
        return self._decoder.ready_frames(len(self._codes), is_last=True) * hop

    def say(
        self, phones: Tensor, features: Tensor, seed: int
    ) -> Generator[Work | Sound, None, End]:
        """Draw the tokens of a clause, phones [1, T] with text features [1, bert, T], and sound
        meanwhile what is due.  Says why the tokens ended.

        Raises `CannotSpeak` when nothing can be made of them, and ValueError for ids that a model
        does not have.
        """
        self._decoder.extend(phones)
        inputs = self._inputs(phones, features)
        places = inputs.phones.shape[1] + inputs.codes.shape[1]
        limits = Limits.of(self._models.t2s.model.spec, phones.shape[1])
        limits = replace(limits, steps=min(limits.steps, self._models.t2s.room(places)))
        before, count = len(self._codes), phones.shape[1]
        ends: list[End] = []
        for attempt in range(ATTEMPTS):
            seed = (seed + attempt) % SEEDS
            run = self._models.t2s.join(inputs, self._manner.sampling, seed, limits)
            try:
                yield from self._sound_due(Kind.PREFILL, places)
                yield run.prefill()
                while run.end is None:
                    self._codes[before:] = sure(run.tokens, run.end, limits, count)
                    yield from self._sound_due(Kind.TOKEN, 1)
                    yield run.step()
            finally:
                run.leave()
            kept = len(sure(run.tokens, run.end, limits, count))
            # What sound has been made of stands, whatever came of it.
            self._codes[before:] = run.tokens[: max(kept, self._fed - before)]
            if len(self._codes) > before:
                self._sentence.append(Said(phones, features, tuple(self._codes[before:])))
                return run.end
            ends.append(run.end)
        raise CannotSpeak(
            f"the voice made nothing of {count} phones; its attempts ended as {', '.join(ends)}"
        )

    def finish(self) -> Steps:
        """Sound the rest.  Raises `CannotSpeak`."""
        frames = self._decoder.ready_frames(len(self._codes), is_last=True)
        while self._decoder.sounded_frames < frames:
            yield from self._sound(frames - self._decoder.sounded_frames, is_last=True)

    def _inputs(self, phones: Tensor, features: Tensor) -> T2sInput:
        """The reference and the sentence so far as the prompt of a clause."""
        said, device = self._sentence, phones.device
        codes = [torch.tensor(one.codes, device=device) for one in said]
        reference = self._reference
        return T2sInput.of(
            torch.cat([reference.phones, *(one.phones for one in said), phones], dim=1)[0],
            torch.cat([reference.features, *(one.features for one in said), features], dim=2)[0],
            torch.cat([reference.codes[0], *codes]),
        )

    def _sound_due(self, kind: Kind, size: int) -> Steps:
        """Sound what cannot wait until work of this kind is done."""
        until_next_s = self._pace.cost_s(kind, size)
        while True:
            ready = self._decoder.ready_frames(len(self._codes), is_last=False)
            ready -= self._decoder.sounded_frames
            ahead_s = self._pace.ahead_s()
            if not self._schedule.due(
                ready, ahead_s=ahead_s, effort=self._effort(), until_next_s=until_next_s
            ):
                return
            yield from self._sound(ready, is_last=False)

    def _sound(self, ready_frames: int, *, is_last: bool) -> Steps:
        most = self._schedule.length(
            ready_frames, ahead_s=self._pace.ahead_s(), effort=self._effort()
        )
        work, sounded = self._decoder.work(self._codes, is_last=is_last, most_frames=most)
        self._fed = len(self._codes)
        yield work
        if not sounded.finite:
            raise CannotSpeak("the voice's samples are not finite")
        yield Sound(sounded.samples, sounded.attention)

    def _effort(self) -> Effort:
        return Effort(
            frames_s=partial(self._pace.cost_s, Kind.SOUND),
            drawn_s=self._pace.cost_s(Kind.TOKEN, 1) * self._manner.speed / FRAMES_PER_CODE,
        )


def sure(tokens: Sequence[int], end: End | None, limits: Limits, phones: int) -> Sequence[int]:
    """The tokens of a run, for so many phones, that are certainly its text's: all of a healthy
    one."""
    if end is End.EOS:
        return tokens
    count = min(len(tokens), SLOW_TOKENS + SLOW_TOKENS_PER_PHONE * phones)
    if end is End.LOOP:
        count = min(count, len(tokens) - limits.loop_span)
    kinds = set(tokens[count - DRONE_TOKENS : count]) if count >= DRONE_TOKENS else set()
    if 0 < len(kinds) <= DRONE_KINDS:
        while count and tokens[count - 1] in kinds:
            count -= 1
    return tokens[:count]


def whole(
    models: Models, reference: Reference, phones: Tensor, features: Tensor, manner: Manner
) -> NDArray[np.float32]:
    """A clause that nobody waits for, its work done here and sounded in one go: [N].

    Raises like `Utterance.say`.
    """
    utterance = Utterance(models, reference, manner, NoHurry(), schedule=_IN_ONE_GO)
    sounds = [np.zeros(0, np.float32)]
    for step in chain(utterance.say(phones, features, manner.seed), utterance.finish()):
        if isinstance(step, Work):
            step.run([step])
        else:
            sounds.append(step.samples)
    return np.concatenate(sounds)


_ENDLESS = 10**9
_IN_ONE_GO = ChunkSchedule(least_frames=_ENDLESS, most_frames=2 * _ENDLESS)
