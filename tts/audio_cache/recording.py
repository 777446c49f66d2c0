"""A request's whole audio, kept for the next who asks for it.

In: the chunks of a stream that ended well.  Out: the same audio and marks as chunks of any length.
Pure values; any thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tts.audio.chain import BYTES_PER_SAMPLE, chunk_samples, cuts
from tts.types import Mark, SpeechChunk

_MARK_BYTES = 300
"""What a mark takes in memory, about: an object of eight numbers and words."""


@dataclass(frozen=True, slots=True)
class KnownMark:
    """A mark, and when the live stream told it."""

    known_sample: int
    """First sample of the chunk that brought it."""
    mark: Mark


@dataclass(frozen=True, slots=True)
class Recording:
    """Mono signed 16-bit little-endian PCM, complete."""

    pcm: bytes
    sample_rate_hz: int
    voice: str
    """Id of the voice that spoke."""
    marks: tuple[KnownMark, ...]
    """In the order in which they were told."""

    @classmethod
    def of(cls, chunks: Sequence[SpeechChunk]) -> "Recording":
        """What a stream gave: at least one chunk, the last of them final."""
        return cls(
            pcm=b"".join(chunk.pcm for chunk in chunks),
            sample_rate_hz=chunks[0].sample_rate_hz,
            voice=chunks[0].voice,
            marks=tuple(
                KnownMark(chunk.first_sample, mark) for chunk in chunks for mark in chunk.marks
            ),
        )

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about."""
        return len(self.pcm) + _MARK_BYTES * len(self.marks)

    def chunks(self, first_ms: int, next_ms: int) -> Iterator[SpeechChunk]:
        """The audio as a live stream would cut it that has all of it at once.

        A mark comes with the chunk that holds the first sample of the one that brought it live, so
        no later than it did then.
        """
        samples = len(self.pcm) // BYTES_PER_SAMPLE
        starts = cuts(
            samples,
            first_samples=chunk_samples(first_ms, self.sample_rate_hz),
            next_samples=chunk_samples(next_ms, self.sample_rate_hz),
        )
        told = 0
        for start, end in zip(starts, [*starts[1:], samples], strict=True):
            is_final = end == samples
            known = told
            while known < len(self.marks) and (is_final or self.marks[known].known_sample < end):
                known += 1
            yield SpeechChunk(
                pcm=self.pcm[start * BYTES_PER_SAMPLE : end * BYTES_PER_SAMPLE],
                sample_rate_hz=self.sample_rate_hz,
                first_sample=start,
                marks=tuple(one.mark for one in self.marks[told:known]),
                is_final=is_final,
                voice=self.voice,
                cached=True,
            )
            told = known
