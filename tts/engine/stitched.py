"""Audio of codes that are still being drawn: the stitched latent.

In: one utterance's phones and codes, as many as there are so far, again and again.  Out: samples
that follow one another without a seam, and how much of each content frame went to each phone.
Knows nothing of tokens' origin, text or callers.  On the thread that steps the models.

The text encoder sees all codes and all phones, so one more of either changes every frame's
distribution: audio that has been given out cannot be that of the whole utterance decoded at once.
But flow and waveform decoder see some frames each side and no further.  So a frame is drawn and
frozen as soon as audio that depends on it is given out, its noise depends on its absolute place
alone, and later frames are drawn from the newest encoding.  The law: whatever the chunks, the audio
is that of one decode of the latent so stitched together, `StitchedDecoder.latent`.  It holds
exactly when `reach_frames` is the model's `context_frames`, and within what the decoder's far reach
weighs when it is less; see `tts.engine.reach`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts.engine.latent_noise import LatentNoise
from tts.engine.types import Kind, Work
from tts.models.sovits import FRAMES_PER_CODE, Latent, Sovits


@dataclass(slots=True)
class Sounded:
    """What a piece of work has made; empty until the work has run."""

    samples: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """[N], following those given before."""
    attention: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """[F, T]: a row for each content frame (20 ms of the utterance at speed 1) that has come to
    its end, every one once; T phones so far.  A row sums to 1."""
    finite: bool = True
    """False when a sample is no number: the model has overflowed."""


class StitchedDecoder:
    """The state of one utterance: what is frozen, and how many frames have been sounded."""

    def __init__(
        self,
        sovits: Sovits,
        ge: Tensor,
        noise: LatentNoise,
        *,
        noise_scale: float,
        speed: float,
        reach_frames: int,
    ) -> None:
        """`ge` [1, gin, 1]; audio is given once `reach_frames` more are known, of which
        `Sovits.context_frames` are enough for any model."""
        self._sovits = sovits
        self._ge = ge
        self._noise = noise
        self._noise_scale = noise_scale
        self._speed = speed
        self._reach_frames = min(reach_frames, sovits.context_frames)
        self._phones = torch.zeros(1, 0, dtype=torch.int64, device=ge.device)
        self._text: Tensor | None = None
        # The newest encoding, and of how many codes and phones it is.
        self._newest: Latent | None = None
        self._newest_of = (0, 0)
        self._drawn = ge.new_zeros(1, sovits.spec.latent, 0)
        self._attention = np.zeros((0, 0), np.float32)
        self._sounded_frames = 0
        self._sounded_content = 0

    @property
    def sounded_frames(self) -> int:
        """Frames whose audio has been given out."""
        return self._sounded_frames

    @property
    def latent(self) -> Tensor:
        """The stitched latent so far [1, latent, F]: every frame that was heard or had a part."""
        return self._drawn

    def extend(self, phones: Tensor) -> None:
        """Phones [1, T] of the utterance's next clause.  What is frozen stays."""
        self._phones = torch.cat([self._phones, phones], dim=1)
        self._text = None

    def ready_frames(self, codes: int, *, is_last: bool) -> int:
        """How many frames of the utterance could have been sounded once there are so many codes.

        `is_last`: no code follows.
        """
        frames = self._sovits.frames(codes, self._speed) if codes else 0
        return frames if is_last else max(self._sounded_frames, frames - self._reach_frames)

    def work(
        self, codes: Sequence[int], *, is_last: bool, most_frames: int | None = None
    ) -> tuple[Work, Sounded]:
        """The work that sounds what all codes [S] so far allow, at most `most_frames`, and where
        its result will be.

        Raises ValueError when there is no phone yet, or no frame that could be sounded.
        """
        first = self._sounded_frames
        ready = self.ready_frames(len(codes), is_last=is_last)
        if most_frames is not None:
            ready = min(ready, first + most_frames)
        if ready <= first or not self._phones.shape[1]:
            raise ValueError(
                f"{len(codes)} codes and {self._phones.shape[1]} phones: nothing to sound after "
                f"{first} frames, with {self._reach_frames} held back"
            )
        sounded = Sounded()
        codes = tuple(codes)

        def run(works: Sequence[Work]) -> None:
            self._sound(codes, ready, is_last, sounded)

        return Work(Kind.SOUND, ready - first, run, together=sounded), sounded

    @torch.inference_mode()
    def _sound(self, codes: Sequence[int], ready: int, is_last: bool, sounded: Sounded) -> None:
        first = self._sounded_frames
        self._freeze(codes, ready)
        start = max(0, first - self._reach_frames)
        window = self._drawn[..., start : ready + self._reach_frames]
        audio = self._sovits.decode_latent(window, self._ge, first - start, ready - start)
        self._sounded_frames = ready
        sounded.samples = audio[0].float().cpu().numpy()  # sync
        sounded.finite = bool(np.isfinite(sounded.samples).all())
        sounded.attention = self._ended_rows(ready, len(codes), is_last)

    def _freeze(self, codes: Sequence[int], ready: int) -> None:
        """Draw the frames that audio up to `ready` depends on and that are not drawn yet."""
        newest = self._encoded(codes)
        drawn = self._drawn.shape[-1]
        needed = min(newest.mean.shape[-1], ready + self._reach_frames)
        if needed <= drawn:
            return
        noise = self._noise(drawn, needed - drawn)
        z_p = newest.cut(drawn, needed).sample(noise, self._noise_scale)
        self._drawn = torch.cat([self._drawn, z_p], dim=-1)
        self._keep_rows(newest.attention[0], self._content(needed, len(codes)))

    def _encoded(self, codes: Sequence[int]) -> Latent:
        """The encoding of all codes and phones so far; made once, while neither grows."""
        of = (len(codes), self._phones.shape[1])
        if self._newest is None or self._newest_of != of:
            if self._text is None:
                self._text = self._sovits.encode_text(self._phones)
            self._newest = self._sovits.stream_latent(
                torch.tensor([codes], device=self._ge.device),
                self._text,
                self._ge,
                speed=self._speed,
            )
            self._newest_of = of
        return self._newest

    def _content(self, frames: int, codes: int) -> int:
        """How many content frames so many latent frames have come to the end of."""
        return min(FRAMES_PER_CODE * codes, int(frames * self._speed))

    def _keep_rows(self, rows: Tensor, needed: int) -> None:
        """Freeze rows [content frames, T] below `needed`, those of earlier frames as they were."""
        old = self._attention
        new = rows[len(old) : needed].float().cpu().numpy()  # sync
        old = np.pad(old, ((0, 0), (0, new.shape[1] - old.shape[1])))
        self._attention = np.concatenate([old, new])

    def _ended_rows(self, ready: int, codes: int, is_last: bool) -> NDArray[np.float32]:
        all_sounded = is_last and ready == self._sovits.frames(codes, self._speed)
        first = self._sounded_content
        last = FRAMES_PER_CODE * codes if all_sounded else self._content(ready, codes)
        self._sounded_content = max(first, last)
        return self._attention[first : self._sounded_content]
