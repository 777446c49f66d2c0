"""A request's chunks as the events of the WebSocket door.

In: `SpeechChunk`s in order.  Out: `accepted`, audio as the client wants it, marks, progress and
`done`.  Knows nothing of sockets and sessions.  Unless it `is_cheap` it computes for milliseconds:
then feed it in a thread.
"""

from collections.abc import Iterator

from tts.audio.chain import BYTES_PER_SAMPLE, chunk_samples
from tts.audio.encode import AudioFormat, Encoder
from tts.servers.wire.websocket import Accepted, Audio, Done, Event, Marks, Progress
from tts.types import Mark, SpeechChunk

PROGRESS_EVERY_S = 0.5
"""Of audio."""


class Telling:
    """What is told of one request."""

    def __init__(self, format: AudioFormat, chunk_ms: int | None) -> None:
        """`chunk_ms`: length of the audio frames, before encoding; None: as the service cuts."""
        self.is_cheap = format in ("pcm", "wav")
        """Whether there is nothing to encode."""
        self._format = format
        self._chunk_ms = chunk_ms
        self._encoder: Encoder | None = None
        self._rate_hz = 0
        self._cached = False
        self._pcm = b""  # of a frame that is not full
        self._offset = 0
        self._samples = 0
        self._words: list[Mark] = []  # that have not begun
        self._chars = 0
        self._told_samples = 0

    def feed(self, chunk: SpeechChunk) -> list[Event]:
        """What can be told with one more chunk, the first of it before any audio."""
        events: list[Event] = []
        if not self._rate_hz:
            self._rate_hz, self._cached = chunk.sample_rate_hz, chunk.cached
            if self._format != "pcm":
                self._encoder = Encoder(self._format, from_rate_hz=chunk.sample_rate_hz)
            events.append(Accepted(chunk.voice, chunk.sample_rate_hz, self._format))
        if chunk.marks:
            self._words += [mark for mark in chunk.marks if mark.kind == "word"]
            events.append(Marks(chunk.marks))
        events += self._audio(chunk)
        self._samples += len(chunk.pcm) // BYTES_PER_SAMPLE
        if chunk.is_final or self._samples - self._told_samples >= self._rate_hz * PROGRESS_EVERY_S:
            events.append(self._progress())
        return events

    def done(self, first_packet_ms: float) -> Done:
        """The last event."""
        return Done(self._samples, self._seconds(), first_packet_ms, self._cached)

    def _audio(self, chunk: SpeechChunk) -> Iterator[Audio]:
        pieces = self._recut(chunk)
        for index, pcm in enumerate(pieces):
            is_final = chunk.is_final and index == len(pieces) - 1
            data = pcm
            if self._encoder is not None:
                data = self._encoder.feed(pcm) + (self._encoder.flush() if is_final else b"")
            if data or is_final:
                yield Audio(data, self._offset, is_final)
            self._offset += len(data) // (BYTES_PER_SAMPLE if self._encoder is None else 1)

    def _recut(self, chunk: SpeechChunk) -> list[bytes]:
        """PCM of the frames that are full; with the last chunk, of all."""
        if self._chunk_ms is None:
            return [chunk.pcm]
        size = chunk_samples(self._chunk_ms, self._rate_hz) * BYTES_PER_SAMPLE
        pcm = self._pcm + chunk.pcm
        full = len(pcm) // size * size
        end = len(pcm) if chunk.is_final else full
        self._pcm = pcm[end:]
        return [pcm[start : min(start + size, end)] for start in range(0, end, size)] or (
            [b""] if chunk.is_final else []
        )

    def _progress(self) -> Progress:
        begun = [mark for mark in self._words if mark.start_s < self._seconds()]
        self._words = self._words[len(begun) :]
        self._chars = max([self._chars, *(mark.text_end for mark in begun)])
        self._told_samples = self._samples
        return Progress(self._chars, self._seconds())

    def _seconds(self) -> float:
        return self._samples / self._rate_hz
