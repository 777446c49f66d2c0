"""The agent's "mm-hm" in a long turn of the caller: sound, and nothing else.

In: the moments that `agent.turns.murmurs` found.  Out: speech frames of an utterance that is no
reply: no context, no transcript, no floor.  It must come within the pause or not at all, so its
audio is made once, when the call begins.  Runs on the event loop's thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np
from pipecat.frames.frames import Frame
from pipecat.processors.frame_processor import FrameProcessor

from agent.reply_services import ReplyServices
from transports.frames import SpeechAudioFrame, SpeechEndFrame
from tts.errors import TtsError

GAIN = 10 ** (-9 / 20)
"""Listeners murmur softly: 9 dB below the agent's speech."""


@dataclass(frozen=True, slots=True)
class _Sound:
    pcm: bytes
    sample_rate_hz: int


class Murmuring:
    """Murmurs in one call; `push` pushes a frame towards the transport, `owner` owns the task."""

    def __init__(
        self,
        services: ReplyServices,
        push: Callable[[Frame], Awaitable[None]],
        owner: FrameProcessor,
    ) -> None:
        self._services = services
        self._push = push
        self._owner = owner
        self._sounds: list[_Sound] = []
        self._said = 0
        self._making: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Make the sounds, if this persona murmurs at all.  Idempotent."""
        if self._services.persona.turns.murmurs and self._making is None:
            self._making = self._owner.create_task(self._make(), "murmurs")

    async def say(self, utterance: int) -> None:
        """Murmur as utterance `utterance`; does nothing while there is no sound to do it with."""
        if not self._sounds:
            return
        sound = self._sounds[self._said % len(self._sounds)]
        self._said += 1
        await self._push(
            SpeechAudioFrame(
                audio=sound.pcm,
                sample_rate=sound.sample_rate_hz,
                num_channels=1,
                utterance=utterance,
            )
        )
        await self._push(SpeechEndFrame(utterance=utterance))

    async def close(self) -> None:
        """Stop making them."""
        if self._making and not self._making.done():
            await self._owner.cancel_task(self._making)

    async def _make(self) -> None:
        for text in self._services.phrases.wordings("murmur"):
            request = self._services.persona.request(text)
            try:
                async with aclosing(self._services.tts.stream(request)) as stream:
                    chunks = [chunk async for chunk in stream]
            except TtsError as error:
                self._services.log.event("murmur_failed", code=error.code, error=str(error))
                return
            pcm = np.frombuffer(b"".join(chunk.pcm for chunk in chunks), np.int16)
            quiet = np.round(pcm * GAIN).astype(np.int16).tobytes()
            self._sounds.append(_Sound(quiet, chunks[0].sample_rate_hz))
