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
        self._first_samples = chunk_samples(first_ms, sample_rate_hz)
        self._next_samples = chunk_samples(next_ms, sample_rate_hz)
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
        starts = cuts(
            len(samples),
            first_samples=self._next_samples if self._sent_samples else self._first_samples,
            next_samples=self._next_samples,
        )
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


def cuts(samples: int, *, first_samples: int, next_samples: int) -> list[int]:
    """First samples of the chunks that a run of samples is cut into: one of `first_samples`, then
    of `next_samples` each; a rest under half a chunk joins the one before."""
    starts = [0]
    length = first_samples
    while samples - starts[-1] >= length + max(1, next_samples // 2):
        starts.append(starts[-1] + length)
        length = next_samples
    return starts


def chunk_samples(length_ms: int, sample_rate_hz: int) -> int:
    """Samples of a chunk of so many milliseconds; at least one."""
    return max(1, sample_rate_hz * length_ms // 1000)
