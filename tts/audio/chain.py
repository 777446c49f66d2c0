"""Post-processing: an engine's pieces in, a request's chunks for the wire out.

Gain, clip guard, 16-bit samples, and the cut into chunks: a short first one, so that the caller
hears early, longer ones after it.  One chain serves one request; pure, any thread.
"""

from collections.abc import Iterator

from tts.audio.loudness import amplify, to_pcm
from tts.engine.types import Piece
from tts.types import Mark, SpeechChunk

BYTES_PER_SAMPLE = 2


class Chain:
    """The state of one request: how many samples have left."""

    def __init__(self, *, sample_rate_hz: int, gain_db: float, first_ms: int, next_ms: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._gain_db = gain_db
        self._first_samples = max(1, sample_rate_hz * first_ms // 1000)
        self._next_samples = max(1, sample_rate_hz * next_ms // 1000)
        self._sent_samples = 0

    def feed(self, piece: Piece) -> Iterator[SpeechChunk]:
        """Cut all of a piece into chunks; its marks travel with the first of them."""
        pcm = to_pcm(amplify(piece.samples, self._gain_db))
        marks: tuple[Mark, ...] = piece.marks
        starts = self._cuts(len(piece.samples))
        for start, end in zip(starts, [*starts[1:], len(piece.samples)], strict=True):
            yield SpeechChunk(
                pcm=pcm[start * BYTES_PER_SAMPLE : end * BYTES_PER_SAMPLE],
                sample_rate_hz=self._sample_rate_hz,
                first_sample=self._sent_samples,
                marks=marks,
                is_final=piece.is_last and end == len(piece.samples),
            )
            self._sent_samples += end - start
            marks = ()

    def _cuts(self, samples: int) -> list[int]:
        """First samples of a piece's chunks; a rest under half a chunk joins the one before."""
        cuts = [0]
        length = self._next_samples if self._sent_samples else self._first_samples
        while samples - cuts[-1] >= length + max(1, self._next_samples // 2):
            cuts.append(cuts[-1] + length)
            length = self._next_samples
        return cuts
