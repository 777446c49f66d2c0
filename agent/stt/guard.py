"""Whether to believe what a pass of the model heard.

In: a pass's evidence and where silero heard a voice.  Out: a reason for doubt, or none.  Pure.

A window shorter than the 30 s of Whisper's training makes it fast, and now and then makes it
loop, run on past the end, or stop early.  Each shows in the evidence; a doubted short pass is
done again with the full window.  The bounds come from the tuning half of `bench/stt.py`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from agent.stt.decoder import Decoded

_MIN_MEAN_LOGPROB = -1.0
_NO_SPEECH = 0.6
_MAX_COMPRESSION = 2.4
_MAX_WORDS_PER_S = 6.0
"""Fast English is about 4.5 words a second, with the pauses left out."""
_MAX_PAST_END_S = 0.5
_MAX_UNHEARD_S = 1.0


@dataclass(frozen=True, slots=True)
class Voiced:
    """Where silero heard a voice in the audio."""

    first_s: float
    last_s: float
    total_s: float


def doubt(heard: Decoded, voiced: Voiced, audio_s: float) -> str | None:
    """Why a short pass should be done again, in a word for the metrics; None to believe it."""
    words = heard.text.split()
    if heard.cut_short:
        return "endless"
    if loop_at(heard.tokens, long=2, short=4) is not None:
        return "loop"
    if len(heard.text) > 40 and _compression(heard.text) > _MAX_COMPRESSION:
        return "loop"
    if not words:
        return "nothing"
    if len(words) > 3 + _MAX_WORDS_PER_S * voiced.total_s:
        return "too_fast"
    if heard.mean_logprob < _MIN_MEAN_LOGPROB:
        return "unsure"
    if heard.last_time_s > audio_s + _MAX_PAST_END_S:
        return "past_end"
    if 0 < heard.last_time_s < voiced.last_s - _MAX_UNHEARD_S:
        return "early_end"
    return None


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
