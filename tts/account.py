"""What became of a request, for the log.

In: the audio that leaves, and how the request ended.  Out: one log line, without a word of the
text.  On the event loop's thread.
"""

import time
from typing import Self

from loguru import logger

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.engine.speech import Speech
from tts.errors import TtsError
from tts.text.feed import TextFeed
from tts.types import SpeechChunk, SynthesisRequest


class Account:
    """A context that logs "stream ended" when it is left."""

    def __init__(self, request: SynthesisRequest, text: TextFeed) -> None:
        """`request` is what is spoken: its voice may be another than the caller asked for."""
        self.speech: Speech | None = None
        """The engine's side of it, once it has begun."""
        self._request = request
        self._text = text
        self._began_s = time.perf_counter()
        self._first_ms = 0.0
        self._samples = 0

    def add(self, chunk: SpeechChunk) -> None:
        """Count audio that leaves."""
        self._first_ms = self._first_ms or (time.perf_counter() - self._began_s) * 1000
        self._samples += len(chunk.pcm) // BYTES_PER_SAMPLE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        end = "cancelled" if error else "finished"
        speech = self.speech
        logger.bind(
            voice=self._request.voice,
            chars=len(self._text.text),
            end=error.code if isinstance(error, TtsError) else end,
            first_ms=round(self._first_ms, 1),
            samples=self._samples,
            # Of a step that is still under way, the worker's sums tell.
            engine_ms=round(speech.spent_s() * 1000, 1) if speech else 0.0,
            wasted_ms=round(speech.wasted_s() * 1000, 1) if speech else 0.0,
            underruns=speech.underruns if speech else 0,
        ).info("stream ended")
