"""Recordings in memory up to a bound; what was not asked for longest goes first.

Knows nothing of requests, files or time.  One thread at a time.
"""

from collections import OrderedDict

from tts.audio_cache.recording import Recording


class MemoryCache:
    """Recordings by key."""

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes` bounds all recordings together; 0 keeps none."""
        self._most_bytes = most_bytes
        # In order of when each was last asked for.
        self._recordings: OrderedDict[str, Recording] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """What all that is kept takes, about."""
        return self._size_bytes

    def get(self, key: str) -> Recording | None:
        """The recording, which now was asked for last."""
        recording = self._recordings.get(key)
        if recording is not None:
            self._recordings.move_to_end(key)
        return recording

    def put(self, key: str, recording: Recording) -> int:
        """Keep a recording, in place of one of the same key; return how many others had to go.

        One that alone is over the bound is not kept, and nothing goes for it.
        """
        if recording.size_bytes > self._most_bytes:
            return 0
        old = self._recordings.pop(key, None)
        self._size_bytes += recording.size_bytes - (old.size_bytes if old else 0)
        self._recordings[key] = recording
        gone = 0
        while self._size_bytes > self._most_bytes:
            _, oldest = self._recordings.popitem(last=False)
            self._size_bytes -= oldest.size_bytes
            gone += 1
        return gone
