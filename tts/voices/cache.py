"""The voices in memory: loaded when asked for, within a budget of bytes, shared parts once.

In: which voice is wanted.  Out: a lease, which says when the voice is there and keeps it there.
`Ledger` decides what has to go for what; `VoiceCache` does it, on a thread of its own.  Knows
nothing of torch, files or devices: those are the loader's.  Leases are taken and released on any
thread.

A voice is made of parts, such as two models and its references.  A part that several voices name
by the same key is one object in memory and counts once.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from loguru import logger

from tts.errors import EngineFailed, Overloaded

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """Something that voices are made of."""

    key: str
    """What it is: parts of one key are the same."""
    size_bytes: int
    """What it will take in memory."""
    load: Callable[[], object] = field(compare=False, repr=False)
    """Brings it into memory; raises a `TtsError` when it cannot."""


class Loader(Protocol[V_co]):
    """Knows what voices are made of.  Everything of it is called from the cache's thread."""

    def parts(self, voice_id: str) -> Sequence[Part]:
        """What a voice is made of.  Raises a `TtsError` when it cannot be loaded."""

    def assemble(self, voice_id: str, parts: Sequence[object]) -> V_co:
        """A voice of its loaded parts, in the order of `parts`."""


class Ledger:
    """Which voices are in memory, in order of last use, and what has to go for another.

    Pure; the caller guards it.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        # The voice used longest ago comes first.
        self._parts: dict[str, tuple[Part, ...]] = {}

    @property
    def voices(self) -> tuple[str, ...]:
        """Voices in memory, the one used longest ago first."""
        return tuple(self._parts)

    @property
    def used_bytes(self) -> int:
        """What the voices in memory take, each part counted once."""
        return _size_bytes(self._parts.values())

    @property
    def keys(self) -> frozenset[str]:
        """The parts in memory."""
        return frozenset(part.key for parts in self._parts.values() for part in parts)

    def touch(self, voice_id: str) -> None:
        """Call a voice the last used, if it is in memory."""
        if voice_id in self._parts:
            self._parts[voice_id] = self._parts.pop(voice_id)

    def admit(
        self, voice_id: str, parts: Sequence[Part], in_use: Callable[[str], bool]
    ) -> list[str]:
        """Count a new voice and return the idle voices that had to go for it.

        The voices used longest ago go first, and none goes without need.  Raises `EngineFailed`
        for a voice larger than the budget and `Overloaded` when voices in use leave it no room;
        then nothing changes.
        """
        size_bytes = _size_bytes([parts])
        if size_bytes > self._budget_bytes:
            raise EngineFailed(
                f"voice {voice_id!r} needs {_mb(size_bytes)}, and the budget for all voices is "
                f"{_mb(self._budget_bytes)}"
            )
        kept = dict(self._parts)
        idle = [other for other in kept if not in_use(other)]
        gone: list[str] = []
        while _size_bytes([*kept.values(), parts]) > self._budget_bytes:
            if not idle:
                held_bytes = _size_bytes(kept.values())
                more_bytes = _size_bytes([*kept.values(), parts]) - held_bytes
                raise Overloaded(
                    f"voice {voice_id!r} needs {_mb(more_bytes)} more, and voices in use hold "
                    f"{_mb(held_bytes)} of the budget of {_mb(self._budget_bytes)}"
                )
            gone.append(idle.pop(0))
            del kept[gone[-1]]
        self._parts = {**kept, voice_id: tuple(parts)}
        return gone

    def remove(self, voice_id: str) -> None:
        """Forget a voice, if it is there."""
        self._parts.pop(voice_id, None)


class Lease(Generic[V]):
    """Keeps one voice in memory until it is released; a context manager."""

    def __init__(self, loading: "Future[V]", release: Callable[[], None]) -> None:
        self.loading = loading
        """Done when the voice is there, or cannot be."""
        self._release = release
        self._released = False

    @property
    def voice(self) -> V:
        """The voice, once `loading` is done.  Raises why it could not be loaded."""
        return self.loading.result(timeout=0)

    def release(self) -> None:
        """Let the voice go when others need its room.  Idempotent."""
        if not self._released:
            self._released = True
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class VoiceCache(Generic[V]):
    """Voices in memory and on their way there."""

    def __init__(
        self, loader: Loader[V], *, budget_bytes: int, first: Callable[[], None] = lambda: None
    ) -> None:
        """`first` is called on the cache's thread before anything else, and waited for."""
        self._loader = loader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tts-voices")
        self._thread.submit(first).result()
        # The loaded parts by key; touched on that thread only.
        self._parts: dict[str, object] = {}
        # All that follows is guarded by the lock.
        self._lock = threading.Lock()
        self._ledger = Ledger(budget_bytes)
        # What is in memory, is being loaded or waits to be.
        self._loading: dict[str, Future[V]] = {}
        self._leases: Counter[str] = Counter()
        self._closed = False

    @property
    def voices(self) -> tuple[str, ...]:
        """Voices in memory, the one used longest ago first; any thread."""
        with self._lock:
            return tuple(one for one in self._ledger.voices if self._loading[one].done())

    def lease(self, voice_id: str) -> Lease[V]:
        """Want a voice.  It is loaded once, however many want it; a failure reaches them all, and
        the next lease tries again.  Raises `EngineFailed` after `close`."""
        with self._lock:
            if self._closed:
                raise EngineFailed(f"voice {voice_id!r}: the voices are being unloaded")
            loading = self._loading.get(voice_id)
            if loading is None:
                loading = self._loading[voice_id] = Future()
                self._thread.submit(self._load, voice_id, loading)
            self._leases[voice_id] += 1
            self._ledger.touch(voice_id)
        return Lease(loading, partial(self._release, voice_id))

    def preload(self, voice_ids: Sequence[str]) -> None:
        """Load voices before anyone wants them, as far as the budget goes, and wait for them.

        What cannot be loaded leaves a line in the log.
        """
        # All are wanted at once: none makes room for another.
        leases = {voice_id: self.lease(voice_id) for voice_id in voice_ids}
        for voice_id, lease in leases.items():
            try:
                lease.loading.result()
            except Exception as error:
                logger.bind(voice=voice_id, reason=str(error)).warning("voice not preloaded")
        for lease in leases.values():
            lease.release()

    def close(self) -> None:
        """Load nothing more and let everything go; waits for the load under way.  Idempotent."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            left, self._loading = self._loading, {}
        self._parts = {}
        for voice_id, loading in left.items():
            if not loading.done():
                loading.set_exception(
                    EngineFailed(f"voice {voice_id!r}: the voices are being unloaded")
                )

    def _release(self, voice_id: str) -> None:
        with self._lock:
            self._leases[voice_id] -= 1
            self._ledger.touch(voice_id)

    def _load(self, voice_id: str, loading: "Future[V]") -> None:
        try:
            voice = self._loaded(voice_id)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            with self._lock:
                self._forget(voice_id)
            loading.set_exception(error)
        else:
            loading.set_result(voice)

    def _loaded(self, voice_id: str) -> V:
        parts = self._loader.parts(voice_id)
        with self._lock:
            for other in self._ledger.admit(voice_id, parts, lambda id_: self._leases[id_] > 0):
                logger.bind(voice=other, room_for=voice_id).info("voice unloaded")
                self._forget(other)
        for part in parts:
            if part.key not in self._parts:
                self._parts[part.key] = part.load()
        voice = self._loader.assemble(voice_id, [self._parts[part.key] for part in parts])
        logger.bind(voice=voice_id, size=_mb(_size_bytes([parts]))).info("voice loaded")
        return voice

    def _forget(self, voice_id: str) -> None:
        self._loading.pop(voice_id, None)
        self._ledger.remove(voice_id)
        keys = self._ledger.keys
        self._parts = {key: part for key, part in self._parts.items() if key in keys}


def _size_bytes(voices: Iterable[Sequence[Part]]) -> int:
    """What voices take together; a part of several of them counts once."""
    return sum({part.key: part.size_bytes for parts in voices for part in parts}.values())


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / MB:.0f} MB"
