"""How a cloned voice speaks a request: text -> clauses -> phones -> synthesis -> trim -> marks.

In: a request and a voice in memory.  Out: steps, with a `Piece` for each clause.  On the engine's
thread.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np
from loguru import logger

from tts.audio.trim import trim
from tts.engine.sampling import SEEDS
from tts.engine.synthesis import ATTEMPTS, synthesise
from tts.engine.t2s_decode import End
from tts.engine.types import Piece, Step
from tts.errors import EngineFailed
from tts.gpt_sovits.voice import LoadedVoice
from tts.text.clauses import clauses
from tts.text.feed import TextFeed
from tts.text.marks import guessed, to_marks
from tts.text.split import pause_s
from tts.types import SynthesisRequest


@dataclass(frozen=True, slots=True)
class Limits:
    """How much text is synthesised at once, in characters."""

    first: int
    """The first clause is cut to about this where a clause mark allows, to be heard early."""
    longest: int


LIMITS = {
    "en": Limits(first=60, longest=200),
    "zh": Limits(first=10, longest=60),
    "yue": Limits(first=10, longest=60),
    "ja": Limits(first=20, longest=80),
    "ko": Limits(first=20, longest=80),
}


def speak(request: SynthesisRequest, feed: TextFeed, voice: LoadedVoice) -> Iterator[Step]:
    """Yield the request's clauses, and None between the steps of one.

    The same request gives the same samples.  Raises `EngineFailed` when none of it can be spoken,
    or when a clause cannot be.
    """
    limits = LIMITS[request.language]
    reference = voice.reference(request.emotion)
    manner = replace(voice.manner, speed=voice.manner.speed * request.speed)
    rate_hz = voice.models.sovits.spec.sample_rate_hz
    offset = number = 0
    for clause in clauses(feed, first_chars=limits.first, max_chars=limits.longest):
        if isinstance(clause, Future):
            yield clause
            continue
        phones, features = voice.read(clause.text, request.language)
        yield None
        # No clause repeats the noise of another.
        seed = (manner.seed + number * ATTEMPTS) % SEEDS
        number += 1
        utterance = yield from synthesise(
            voice.models, reference, phones, features, replace(manner, seed=seed)
        )
        if utterance.end is not End.EOS:
            logger.bind(
                voice=request.voice, end=str(utterance.end), tokens=len(utterance.codes)
            ).warning("a clause did not end by itself and was cut")
        samples, cut, voiced_end = trim(
            utterance.samples, rate_hz, pause_s=pause_s(clause.text, speed=request.speed)
        )
        marks = to_marks(
            guessed(feed.text, clause.span, cut, cut + voiced_end),
            cut=cut,
            voiced_end=voiced_end,
            offset=offset,
            sample_rate_hz=rate_hz,
            estimated=True,
        )
        offset += len(samples)
        if clause.is_last and offset == 0:
            break
        samples = samples.astype(np.float32, copy=False)
        yield Piece(samples=samples, marks=marks, is_last=clause.is_last)
    if offset == 0:
        raise EngineFailed(f"voice {request.voice!r} gives no sound for the text")
