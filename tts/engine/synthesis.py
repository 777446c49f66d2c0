"""One utterance: phones and a voice in, samples out, with guards against known failures.

In: models, a reference, the utterance's phones and text features, all on the models' device, and
how to speak.  Out: samples and the semantic tokens they were made of.  Deaf and blind to the
world: no text, no files, no callers.  Runs on the thread that steps the models.

The two seams, for an engine that gives audio before the last token is drawn: `tokens` (T2S) and
`decode_codes` (SoVITS).

What the guards do.  None of them touches a healthy run, one that ends with the end token and
whose numbers are finite.

- Numbers that are not finite, in the logits or in the audio, and a run without a token: once again
  with another seed; then `EngineFailed`.
- A runaway (`End.RUNAWAY`, `End.LENGTH`) or a loop (`End.LOOP`): once again with another seed.  If
  that run is not healthy either, one of the two is heard, cut: the text comes first in such a run,
  and babble after it.  A loop is cut where it begins, and both where slow speech of this text would
  have ended.  Heard is the shorter, unless it is too short for the text.  If nothing stands before
  the loop in either run: `EngineFailed`.
- The reference's own tokens are never given back: a run holds the tokens drawn after them only.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts.engine.latent_noise import LatentNoise
from tts.engine.sampling import SEEDS, ExponentialNoise
from tts.engine.t2s_decode import End, Limits, decode
from tts.engine.voice import Manner, Reference
from tts.errors import EngineFailed
from tts.models.sovits import Sovits
from tts.models.t2s import T2s, T2sInput

ATTEMPTS = 2
"""Runs at most: one, and one more with another seed when it fails."""

SLOW_TOKENS, SLOW_TOKENS_PER_PHONE = 25, 5
"""Slow speech in tokens of 40 ms: 1 s, and 0.2 s for each phone.  Everyday speech has 0.1 s."""

FAST_TOKENS_PER_PHONE = 1.25
"""Nobody speaks faster than 20 phones a second."""


@dataclass(frozen=True, slots=True)
class Models:
    """What a voice speaks with; several voices may share either."""

    t2s: T2s
    sovits: Sovits


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be heard."""

    samples: NDArray[np.float32]
    """[N] at the SoVITS model's rate, -1 to 1."""
    codes: tuple[int, ...]
    """The semantic tokens of these samples."""
    end: End
    """Why the tokens ended; with anything but `End.EOS` they were cut."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that did not end by itself."""

    codes: tuple[int, ...]
    """What is left of it after the cut."""
    end: End
    manner: Manner


def synthesise(
    models: Models, reference: Reference, phones: Tensor, features: Tensor, manner: Manner
) -> Generator[None, None, Utterance]:
    """Speak phones [1, T] with their text features [1, bert, T].

    Yields between the steps, so that the caller can serve others; closing the generator drops the
    rest.  Raises `EngineFailed` when nothing can be made of them, and ValueError for ids that a
    model does not have.
    """
    limits = Limits.of(models.t2s.spec, phones.shape[1])
    unhealthy: list[Run] = []
    for attempt in range(ATTEMPTS):
        manner_now = replace(manner, seed=(manner.seed + attempt) % SEEDS)
        run = tokens(models.t2s, reference, phones, features, manner_now, limits)
        codes, end = yield from _all_of(run)
        if end is not End.EOS:
            unhealthy.append(Run(cut(codes, end, limits, phones.shape[1]), end, manner_now))
            continue
        samples = decode_codes(models.sovits, reference, codes, phones, manner_now)
        yield
        if samples is not None:
            return Utterance(samples, codes, end)
    for one in best_first(unhealthy, phones.shape[1]):
        samples = decode_codes(models.sovits, reference, one.codes, phones, one.manner)
        yield
        if samples is not None:
            return Utterance(samples, one.codes, one.end)
    ends = [str(one.end) for one in unhealthy] or ["audio that is not finite"]
    raise EngineFailed(
        f"nothing to hear came of {phones.shape[1]} phones in {ATTEMPTS} attempts: "
        f"{', '.join(ends)}"
    )


def tokens(
    t2s: T2s,
    reference: Reference,
    phones: Tensor,
    features: Tensor,
    manner: Manner,
    limits: Limits,
) -> Generator[int, None, End]:
    """The semantic tokens of phones [1, T], after the reference's; a step between two of them."""
    inputs = T2sInput.of(
        torch.cat([reference.phones[0], phones[0]]),
        torch.cat([reference.features[0], features[0]], dim=1),
        reference.codes[0],
    )
    noise = ExponentialNoise(manner.seed, t2s.spec.vocabulary, t2s.device)
    return decode(t2s, inputs, sampling=manner.sampling, noise=noise, limits=limits)


@torch.inference_mode()
def decode_codes(
    sovits: Sovits, reference: Reference, codes: Sequence[int], phones: Tensor, manner: Manner
) -> NDArray[np.float32] | None:
    """The audio [N] of semantic tokens and the phones [1, T] they say.

    None when there is no token, or when the audio is not finite.
    """
    if not codes:
        return None
    noise = LatentNoise(manner.seed, sovits.spec.latent, phones.device)
    audio = sovits.decode(
        torch.tensor([codes], device=phones.device),
        phones,
        reference.ge,
        noise(0, sovits.frames(len(codes), manner.speed)),
        noise_scale=manner.noise_scale,
        speed=manner.speed,
    )
    samples: NDArray[np.float32] = audio[0].float().cpu().numpy()  # sync
    return samples if np.isfinite(samples).all() else None


def cut(codes: tuple[int, ...], end: End, limits: Limits, phones: int) -> tuple[int, ...]:
    """What may be heard of a run that did not end by itself."""
    if end is End.NOT_FINITE:
        return ()
    if end is End.LOOP:
        codes = codes[: -limits.loop_span]
    return codes[: SLOW_TOKENS + SLOW_TOKENS_PER_PHONE * phones]


def best_first(runs: Sequence[Run], phones: int) -> list[Run]:
    """Runs that may hold the text, the shorter first; then the others, the longer first."""
    enough = FAST_TOKENS_PER_PHONE * phones
    return sorted(runs, key=lambda run: _rank(len(run.codes), enough))


def _rank(tokens: int, enough: float) -> tuple[bool, int]:
    return (False, tokens) if tokens >= enough else (True, -tokens)


def _all_of(
    run: Generator[int, None, End],
) -> Generator[None, None, tuple[tuple[int, ...], End]]:
    codes: list[int] = []
    while True:
        try:
            codes.append(next(run))
        except StopIteration as stop:
            return tuple(codes), stop.value
        yield
