"""What the folder is asked to do and nobody waits for: writes, and notes of what was asked for.

In: recordings and keys, from the event loop's thread.  Out: what is in the folder, a little later;
one thread of its own does it, in order.
"""

import threading
from collections import deque
from typing import Final

from tts.audio_cache.disk import DiskCache
from tts.audio_cache.recording import Recording

WAITING_BYTES: Final = 32_000_000
"""Recordings that wait to be written, all together; one more is not written."""
_NOTE_BYTES: Final = 1000
"""What a note counts as: they are bounded too."""


class WriteBehind:
    """The thread and its queue."""

    def __init__(self, disk: DiskCache) -> None:
        self._disk = disk
        # Bound: WAITING_BYTES.  Policy: the newest is dropped, and those before it kept in order.
        self._waiting: deque[tuple[str, Recording | None]] = deque()
        self._waiting_bytes = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="tts-cache", daemon=True)
        self.dropped = 0
        """Recordings that were not written because too many waited."""

    def start(self) -> None:
        """Look through the folder, then do what comes."""
        self._thread.start()

    def write(self, key: str, recording: Recording) -> None:
        """Keep a recording, soon."""
        if not self._add(key, recording, recording.size_bytes):
            self.dropped += 1

    def touch(self, key: str) -> None:
        """Note that this was asked for."""
        self._add(key, None, _NOTE_BYTES)

    def stop(self, within_s: float) -> None:
        """Do what waits, for so long at most; take no more.  Blocks; idempotent."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def _add(self, key: str, recording: Recording | None, size_bytes: int) -> bool:
        with self._changed:
            if self._stopping or self._waiting_bytes + size_bytes > WAITING_BYTES:
                return False
            self._waiting.append((key, recording))
            self._waiting_bytes += size_bytes
            self._changed.notify()
        return True

    def _run(self) -> None:
        self._disk.sweep()
        while True:
            with self._changed:
                while not self._waiting:
                    if self._stopping:
                        return
                    self._changed.wait()
                key, recording = self._waiting[0]
            if recording is None:
                self._disk.touch(key)
            else:
                self._disk.write(key, recording)
            with self._changed:
                self._waiting.popleft()
                self._waiting_bytes -= recording.size_bytes if recording else _NOTE_BYTES
