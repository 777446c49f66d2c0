"""One caller of the TTS service: what it hears of a request, and when.

In: a door (`tts.client.TtsClient`, or the service itself) and a request.  Out: times on the
caller's own clock.  Playback begins with the first packet and waits when the next is not there.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from tts.errors import Overloaded
from tts.types import SpeechChunk, SynthesisRequest

AGAIN_S, BREATH_S = 0.5, 0.1
"""How long a caller waits after a refusal, and after an utterance."""
_BYTES_PER_SAMPLE = 2


class Door(Protocol):
    """What a caller speaks to."""

    def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk]:
        """Stream a request's audio.  Raises the service's errors."""


@dataclass
class Heard:
    """What came of one request.  Times are seconds after it was sent."""

    first_packet_s: float = 0.0
    last_packet_s: float = 0.0
    audio_s: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    """How long playback waited, each time that it had to."""
    refused: int = 0
    """How often the service had no time for it before."""


async def hear(door: Door, request: SynthesisRequest, *, most_s: float = float("inf")) -> Heard:
    """Listen to a request; hang up when `most_s` seconds of audio have come."""
    heard = Heard()
    played_from_s = 0.0  # when playback would have begun, had it never waited
    began_s = time.perf_counter()
    async with aclosing(door.stream(request)) as chunks:
        async for chunk in chunks:
            now_s = time.perf_counter() - began_s
            if heard.audio_s == 0:
                heard.first_packet_s = played_from_s = now_s
            gap_s = now_s - (played_from_s + heard.audio_s)
            if gap_s > 0:
                heard.gaps_s.append(gap_s)
                played_from_s += gap_s
            heard.last_packet_s = now_s
            heard.audio_s += len(chunk.pcm) / _BYTES_PER_SAMPLE / chunk.sample_rate_hz
            if heard.audio_s >= most_s:
                break
    return heard


async def hear_at_last(
    door: Door, request: SynthesisRequest, *, most_s: float = float("inf")
) -> Heard:
    """The same, asked again after a while as often as the service refuses it."""
    refused = 0
    while True:
        try:
            heard = await hear(door, request, most_s=most_s)
        except Overloaded:
            refused += 1
            await asyncio.sleep(AGAIN_S)
            continue
        heard.refused = refused
        await asyncio.sleep(BREATH_S)
        return heard
