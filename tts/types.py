"""What crosses the TTS service's contract, as plain values.

In: `SynthesisRequest`.  Out: `SpeechChunk`s with `Mark`s.  Knows nothing of gRPC, engines or
callers; safe to use from any thread.
"""

from dataclasses import dataclass
from typing import Literal, get_args

MarkKind = Literal["word", "phone", "viseme"]
"""What a mark marks."""
MARK_KINDS: tuple[MarkKind, ...] = get_args(MarkKind)


@dataclass(frozen=True, slots=True)
class SynthesisRequest:
    """One piece of text to speak in one voice."""

    text: str
    voice: str
    language: str
    """BCP 47 primary language of the text: "en", "zh", "ja", ..."""
    speed: float = 1.0
    """Speaking rate relative to the voice's own; 0.5 to 2.0."""
    emotion: str = ""
    """One of the voice's emotions; empty: its first."""
    marks: tuple[str, ...] = ()
    """Kinds of marks wanted besides those of words, which always come; see `MARK_KINDS`.  A voice
    that cannot tell them gives none."""
    seed: int | None = None
    """The same seed and text give the same tokens; 0 to 2^63 - 1.  This and what follows are the
    voice's own where they are None, and mean nothing to a light voice."""
    top_k: int | None = None
    """Tokens that the next one is chosen from; 1 to 1025."""
    top_p: float | None = None
    """Share of the probability that it is chosen from; 0 to 1."""
    temperature: float | None = None
    """Above 1 is livelier, below 1 steadier; 0 to 5."""
    repetition_penalty: float | None = None
    """What the logits of earlier tokens are divided by; 0.1 to 10."""


@dataclass(frozen=True, slots=True)
class Mark:
    """When a span of the request's text is spoken, relative to the request's first sample."""

    text_start: int
    """Index of the span's first character in `SynthesisRequest.text`."""
    text_end: int
    """Index one past the span's last character."""
    start_s: float
    end_s: float
    kind: MarkKind = "word"
    estimated: bool = False
    """True when the times are spread over the audio by length, not read from the engine."""
    label: str = ""
    """The phone's symbol or the viseme's name; empty for a word."""


@dataclass(frozen=True, slots=True)
class SpeechChunk:
    """A run of samples: mono signed 16-bit little-endian PCM."""

    pcm: bytes
    sample_rate_hz: int
    first_sample: int
    """Index of this chunk's first sample in the request's whole audio."""
    marks: tuple[Mark, ...]
    """Marks that became known with this chunk; each mark is sent once, in order of time."""
    is_final: bool
    voice: str = ""
    """Id of the voice that speaks: under load it may be another than the request's."""
    cached: bool = False
    """Whether the audio was made for an earlier request."""
    is_cancelled: bool = False
    """The last chunk, without samples, of a stream that its caller cancelled and wants to hear the
    end of; only doors that can be told to cancel give it."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice the service can speak in."""

    id: str
    languages: tuple[str, ...]
    sample_rate_hz: int
    engine: str
    """Which engine speaks it: "hibari", "kokoro", "gpt-sovits"."""
    description: str = ""
    emotions: tuple[str, ...] = ()
    """Ways it can speak, the first unless a request says otherwise; empty: it has but one."""
    state: str = ""
    """Changes whenever the voice would speak the same request in another way: what it is made of,
    and the engine's version.  Does not cross the wire."""

    @property
    def is_listed(self) -> bool:
        """Whether callers are told of it: one whose id begins with a dot was made for a request and
        is spoken in only by who knows it."""
        return not self.id.startswith(".")
