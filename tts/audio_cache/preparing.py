"""Phrases made before anybody asks for them, while nobody else is served.

In: phrases.  Out: the cache holds them; a line in the log tells how many were made.  A phrase that
is there already is not made again, so what is broken off is taken up where it was.  On the event
loop's thread.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from loguru import logger

from tts.audio_cache.phrases import Phrase
from tts.errors import TtsError, VoiceNotFound
from tts.limits import Gate
from tts.types import SynthesisRequest

Ask = Callable[[SynthesisRequest], Coroutine[Any, Any, bool]]

CALM_S: Final = 10.0
"""Time without a request after which nobody is served: within a conversation the next comes sooner,
and what else the machine does for that must not wait for phrases."""


class Preparing:
    """How a service makes its phrases."""

    def __init__(self, gate: Gate, *, is_kept: Ask, make: Ask, calm_s: float = CALM_S) -> None:
        """`is_kept` raises a `TtsError` for a request that cannot be spoken; `make` speaks one, and
        tells whether it is kept then."""
        self._gate = gate
        self._is_kept = is_kept
        self._make = make
        self._calm_s = calm_s
        self._is_calm = True

    async def run(self, phrases: Sequence[Phrase]) -> None:
        """Make those that are missing, in order.  What fails is left out with a line in the log.

        Cancelling drops the phrase that is being made, and keeps the others.
        """
        if not phrases:
            return
        made = there = 0
        missing = set[str]()
        for phrase in phrases:
            try:
                if await self._is_kept(phrase.request):
                    there += 1
                elif await self._make_alone(phrase.request):
                    made += 1
                else:
                    _left_out(phrase, "its audio is longer than cache.longest_s allows")
            except VoiceNotFound as error:
                if phrase.request.voice not in missing:  # a line a voice, not one a phrase
                    _left_out(phrase, str(error))
                missing.add(phrase.request.voice)
            except TtsError as error:
                _left_out(phrase, str(error))
        left_out = len(phrases) - made - there
        logger.bind(made=made, there_already=there, left_out=left_out).info("phrases prepared")

    async def _make_alone(self, request: SynthesisRequest) -> bool:
        """Make a phrase, from its beginning again when somebody comes in between."""
        while True:
            await self._calm()
            making = asyncio.create_task(self._make(request), name="tts-phrase")
            coming = asyncio.create_task(self._gate.busy.wait(), name="tts-phrase-gives-way")
            try:
                await asyncio.wait((making, coming), return_when=asyncio.FIRST_COMPLETED)
                if making.done():
                    return making.result()
                self._is_calm = False
            finally:
                making.cancel()
                coming.cancel()
                await asyncio.gather(making, coming, return_exceptions=True)

    async def _calm(self) -> None:
        """Return at once if nobody came since the last phrase, else when nobody does any more."""
        while not (self._is_calm and self._gate.quiet.is_set()):
            await self._gate.quiet.wait()
            try:
                await asyncio.wait_for(self._gate.busy.wait(), self._calm_s)
                self._is_calm = False
            except TimeoutError:
                self._is_calm = True


def _left_out(phrase: Phrase, reason: str) -> None:
    logger.bind(line=phrase.line, reason=reason).warning("phrase left out")
