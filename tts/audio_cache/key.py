"""What a request's audio is kept under: equal keys mean the same audio, to the sample.

In: a request, the voice it names, the rate of the audio.  Out: a key.  How the audio is cut into
chunks is no part of it.  Pure; any thread.
"""

import hashlib
import json

from tts.text.clean import clean_text
from tts.types import SynthesisRequest, Voice

FORMAT = 1
"""Raise it when Parley itself comes to speak or to mark the same request in another way: how text
is read, audio is finished, or a recording is kept.  What a voice and its engine are made of stands
in `Voice.state`."""


def key_of(request: SynthesisRequest, voice: Voice, sample_rate_hz: int) -> str:
    """64 hexadecimal digits, of which nothing can be read but by trying texts.

    `voice` is the one that the request names; its `state` must not be empty.
    """
    return hashlib.sha256(_canonical(request, voice, sample_rate_hz)).hexdigest()


def _canonical(request: SynthesisRequest, voice: Voice, sample_rate_hz: int) -> bytes:
    """The same bytes for requests that sound the same, and no others."""
    parts = {
        "format": FORMAT,
        "engine": voice.engine,
        "voice": voice.id,
        "state": voice.state,
        "sample_rate_hz": sample_rate_hz,
        # Marks index the text: spaces at its ends count.
        "text": clean_text(request.text),
        "language": request.language,
        "speed": float(request.speed),
        # Saying nothing means the first.
        "emotion": request.emotion or next(iter(voice.emotions), ""),
        "marks": sorted({"word", *request.marks}),
        "seed": request.seed,
        "top_k": request.top_k,
        "top_p": _number(request.top_p),
        "temperature": _number(request.temperature),
        "repetition_penalty": _number(request.repetition_penalty),
    }
    # ASCII only, so that half a surrogate pair, which is no UTF-8, has a form too.
    return json.dumps(parts, sort_keys=True, separators=(",", ":")).encode("ascii")


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
