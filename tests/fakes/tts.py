"""A voice whose every sample tells which word it belongs to.

Sample values are word numbers over the whole call, so a test can read off the caller's line
exactly which words sounded, and when.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np

from tts.errors import EngineFailed, Overloaded, Unavailable
from tts.types import Mark, SpeechChunk, SynthesisRequest

RATE_HZ = 48_000
FIRST_VALUE = 2000
VALUE_STEP = 20
"""Far enough apart that a fade is not mistaken for another word."""
_WORD = re.compile(r"[\w'’]+")


@dataclass
class FakeTts:
    """Speaks a word in `word_s`; the first chunk of a request comes after `first_chunk_s`.

    Of a text that is being written the newest word waits for the next one, or for the end.
    """

    first_chunk_s: float = 0.06
    word_s: float = 0.3
    down: bool = False
    dies_after_words: int | None = None
    """The next request that says so many words loses its connection then."""
    refuses: int = 0
    """So many more requests are refused."""
    marks_late: bool = False
    """A word's mark comes with the next word's audio, or at the end."""
    broken: set[str] = field(default_factory=set)
    """What the engine cannot speak: it fails where one of these begins."""
    words: list[str] = field(default_factory=list)
    requests: list[SynthesisRequest] = field(default_factory=list)
    passages: list[SynthesisRequest] = field(default_factory=list)
    """Those whose text came while it was written, with all of it that came."""
    cancelled: int = 0

    async def ready(self) -> bool:
        return not self.down

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.requests.append(request)
        written = _Written(request.text, complete=True)
        async with aclosing(self._speak(written)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk, None]:
        number = len(self.passages)
        self.passages.append(request)
        written = _Written(request.text)
        writing = asyncio.create_task(written.take(texts), name="fake-tts-text")
        try:
            async with aclosing(self._speak(written)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            self.passages[number] = replace(request, text=written.text)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _speak(self, written: "_Written") -> AsyncGenerator[SpeechChunk, None]:
        try:
            await asyncio.sleep(self.first_chunk_s)
            if self.down:
                raise Unavailable("scripted: the service is down")
            if self.refuses:
                self.refuses -= 1
                raise Overloaded("scripted: at capacity")
            late: tuple[Mark, ...] = ()
            index = 0
            while (span := await written.word(index)) is not None:
                if any(written.text[span[0] :].startswith(text) for text in self.broken):
                    raise EngineFailed("scripted: nothing came out")
                if self.dies_after_words == index:
                    self.dies_after_words, self.down = None, True
                    raise Unavailable("scripted: the connection was lost")
                chunk = self._word(written.text, span, index)
                if self.marks_late:
                    chunk, late = replace(chunk, marks=late), chunk.marks
                yield chunk
                index += 1
            yield SpeechChunk(b"", RATE_HZ, round(index * self.word_s * RATE_HZ), late, True)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise

    def _word(self, text: str, span: tuple[int, int], index: int) -> SpeechChunk:
        self.words.append(text[slice(*span)])
        size = round(self.word_s * RATE_HZ)
        value = FIRST_VALUE + VALUE_STEP * (len(self.words) - 1)
        mark = Mark(*span, index * self.word_s, (index + 1) * self.word_s)
        pcm = np.full(size, value, dtype="<i2").tobytes()
        return SpeechChunk(pcm, RATE_HZ, index * size, (mark,), is_final=False)

    def word_of(self, value: int) -> str | None:
        """The word a full-level sample value belongs to."""
        number, off = divmod(value - FIRST_VALUE, VALUE_STEP)
        return self.words[number] if off == 0 and 0 <= number < len(self.words) else None


class _Written:
    """A request's text, maybe still being written."""

    def __init__(self, text: str, *, complete: bool = False) -> None:
        self.text = text
        self._complete = complete
        self._changed = asyncio.Event()

    async def take(self, texts: AsyncIterator[str]) -> None:
        """Take `texts` to their end."""
        try:
            async for text in texts:
                self.text += text
                self._changed.set()
            self._complete = True
            self._changed.set()
        finally:
            if isinstance(texts, AsyncGenerator):
                await texts.aclose()

    async def word(self, index: int) -> tuple[int, int] | None:
        """The place of a word that nothing can change any more; None behind the last."""
        while True:
            spans = [match.span() for match in _WORD.finditer(self.text)]
            if index + (0 if self._complete else 1) < len(spans):
                return spans[index]
            if self._complete:
                return None
            self._changed.clear()
            await self._changed.wait()
