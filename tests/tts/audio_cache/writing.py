"""A process that forks others, which do nothing but write into a cache until they are killed.

`python -m tests.tts.audio_cache.writing KIND FOLDER`; KIND is "disk", the folder's class itself, or
"service", a service with a scripted engine.  Each line on its input forks one, whose id it prints;
before the next it waits for that one's end.  Forking spares the tests a second of imports a kill.
"""

import asyncio
import itertools
import os
import sys
from pathlib import Path

from loguru import logger

from tests.tts.audio_cache.recordings import recording
from tests.tts.fake_engine import VOICES, FakeEngine, builders
from tts.audio_cache.disk import DiskCache
from tts.audio_cache.recording import Recording
from tts.config import CacheConfig, ServiceConfig
from tts.service import SynthesisService
from tts.types import SynthesisRequest, Voice

KEYS = tuple(f"{number:064x}" for number in range(20))
MOST_BYTES = 1_500_000
"""Less than all of them take: old ones are removed while new ones are written."""
VOICE = Voice(VOICES[0].id, VOICES[0].languages, VOICES[0].sample_rate_hz, "fake", state="1")


def made(number: int) -> Recording:
    """What is written under the key of this number."""
    return recording(20_000 + 5000 * number, seed=number, marks=number)


def disk(folder: Path) -> DiskCache:
    return DiskCache(folder, most_bytes=MOST_BYTES, max_age_s=86_400)


def engine() -> FakeEngine:
    return FakeEngine(piece_samples=(8000, 4000, 1000), voices=(VOICE,))


def service(folder: Path | None) -> SynthesisService:
    cache = CacheConfig(dir=folder, memory_mb=0)
    return SynthesisService(ServiceConfig(cache=cache), builders(engine()))


def request(number: int) -> SynthesisRequest:
    return SynthesisRequest(f"This is number {number} of many.", VOICE.id, "en")


def write_for_ever(folder: Path, first: int) -> None:
    cache = disk(folder)
    cache.sweep()
    for number in itertools.count(first):
        cache.write(KEYS[number % len(KEYS)], made(number % len(KEYS)))


async def speak_for_ever(folder: Path, first: int) -> None:
    speaks = service(folder)
    await speaks.start()
    for number in itertools.count(first):
        await speaks.synthesize(request(number))


def main(kind: str, folder: Path) -> None:
    logger.remove()
    for first, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            if kind == "disk":
                write_for_ever(folder, first)
            asyncio.run(speak_for_ever(folder, 1000 * first))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
