"""When to make the next chunk of sound of an utterance whose tokens are still being drawn.

In: how many frames could be sounded, how far the audio is ahead of playback, and what work costs.
Out: whether to sound, and how much.  The first chunk is as small as lets the next one be there in
time, so that it leaves early.  The others are made as late as playback allows, because a frame that
is sounded later was encoded with more of its future known, and because long chunks cost less.
Pure; any thread.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

FRAME_S = 0.02
"""How long a latent frame sounds."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What the work on an utterance costs, alone and on this machine."""

    frames_s: Callable[[int], float]
    """Seconds to sound so many frames in one go."""
    drawn_s: float
    """Seconds to draw what one frame is made of, half a token at speed 1."""


@dataclass(frozen=True, slots=True)
class ChunkSchedule:
    """The bounds of chunks, in latent frames of 20 ms."""

    least_frames: int = 5
    """No chunk but an utterance's last is shorter: each takes its context besides."""
    most_frames: int = 24
    """A chunk is made when it has grown to this, and none is longer: others wait meanwhile."""
    margin_s: float = 0.03
    """How long before playback runs dry a chunk is to be there."""

    def first_frames(self, effort: Effort) -> int:
        """How long a chunk lasts until one as long can follow it, the margin included.

        n frames last 20 ms each; drawing and sounding n more takes a fixed time and a time for each
        frame; so n is the fixed time over what is left of each frame's 20 ms.
        """
        few, many = self.least_frames, self.most_frames
        each_s = (effort.frames_s(many) - effort.frames_s(few)) / (many - few)
        fixed_s = max(0.0, effort.frames_s(few) - few * each_s)
        left_s = FRAME_S - each_s - effort.drawn_s
        if left_s <= 0:
            return self.most_frames
        frames = math.ceil((fixed_s + self.margin_s) / left_s)
        return min(max(frames, self.least_frames), self.most_frames)

    def due(
        self, ready_frames: int, *, ahead_s: float | None, effort: Effort, until_next_s: float
    ) -> bool:
        """Whether to sound `ready_frames` now rather than after the next token.

        `ahead_s`: seconds of audio that wait to be played; None before the first chunk.
        `until_next_s`: until this can be asked again.
        """
        if ready_frames >= self.most_frames:
            return True
        if ready_frames < self.first_frames(effort):
            return False
        return (
            ahead_s is None
            or ahead_s - effort.frames_s(ready_frames) - until_next_s <= self.margin_s
        )

    def length(self, ready_frames: int, *, ahead_s: float | None, effort: Effort) -> int:
        """How many of the frames to sound in one go: no more than are made before playback runs
        dry, if that is at least a first chunk."""
        first = self.first_frames(effort)
        if ahead_s is None:
            return min(ready_frames, first)
        most = min(ready_frames, self.most_frames)
        while most > first and effort.frames_s(most) > ahead_s - self.margin_s:
            most -= 1
        return most
