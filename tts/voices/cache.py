"""The voices in memory: loaded when asked for, within a budget of bytes, shared parts once.

In: the key of the voice that is wanted.  Out: a lease, which says when the voice is there and keeps
it there.  `Ledger` decides what has to go for what; `VoiceCache` does it, on a thread of its own.
Knows nothing of torch, files or devices: those are the loader's.  Leases are taken and released on
any thread.

A voice is made of parts, such as two models and its references.  A part that several voices name
by the same key is one object in memory and counts once.  Two states of one voice are two voices
here: keys that differ.  What a key says when it is printed is for people.
"""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

from loguru import logger

from tts.errors import CannotSpeak, EngineFailed, Overloaded

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)
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


class Loader(Protocol[K_contra, V_co]):
    """Knows what voices are made of.  Everything of it is called from the cache's thread."""

    def parts(self, voice: K_contra, /) -> Sequence[Part]:
        """What a voice is made of.  Raises a `TtsError` when it cannot be loaded."""

    def assemble(self, voice: K_contra, parts: Sequence[object], /) -> V_co:
        """A voice of its loaded parts, in the order of `parts`."""


class Ledger(Generic[K]):
    """Which voices are in memory, in order of last use, and what has to go for another.

    Pure; the caller guards it.
    """

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        # The voice used longest ago comes first.
        self._parts: dict[K, tuple[Part, ...]] = {}

    @property
    def voices(self) -> tuple[K, ...]:
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

    def touch(self, voice: K) -> None:
        """Call a voice the last used, if it is in memory."""
        if voice in self._parts:
            self._parts[voice] = self._parts.pop(voice)

    def admit(self, voice: K, parts: Sequence[Part], in_use: Callable[[K], bool]) -> list[K]:
        """Count a new voice and return the idle voices that had to go for it.

        The voices used longest ago go first, and none goes without need.  Raises `CannotSpeak`
        for a voice larger than the budget and `Overloaded` when voices in use leave it no room;
        then nothing changes.
        """
        size_bytes = _size_bytes([parts])
        if size_bytes > self._budget_bytes:
            raise CannotSpeak(
                f"voice '{voice}' needs {_mb(size_bytes)}, and the budget for all voices is "
                f"{_mb(self._budget_bytes)}"
            )
        kept = dict(self._parts)
        idle = [other for other in kept if not in_use(other)]
        gone: list[K] = []
        while _size_bytes([*kept.values(), parts]) > self._budget_bytes:
            if not idle:
                held_bytes = _size_bytes(kept.values())
                more_bytes = _size_bytes([*kept.values(), parts]) - held_bytes
                raise Overloaded(
                    f"voice '{voice}' needs {_mb(more_bytes)} more, and voices in use hold "
                    f"{_mb(held_bytes)} of the budget of {_mb(self._budget_bytes)}"
                )
            gone.append(idle.pop(0))
            del kept[gone[-1]]
        self._parts = {**kept, voice: tuple(parts)}
        return gone

    def remove(self, voice: K) -> None:
        """Forget a voice, if it is there."""
        self._parts.pop(voice, None)


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


class VoiceCache(Generic[K, V]):
    """Voices in memory and on their way there."""

    def __init__(
        self, loader: Loader[K, V], *, budget_bytes: int, first: Callable[[], None] = lambda: None
    ) -> None:
        """`first` is called on the cache's thread before anything else, and waited for."""
        self._loader = loader
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tts-voices")
        self._thread.submit(first).result()
        # The loaded parts by key; touched on that thread only.
        self._parts: dict[str, object] = {}
        # All that follows is guarded by the lock.
        self._lock = threading.Lock()
        self._ledger: Ledger[K] = Ledger(budget_bytes)
        # What is in memory, is being loaded or waits to be.
        self._loading: dict[K, Future[V]] = {}
        self._leases: Counter[K] = Counter()
        self._offered: Callable[[K], bool] = lambda voice: True
        self._closed = False

    @property
    def voices(self) -> tuple[K, ...]:
        """Voices in memory, the one used longest ago first; any thread."""
        with self._lock:
            return tuple(one for one in self._ledger.voices if self._loading[one].done())

    def lease(self, voice: K) -> Lease[V]:
        """Want a voice.  It is loaded once, however many want it; a failure reaches them all, and
        the next lease tries again.  Raises `EngineFailed` after `close`."""
        with self._lock:
            if self._closed:
                raise EngineFailed(f"voice '{voice}': the voices are being unloaded")
            loading = self._loading.get(voice)
            if loading is None:
                loading = self._loading[voice] = Future()
                self._thread.submit(self._load, voice, loading)
            self._leases[voice] += 1
            self._ledger.touch(voice)
        return Lease(loading, partial(self._release, voice))

    def preload(self, voices: Sequence[K]) -> None:
        """Load voices before anyone wants them, as far as the budget goes, and wait for them.

        What cannot be loaded leaves a line in the log.
        """
        # All are wanted at once: none makes room for another.
        leases = {voice: self.lease(voice) for voice in voices}
        for voice, lease in leases.items():
            try:
                lease.loading.result()
            except Exception as error:
                logger.bind(voice=str(voice), reason=str(error)).warning("voice not preloaded")
        for lease in leases.values():
            lease.release()

    def offer(self, offered: Callable[[K], bool]) -> None:
        """Keep only these voices from now on: of the others, the idle ones go at once, those in use
        once nobody uses them."""
        with self._lock:
            self._offered = offered
            if not self._closed:
                self._thread.submit(self._let_go)

    def close(self) -> None:
        """Load nothing more and let everything go; waits for the load under way.  Idempotent."""
        with self._lock:
            self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            left, self._loading = self._loading, {}
        self._parts = {}
        for voice, loading in left.items():
            if not loading.done():
                loading.set_exception(
                    EngineFailed(f"voice '{voice}': the voices are being unloaded")
                )

    def _release(self, voice: K) -> None:
        with self._lock:
            self._leases[voice] -= 1
            self._ledger.touch(voice)
            if self._leases[voice] == 0:
                del self._leases[voice]
                if not (self._closed or self._offered(voice)):
                    self._thread.submit(self._let_go)

    def _load(self, voice: K, loading: "Future[V]") -> None:
        try:
            loaded = self._loaded(voice)
        except BaseException as error:  # whatever it is, those who wait must hear of it
            with self._lock:
                self._forget(voice)
            loading.set_exception(error)
        else:
            loading.set_result(loaded)

    def _loaded(self, voice: K) -> V:
        parts = self._loader.parts(voice)
        with self._lock:
            for other in self._ledger.admit(voice, parts, lambda one: self._leases[one] > 0):
                logger.bind(voice=str(other), room_for=str(voice)).info("voice unloaded")
                self._forget(other)
        for part in parts:
            if part.key not in self._parts:
                self._parts[part.key] = part.load()
        loaded = self._loader.assemble(voice, [self._parts[part.key] for part in parts])
        logger.bind(voice=str(voice), size=_mb(_size_bytes([parts]))).info("voice loaded")
        return loaded

    def _let_go(self) -> None:
        """Forget what is neither offered nor in use."""
        with self._lock:
            for voice in [one for one in self._loading if not self._offered(one)]:
                # On the one thread that loads: none is being loaded now.
                if voice not in self._leases and self._loading[voice].done():
                    logger.bind(voice=str(voice)).info("voice unloaded, it is not offered any more")
                    self._forget(voice)

    def _forget(self, voice: K) -> None:
        self._loading.pop(voice, None)
        self._ledger.remove(voice)
        keys = self._ledger.keys
        self._parts = {key: part for key, part in self._parts.items() if key in keys}


def _size_bytes(voices: Iterable[Sequence[Part]]) -> int:
    """What voices take together; a part of several of them counts once."""
    return sum({part.key: part.size_bytes for parts in voices for part in parts}.values())


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / MB:.0f} MB"
