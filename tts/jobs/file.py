"""A job's audio made into the file that its caller asked for.

In: raw PCM as it lies in a spool.  Out: the file's bytes, a block at a time, its length and its
hash.  The same PCM and format give the same sizes however often it is done.  Blocking; any thread,
one at a time.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tts.audio.encode import Encoder, content_type, wav_header
from tts.jobs.record import BYTES_PER_SAMPLE, Result, Spoken
from tts.jobs.spool import blocks


class JobFile:
    """One file in the making."""

    def __init__(self, format: str, spoken: Spoken) -> None:
        """`format` is one of `tts.audio.encode.AUDIO_FORMATS`."""
        self.content_type = content_type(format)
        """What HTTP calls it."""
        self._format = format
        self._spoken = spoken
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    def pieces(self, spool: Path) -> Iterator[bytes]:
        """All bytes of the file, in order, never more than about a block's worth at once.

        Raises `OSError` and `SpoolDamaged`.
        """
        for piece in self._pieces(spool):
            if piece:
                self._hash.update(piece)
                self._size_bytes += len(piece)
                yield piece

    def result(self) -> Result:
        """What to tell of it, once all its bytes were taken."""
        return Result(
            content_type=self.content_type,
            size_bytes=self._size_bytes,
            duration_s=self._spoken.audio_s,
            sha256=self._hash.hexdigest(),
        )

    def _pieces(self, spool: Path) -> Iterator[bytes]:
        rate_hz, length_bytes = self._spoken.sample_rate_hz, self._spoken.pcm_bytes
        if self._format == "wav":
            # Other than a live stream's, this file's length is known.
            yield wav_header(rate_hz, length_bytes // BYTES_PER_SAMPLE)
            yield from blocks(spool, length_bytes)
            return
        encoder = Encoder(self._format, from_rate_hz=rate_hz)
        for block in blocks(spool, length_bytes):
            yield encoder.feed(block)
        yield encoder.flush()
