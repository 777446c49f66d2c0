"""Post-processing: an engine's pieces in, a request's chunks for the wire out.

The wire's sample rate, gain, clip guard, 16-bit samples, and the cut into chunks: a short first
one, so that the caller hears early, longer ones after it.  One chain serves one request; pure, any
thread.
"""

from collections.abc import Iterator

from tts.audio.loudness import amplify, to_pcm
from tts.audio.resample import ResampledStream
from tts.engine.types import Piece
from tts.types import Mark, SpeechChunk

BYTES_PER_SAMPLE = 2


class Chain:
    """The state of one request: what the resampler holds, and how many samples have left.

    The audio does not depend on where the pieces were cut; the cut into chunks does.
    """

    def __init__(
        self,
        *,
        voice_rate_hz: int,
        sample_rate_hz: int,
        gain_db: float,
        first_ms: int,
        next_ms: int,
    ) -> None:
        """`voice_rate_hz` is the rate of the pieces, `sample_rate_hz` that of the chunks."""
        self._resampled = ResampledStream(voice_rate_hz, sample_rate_hz)
        self._sample_rate_hz = sample_rate_hz
        self._gain_db = gain_db
        self._first_samples = max(1, sample_rate_hz * first_ms // 1000)
        self._next_samples = max(1, sample_rate_hz * next_ms // 1000)
        self._sent_samples = 0
        self._marks: tuple[Mark, ...] = ()

    def feed(self, piece: Piece) -> Iterator[SpeechChunk]:
        """Cut what a piece gives into chunks; its marks travel with the first of them.

        A piece shorter than what the resampler holds back gives no chunk, and its marks wait for
        the next; the last piece gives one at least, which may be empty.
        """
        # The guard against clipping comes last: a resampler swings beyond the peaks it is given.
        samples = amplify(self._resampled.feed(piece.samples, is_last=piece.is_last), self._gain_db)
        self._marks += piece.marks
        if len(samples) == 0 and not piece.is_last:
            return
        pcm = to_pcm(samples)
        starts = self._cuts(len(samples))
        for start, end in zip(starts, [*starts[1:], len(samples)], strict=True):
            marks, self._marks = self._marks, ()
            yield SpeechChunk(
                pcm=pcm[start * BYTES_PER_SAMPLE : end * BYTES_PER_SAMPLE],
                sample_rate_hz=self._sample_rate_hz,
                first_sample=self._sent_samples,
                marks=marks,
                is_final=piece.is_last and end == len(samples),
            )
            self._sent_samples += end - start

    def _cuts(self, samples: int) -> list[int]:
        """First samples of a piece's chunks; a rest under half a chunk joins the one before."""
        cuts = [0]
        length = self._next_samples if self._sent_samples else self._first_samples
        while samples - cuts[-1] >= length + max(1, self._next_samples // 2):
            cuts.append(cuts[-1] + length)
            length = self._next_samples
        return cuts
