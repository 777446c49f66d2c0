"""How a cloned voice speaks a request: text -> clauses -> phones -> utterances -> pieces.

In: a request, its text, a voice in memory and the pace it is played at.  Out: steps.  On the
engine's thread.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from loguru import logger

from tts.engine.sampling import SEEDS
from tts.engine.t2s_decode import End
from tts.engine.types import Pace, Step
from tts.engine.utterance import ATTEMPTS, Said, Utterance
from tts.engine.voice import Manner
from tts.errors import CannotSpeak
from tts.gpt_sovits.delivery import Delivery, Script
from tts.gpt_sovits.voice import LoadedVoice
from tts.models.sovits import FRAMES_PER_CODE
from tts.text.clauses import clauses
from tts.text.feed import TextFeed
from tts.text.phone_words import word_phones
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


def speak(
    request: SynthesisRequest, feed: TextFeed, voice: LoadedVoice, pace: Pace
) -> Iterator[Step]:
    """Yield the request's audio, and the work it takes.

    A sentence is one utterance, as far as its text is there in time; a later part of it goes on
    where the part before ended.  The same text, come in the same clauses, gives the same tokens.
    Raises `CannotSpeak` when none of it can be spoken, or when a clause cannot be.
    """
    limits = LIMITS[request.language]
    reference = voice.reference(request.emotion)
    manner = manner_for(request, voice.manner)
    spec = voice.models.sovits.spec
    delivery = Delivery(
        sample_rate_hz=spec.sample_rate_hz,
        row_samples=spec.hop_samples / manner.speed,
        gain_db=voice.gain_db,
        wanted=request.marks,
    )
    utterance: Utterance | None = None
    sentence: Sequence[Said] = ()
    seed = manner.seed
    for clause in clauses(feed, first_chars=limits.first, max_chars=limits.longest):
        ends = isinstance(clause, Future) or clause.begins_sentence
        if utterance is not None and ends:
            yield from delivery.of(utterance.finish())
            sentence, utterance = utterance.sentence, None
        if isinstance(clause, Future):
            yield clause
            continue
        if clause.begins_sentence:
            sentence = ()
        spoken, phones, features = voice.read(clause.text, request.language)
        yield None
        if utterance is None:
            utterance = Utterance(
                voice.models, reference, replace(manner, seed=seed), pace, before=sentence
            )
            delivery.begin()
        script = Script(
            phones=[phone for run in spoken for phone in run.phones],
            words=word_phones(feed.text, clause.span, spoken),
            pause_s=pause_s(clause.text, speed=request.speed),
            is_last=clause.is_last,
        )
        delivery.expect(script)
        end = yield from delivery.of(utterance.say(phones, features, seed))
        script.end_sample = utterance.end_sample
        script.end_row = FRAMES_PER_CODE * utterance.codes
        # No clause repeats the noise of another.
        seed = (seed + ATTEMPTS) % SEEDS
        if end is not End.EOS:
            logger.bind(voice=request.voice, end=str(end)).warning(
                "a clause did not end by itself and was cut"
            )
    if utterance is not None:
        yield from delivery.of(utterance.finish())
    if delivery.gave == 0:
        raise CannotSpeak(f"voice {request.voice!r} gives no sound for the text")


def manner_for(request: SynthesisRequest, own: Manner) -> Manner:
    """How a voice speaks a request: as the request says, else in its own manner."""
    sampling = {
        field: value
        for field in ("top_k", "top_p", "temperature", "repetition_penalty")
        if (value := getattr(request, field)) is not None
    }
    return replace(
        own,
        sampling=replace(own.sampling, **sampling),
        speed=own.speed * request.speed,
        seed=own.seed if request.seed is None else request.seed,
    )
