"""A voice whose every sample tells which word it belongs to.

Sample values are word numbers over the whole call, so a test can read off the caller's line
exactly which words sounded, and when.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import numpy as np

from tts.errors import EngineFailed, Unavailable
from tts.types import Mark, SpeechChunk, SynthesisRequest

RATE_HZ = 48_000
FIRST_VALUE = 2000
VALUE_STEP = 20
"""Far enough apart that a fade is not mistaken for another word."""


@dataclass
class FakeTts:
    """Speaks a word in `word_s`; the first chunk of a request comes after `first_chunk_s`."""

    first_chunk_s: float = 0.06
    word_s: float = 0.3
    chunk_words: int = 1
    down: bool = False
    dies_after_words: int | None = None
    """The next request loses its connection after this many words."""
    broken: set[str] = field(default_factory=set)
    """Texts the engine cannot speak."""
    words: list[str] = field(default_factory=list)
    requests: list[SynthesisRequest] = field(default_factory=list)
    cancelled: int = 0

    async def ready(self) -> bool:
        return not self.down

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.requests.append(request)
        try:
            await asyncio.sleep(self.first_chunk_s)
            if self.down:
                raise Unavailable("scripted: the service is down")
            if request.text in self.broken:
                raise EngineFailed("scripted: nothing came out")
            spans = [match.span() for match in re.finditer(r"[\w'’]+", request.text)]
            for index, span in enumerate(spans):
                if self.dies_after_words == index:
                    self.dies_after_words, self.down = None, True
                    raise Unavailable("scripted: the connection was lost")
                yield self._word(request.text, span, index, index == len(spans) - 1)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    def _word(self, text: str, span: tuple[int, int], index: int, last: bool) -> SpeechChunk:
        self.words.append(text[slice(*span)])
        size = round(self.word_s * RATE_HZ)
        value = FIRST_VALUE + VALUE_STEP * (len(self.words) - 1)
        mark = Mark(*span, index * self.word_s, (index + 1) * self.word_s)
        pcm = np.full(size, value, dtype="<i2").tobytes()
        return SpeechChunk(pcm, RATE_HZ, index * size, (mark,), last)

    def word_of(self, value: int) -> str | None:
        """The word a full-level sample value belongs to."""
        number, off = divmod(value - FIRST_VALUE, VALUE_STEP)
        return self.words[number] if off == 0 and 0 <= number < len(self.words) else None
