"""Speech as numbers: a caller whose every word is a sample value, and ears that read it back.

`script(...)` turns words with times into PCM in which each word has its own sample value, so the
fake voice detector and the fake STT know exactly what was said without any model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.stt.types import SAMPLE_RATE_HZ, SttFailed, Transcript
from agent.turns.events import SILENT_DBFS, SpeechStarted, SpeechStopped

FIRST_VALUE = 1000
NOISE_VALUE = 500
FAR_VALUE = 120
"""18 dB and more below the caller's words."""
FRAME = 320


@dataclass
class Vocabulary:
    """Sample values of the words said in one test."""

    words: list[str] = field(default_factory=list)

    def value(self, word: str) -> int:
        self.words.append(word)
        return FIRST_VALUE + len(self.words) - 1

    def read(self, audio: NDArray[np.float32]) -> list[str]:
        values = np.round(audio * 32768).astype(int)
        spoken = values[(values >= FIRST_VALUE) & (values < FIRST_VALUE + len(self.words))]
        order: dict[int, int] = {}
        for value in spoken:
            order[value] = order.get(value, 0) + 1
        return [self.words[value - FIRST_VALUE] for value, n in order.items() if n >= FRAME]


def speech(vocabulary: Vocabulary, text: str, word_s: float = 0.25) -> NDArray[np.int16]:
    """PCM of `text`, each word `word_s` long, without gaps."""
    size = round(word_s * SAMPLE_RATE_HZ / FRAME) * FRAME
    words = [np.full(size, vocabulary.value(word), dtype=np.int16) for word in text.split()]
    return np.concatenate(words)


def noise(duration_s: float, value: int = NOISE_VALUE) -> NDArray[np.int16]:
    """PCM that sounds like voice to the detector and holds no words."""
    return np.full(round(duration_s * SAMPLE_RATE_HZ / FRAME) * FRAME, value, dtype=np.int16)


class FakeVoice:
    """Voice activity with exact onsets and the same delays as the real detector's defaults."""

    def __init__(self, start_ms: int = 96, stop_ms: int = 60) -> None:
        self._start_s, self._stop_s = start_ms / 1000, stop_ms / 1000
        self._now_s = 0.0
        self._voiced_since: float | None = None
        self._silent_since: float | None = None
        self._speaking = False
        self.last_voice_s = 0.0
        self.level_dbfs = SILENT_DBFS

    @property
    def run_s(self) -> float:
        if self._voiced_since is None or self._silent_since is not None:
            return 0.0
        return self._now_s - self._voiced_since

    def process(self, pcm: NDArray[np.int16]) -> Sequence[SpeechStarted | SpeechStopped]:
        began_s = self._now_s
        self._now_s += len(pcm) / SAMPLE_RATE_HZ
        power = float(np.mean(np.square(pcm / 32768)))
        self.level_dbfs = 10 * math.log10(power) if power else SILENT_DBFS
        if np.any(pcm):
            self.last_voice_s = self._now_s
            self._silent_since = None
            if self._voiced_since is None:
                self._voiced_since = began_s
            if not self._speaking and self._now_s - self._voiced_since >= self._start_s - 1e-9:
                self._speaking = True
                return [SpeechStarted(self._voiced_since)]
            return []
        if self._silent_since is None:
            self._silent_since = began_s
        if not self._speaking:
            self._voiced_since = None
        elif self._now_s - self._silent_since >= self._stop_s - 1e-9:
            self._speaking, self._voiced_since = False, None
            return [SpeechStopped(self._silent_since)]
        return []


@dataclass
class FakeStt:
    """Reads words back from sample values after `delay_s`; may be told to fail."""

    vocabulary: Vocabulary
    delay_s: float = 0.1
    fails: int = 0
    finals: int = 0
    partials: int = 0

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        import asyncio

        self.finals += final
        self.partials += not final
        await asyncio.sleep(self.delay_s)
        if final and self.fails:
            self.fails -= 1
            raise SttFailed("scripted failure")
        text = " ".join(self.vocabulary.read(audio))
        return Transcript(text, language, len(audio) / SAMPLE_RATE_HZ, self.delay_s, "short")


@dataclass
class FakeScorer:
    """Calls a turn complete unless its last word is one of `open_words`."""

    vocabulary: Vocabulary
    delay_s: float = 0.04
    open_words: frozenset[str] = frozenset({"um", "and", "because"})
    complete: float = 0.99
    incomplete: float = 0.01

    async def probability(self, audio: NDArray[np.float32]) -> float:
        import asyncio

        await asyncio.sleep(self.delay_s)
        words = self.vocabulary.read(audio)
        return self.incomplete if words and words[-1] in self.open_words else self.complete
