"""Audio that was made, for the next who asks for the same: in memory, and in a folder.

In: requests and the chunks of streams.  Out: recordings.  Knows nothing of engines, doors or
callers.  All methods are called from the event loop's thread; files are read and written on threads
of its own.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

from loguru import logger

from tts.audio.chain import BYTES_PER_SAMPLE
from tts.audio_cache.behind import WriteBehind
from tts.audio_cache.disk import REST_S, DiskCache
from tts.audio_cache.key import key_of
from tts.audio_cache.memory import MemoryCache
from tts.audio_cache.recording import Recording
from tts.config import CacheConfig
from tts.types import SpeechChunk, SynthesisRequest, Voice

UNDER_WAY_BYTES: Final = 32_000_000
"""Audio of streams that have not ended, held so that it can be kept, all together; a stream for
which there is no more room is spoken and not kept."""
LOOK_S: Final = 1.0
"""A folder that has not answered by then is not asked again for `disk.REST_S`: a request must not
hang where a disk does."""
_STOP_S = 5.0
_READERS = 2
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of requests since the start, and what is kept now."""

    memory_hits: int
    disk_hits: int
    misses: int
    writes: int
    """Files written."""
    dropped: int
    """Recordings not written because too many waited."""
    memory_evictions: int
    disk_evictions: int
    """For room or for age."""
    damaged: int
    """Files that were not what they should be, and were removed."""
    memory_bytes: int
    disk_bytes: int


class AudioCache:
    """Two levels: what is found in the folder comes to memory too."""

    def __init__(self, config: CacheConfig) -> None:
        """Touches no file yet."""
        self._longest_s = config.longest_s
        self._memory = MemoryCache(config.memory_mb * 1_000_000)
        self._disk: DiskCache | None = None
        self._behind: WriteBehind | None = None
        if config.dir is not None:
            self._disk = DiskCache(
                config.dir,
                most_bytes=config.disk_mb * 1_000_000,
                max_age_s=config.max_age_days * _DAY_S,
            )
            self._behind = WriteBehind(self._disk)
        self._is_on = config.memory_mb > 0 or config.dir is not None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="tts-cache-read")
        # On the loop's clock.
        self._asks_disk_again_s = 0.0
        self._under_way_bytes = 0
        self._memory_hits = 0
        self._disk_hits = 0
        self._misses = 0
        self._memory_evictions = 0

    @property
    def counts(self) -> Counts:
        """The figures of this moment."""
        disk, behind = self._disk, self._behind
        return Counts(
            memory_hits=self._memory_hits,
            disk_hits=self._disk_hits,
            misses=self._misses,
            writes=disk.writes if disk else 0,
            dropped=behind.dropped if behind else 0,
            memory_evictions=self._memory_evictions,
            disk_evictions=disk.evictions if disk else 0,
            damaged=disk.damaged if disk else 0,
            memory_bytes=self._memory.size_bytes,
            disk_bytes=disk.size_bytes if disk else 0,
        )

    async def start(self) -> None:
        """Begin to keep audio.  Raises nothing for any state of the folder."""
        if self._behind is not None:
            self._behind.start()

    async def stop(self) -> None:
        """Write what waits, for a few seconds at most.  Idempotent."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        if self._behind is not None:
            await asyncio.to_thread(self._behind.stop, _STOP_S)

    def key(self, request: SynthesisRequest, voice: Voice, sample_rate_hz: int) -> str | None:
        """What a request's audio is kept under; None when it cannot be: the cache is off, or the
        voice does not say what it is made of."""
        if not self._is_on or not voice.state:
            return None
        return key_of(request, voice, sample_rate_hz)

    async def find(self, key: str | None) -> Recording | None:
        """The recording, if there is one.  Cancelling loses nothing."""
        if key is None:
            return None
        if (recording := self._memory.get(key)) is not None:
            self._memory_hits += 1
            if self._behind is not None:
                self._behind.touch(key)
        elif (recording := await self._from_disk(key)) is not None:
            self._disk_hits += 1
        else:
            self._misses += 1
        return recording

    async def has(self, key: str | None) -> bool:
        """Whether `find` would find it, from now on in memory; counts as no request."""
        if key is None:
            return False
        return self._memory.get(key) is not None or await self._from_disk(key) is not None

    def recorder(self, key: str | None, voice: str) -> "Recorder":
        """Keep what a stream will give under `key`, if it is spoken in `voice`."""
        return Recorder(self, key, voice)

    async def _from_disk(self, key: str) -> Recording | None:
        loop = asyncio.get_running_loop()
        if self._disk is None or loop.time() < self._asks_disk_again_s:
            return None
        try:
            async with asyncio.timeout(LOOK_S):
                recording = await loop.run_in_executor(self._readers, self._disk.read, key)
        except TimeoutError:
            if loop.time() >= self._asks_disk_again_s:
                logger.bind(waited_s=LOOK_S).warning(
                    "the cache's folder does not answer, audio is not looked for there for now"
                )
            self._asks_disk_again_s = loop.time() + REST_S
            return None
        if recording is not None:
            self._memory_evictions += self._memory.put(key, recording)
        return recording

    # What `Recorder` asks of it.

    def may_hold(self, samples: int, sample_rate_hz: int, more_bytes: int) -> bool:
        """Take room for `more_bytes` of a stream of so many samples, if it can have it."""
        is_too_long = samples > self._longest_s * sample_rate_hz
        if is_too_long or self._under_way_bytes + more_bytes > UNDER_WAY_BYTES:
            return False
        self._under_way_bytes += more_bytes
        return True

    def let_go(self, held_bytes: int) -> None:
        """Give that room back."""
        self._under_way_bytes -= held_bytes

    def keep(self, key: str, recording: Recording) -> None:
        """A stream has ended well."""
        self._memory_evictions += self._memory.put(key, recording)
        if self._behind is not None:
            self._behind.write(key, recording)


class Recorder:
    """A context that holds one stream's chunks; they are kept when the final one has come.

    Left before that, it keeps nothing.
    """

    def __init__(self, cache: AudioCache, key: str | None, voice: str) -> None:
        self._cache = cache
        self._key = key
        self._voice = voice
        self._chunks: list[SpeechChunk] = []
        self._held_bytes = 0
        self.is_kept = False
        """Whether the stream is in the cache now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up()

    def add(self, chunk: SpeechChunk) -> None:
        """The next chunk of the stream."""
        if self._key is None:
            return
        samples = chunk.first_sample + len(chunk.pcm) // BYTES_PER_SAMPLE
        if chunk.voice != self._voice or not self._cache.may_hold(
            samples, chunk.sample_rate_hz, len(chunk.pcm)
        ):
            self._give_up()
            return
        self._held_bytes += len(chunk.pcm)
        self._chunks.append(chunk)
        if chunk.is_final:
            self._cache.keep(self._key, Recording.of(self._chunks))
            self.is_kept = True
            self._give_up()

    def _give_up(self) -> None:
        """Hold nothing, and nothing that comes yet."""
        self._cache.let_go(self._held_bytes)
        self._held_bytes = 0
        self._chunks.clear()
        self._key = None
