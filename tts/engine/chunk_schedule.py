"""When to make the next chunk of sound of an utterance whose tokens are still being drawn.

In: how many frames could be sounded, how far the audio is ahead of playback, and what sounding
costs.  Out: yes or no.  The first chunk is as small as sounds right, so that it leaves early; the
others are made as late as playback allows, because a frame that is sounded later was encoded with
more of its future known, and because long chunks cost less.  Pure; any thread.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkSchedule:
    """The sizes of chunks, in latent frames of 20 ms."""

    first_frames: int = 6
    """The first chunk: 120 ms last until the second is there when tokens are drawn at least twice
    as fast as they are heard."""
    least_frames: int = 4
    """No chunk but the last of an utterance is shorter: each takes its context besides."""
    most_frames: int = 50
    """A chunk is made when it has grown to this, and none is longer: others wait meanwhile."""
    margin_s: float = 0.05
    """How long before playback runs dry a chunk is to be there."""

    def due(
        self,
        ready_frames: int,
        *,
        ahead_s: float | None,
        cost_s: Callable[[int], float],
        until_next_s: float,
    ) -> bool:
        """Whether to sound `ready_frames` now rather than after the next token.

        `ahead_s`: seconds of audio that wait to be played; None before the first chunk.
        `cost_s` of so many frames of sound; `until_next_s`: until this can be asked again.
        """
        if ahead_s is None:
            return ready_frames >= self.first_frames
        if ready_frames >= self.most_frames:
            return True
        left_s = ahead_s - cost_s(ready_frames) - until_next_s
        return ready_frames >= self.least_frames and left_s <= self.margin_s

    def length(
        self, ready_frames: int, *, ahead_s: float | None, cost_s: Callable[[int], float]
    ) -> int:
        """How many of the frames to sound in one go: no more than are made before playback runs
        dry, if that is at least the first chunk's."""
        if ahead_s is None:
            return min(ready_frames, self.first_frames)
        most = min(ready_frames, self.most_frames)
        while most > self.first_frames and cost_s(most) > ahead_s - self.margin_s:
            most -= 1
        return most
