"""Whether to believe what a pass of the model heard, and how much of it.

In: a pass's evidence and where silero heard a voice.  Out: the believable text, or a reason for
doubt.  Pure.

A window shorter than the 30 s of Whisper's training makes it fast, and now and then makes it
start over after the last word, loop, or mumble.  What starts after the voice has ended is cut
off; the rest shows in the evidence, and a doubted short pass is done again with the full window.
The bounds were chosen on the tuning half of `bench/stt.py`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from agent.stt.decoder import Decoded

_MIN_MEAN_LOGPROB = -1.0
_NO_SPEECH = 0.6
_MAX_COMPRESSION = 2.4
_LONG_ENOUGH_TO_COMPRESS = 40
_MAX_TOKENS_PER_S = 12
_SPARE_TOKENS = 12
"""Fast English is about 6 tokens a second with the pauses left out, fast Chinese about 10."""


@dataclass(frozen=True, slots=True)
class Voiced:
    """Where silero heard a voice in the audio."""

    first_s: float
    last_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Believed:
    """The text of a pass as far as there was a voice to say it."""

    text: str
    doubt: str | None
    """Why a short pass should be done again, in a word for the metrics; None to believe it."""


def judge(heard: Decoded, voiced: Voiced) -> Believed:
    """Cut off what was said after the voice ended, and look for reasons to doubt the rest."""
    kept = [segment for segment in heard.segments if segment.start_s < voiced.last_s]
    text = "".join(segment.text for segment in kept).strip()
    tokens = [token for segment in kept for token in segment.tokens]
    running_on = heard.cut_short and len(kept) == len(heard.segments)
    return Believed(text, _doubt(text, tokens, heard.mean_logprob, running_on, voiced))


def _doubt(
    text: str, tokens: list[int], mean_logprob: float, running_on: bool, voiced: Voiced
) -> str | None:
    if not text:
        return "nothing"
    if running_on:
        return "endless"
    if loop_at(tokens, long=2, short=4) is not None:
        return "loop"
    if len(text) > _LONG_ENOUGH_TO_COMPRESS and _compression(text) > _MAX_COMPRESSION:
        return "loop"
    if len(tokens) > most_tokens(voiced.total_s):
        return "too_fast"
    if mean_logprob < _MIN_MEAN_LOGPROB:
        return "unsure"
    return None


def most_tokens(audio_s: float) -> int:
    """Tokens that a pass may write before it is stopped."""
    return _SPARE_TOKENS + round(_MAX_TOKENS_PER_S * audio_s)


def nothing_said(heard: Decoded) -> bool:
    """Whether a full pass says itself that its text is made up."""
    return heard.no_speech > _NO_SPEECH and heard.mean_logprob < _MIN_MEAN_LOGPROB


def unlooped(text: str) -> str:
    """The text without what a loop adds: cut where its run of words begins for the second time.

    People say "I don't know, I don't know" too, so it takes three long runs or six short ones.
    """
    words = text.split()
    second = loop_at(words, long=3, short=6)
    return text if second is None else " ".join(words[:second])


def loop_at(items: Sequence[object], *, long: int, short: int) -> int | None:
    """Index at which a run of items begins for the second time in a row; None without a loop.

    Runs of three or more items must come `long` times in a row, shorter ones `short` times.
    """
    for size in range(1, len(items) // 2 + 1):
        times = long if size >= 3 else short
        for start in range(len(items) - size * times + 1):
            run = items[start : start + size]
            rest = (items[start + size * n : start + size * (n + 1)] for n in range(1, times))
            if all(other == run for other in rest):
                return start + size
    return None


def _compression(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw))
