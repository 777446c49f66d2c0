"""Callers who pause inside their turns: spoken questions with silence put in.

In: a sentence in parts and its sound.  Out: the sound with a pause between the parts, and where
the pauses are.  The sentence is spoken as a whole and parted at the quietest moment near the
place that its letters suggest, so nothing in its melody says that it ends there.  Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.turns.memory import quietest_s

RATE_HZ = 16_000
QUESTIONS = (
    ("Can you tell me", "something about the weather in spring?"),
    ("I would like to know", "what I should cook for dinner tonight."),
    ("My sister is looking for", "a tip for better sleep,", "can you help her?"),
    ("What is the capital of", "France, and how many people live there?"),
    ("I wanted to ask you", "who you are and", "what you can do for me."),
    ("Could you", "recommend a good book for a long journey?"),
)
"""In the parts between which the caller pauses."""
PAUSES_S = (0.25, 0.4, 0.3, 0.7, 0.22, 0.36, 0.5, 0.27, 1.2, 0.33)
"""Lengths in turn.  Of the pauses from 0.2 s on inside real callers' turns a plain silence timer
cuts about 56 % at 0.3 s, 22 % at 0.6 and 10 % at 1.0 (eot-bench, English); so it does of these."""
_SEARCH_S = 0.15
_FADE_SAMPLES = 80


@dataclass(frozen=True)
class Hesitant:
    """A question with pauses in it."""

    text: str
    pcm: NDArray[np.int16]
    """16 kHz."""
    pauses_s: tuple[tuple[float, float], ...]
    """From and to."""


def whole(parts: Sequence[str]) -> str:
    """The sentence."""
    return " ".join(parts)


def hesitate(parts: Sequence[str], pcm: NDArray[np.int16], lengths_s: Sequence[float]) -> Hesitant:
    """Put a pause between each two parts of a sentence whose sound is `pcm`, 16 kHz."""
    letters = [sum(map(str.isalnum, part)) for part in parts]
    pieces: list[NDArray[np.int16]] = []
    pauses: list[tuple[float, float]] = []
    done = samples = 0
    for part in range(len(parts) - 1):
        about_s = len(pcm) / RATE_HZ * sum(letters[: part + 1]) / sum(letters)
        cut = round(_quietest_near_s(pcm, about_s) * RATE_HZ)
        pause = round(lengths_s[part % len(lengths_s)] * RATE_HZ)
        pieces += [_faded(pcm[done:cut]), np.zeros(pause, np.int16)]
        samples += cut - done + pause
        pauses.append(((samples - pause) / RATE_HZ, samples / RATE_HZ))
        done = cut
    pieces.append(_faded(pcm[done:]))
    return Hesitant(whole(parts), np.concatenate(pieces), tuple(pauses))


def _quietest_near_s(pcm: NDArray[np.int16], about_s: float) -> float:
    first = max(0, round((about_s - _SEARCH_S) * RATE_HZ))
    near = pcm[first : round((about_s + _SEARCH_S) * RATE_HZ)]
    return first / RATE_HZ + quietest_s(near.astype(np.float32) / np.float32(32768))


def _faded(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """No click where it begins and ends."""
    ramp = np.ones(len(pcm))
    ramp[:_FADE_SAMPLES] = np.linspace(0, 1, _FADE_SAMPLES)
    ramp[-_FADE_SAMPLES:] = np.linspace(1, 0, _FADE_SAMPLES)
    return np.round(pcm * ramp).astype(np.int16)
