"""Audio of codes that are still being drawn: the stitched latent.

In: one utterance's phones and codes, as many as there are so far, again and again.  Out: samples
that follow one another without a seam, and how much of each content frame went to each phone.
Knows nothing of tokens' origin, text or callers.  On the thread that steps the models.

The text encoder sees all codes and all phones, so one more of either changes every frame's
distribution: audio that has been given out cannot be that of the whole utterance decoded at once.
But the waveform decoder hears some frames each side and no further.  So a frame of its input is
made and frozen as soon as audio that depends on it is given out, its noise depends on its absolute
place alone, and later frames are made of the newest encoding, by a flow that sees the frozen ones
before them.  The law: whatever the chunks, the audio is that of one decode of the latent so
stitched together, `StitchedDecoder.latent`.

A CPU builds code for every shape of window that it has not met, which takes about as long as the
first chunk does otherwise.  So windows have few shapes: their lengths are multiples of
`WINDOW_FRAMES`, but for what is shorter.  The last one begins earlier instead of being shorter,
with frames that were heard already.  `warm` meets all but the shorter ones.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tts.engine.latent_noise import LatentNoise
from tts.engine.types import Kind, Work
from tts.models.sovits import FRAMES_PER_CODE, Latent, Sovits

AHEAD_FRAMES = 4
"""Frames held back besides those that the decoder hears, for the flow to see them: it makes a
frame that has none after it as if the utterance ended there."""

WINDOW_FRAMES = 8
"""Windows longer than this have a multiple of it in length."""


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


@dataclass(frozen=True, slots=True)
class Window:
    """The frames of one piece of work."""

    begin: int
    """The first frame decoded."""
    first: int
    """The first frame that was not heard before."""
    ready: int
    """One past the last frame decoded."""
    left: int
    """Where the frozen frames begin that the decoder is given."""
    right: int
    """One past the last of them."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames given, and which of them are decoded; equal shapes can be one batch."""
        return self.right - self.left, self.begin - self.left, self.ready - self.left


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
        ahead_frames: int = AHEAD_FRAMES,
    ) -> None:
        """`ge` [1, gin, 1].  Audio is given once the frames that the waveform decoder hears after
        it, and `ahead_frames` more, are known."""
        self.sovits = sovits
        self.ge = ge
        self._noise = noise
        self._noise_scale = noise_scale
        self._speed = speed
        self._reach_frames = sovits.dec.reach_frames
        self._hold_back_frames = self._reach_frames + ahead_frames
        self._phones = torch.zeros(1, 0, dtype=torch.int64, device=ge.device)
        self._text: Tensor | None = None
        self._encoding: _Encoding | None = None
        # Frozen: draws of the text encoder's latent, what the flow made of them, attention rows.
        self._drawn = ge.new_zeros(1, sovits.spec.latent, 0)
        self._latent = ge.new_zeros(1, sovits.spec.latent, 0)
        self._attention = np.zeros((0, 0), np.float32)
        self._sounded_frames = 0
        self._sounded_content = 0

    @property
    def sounded_frames(self) -> int:
        """Frames whose audio has been given out."""
        return self._sounded_frames

    @property
    def latent(self) -> Tensor:
        """The stitched latent so far [1, latent, F], what the waveform decoder is given: every
        frame that was heard or had a part in what was heard."""
        return self._latent

    def extend(self, phones: Tensor) -> None:
        """Phones [1, T] of the utterance's next clause.  What is frozen stays."""
        self._phones = torch.cat([self._phones, phones], dim=1)
        self._text = None

    def ready_frames(self, codes: int, *, is_last: bool) -> int:
        """How many frames of the utterance could have been sounded once there are so many codes.

        `is_last`: no code follows.
        """
        frames = self.sovits.frames(codes, self._speed) if codes else 0
        return frames if is_last else max(self._sounded_frames, frames - self._hold_back_frames)

    def work(
        self, codes: Sequence[int], *, is_last: bool, most_frames: int | None = None
    ) -> tuple["SoundWork", Sounded]:
        """The work that sounds what all codes [S] so far allow, at most `most_frames`, and where
        its result will be.  It may sound less, but not nothing: look at `sounded_frames`.

        Codes may differ from those of earlier work where nothing was made of them.  Raises
        ValueError when there is no phone yet, or no frame that could be sounded, or none allowed.
        """
        first = self._sounded_frames
        ready = self.ready_frames(len(codes), is_last=is_last)
        if ready <= first or not self._phones.shape[1]:
            raise ValueError(
                f"{len(codes)} codes and {self._phones.shape[1]} phones: nothing to sound after "
                f"{first} frames, with {self._hold_back_frames} held back"
            )
        if most_frames is not None and most_frames < 1:
            raise ValueError(f"most_frames is {most_frames}: at least 1")
        frames = self.sovits.frames(len(codes), self._speed)
        window = self._window(ready, frames, is_last=is_last, most_frames=most_frames)
        sounded = Sounded()
        # Equal windows of one model are one batch on a GPU.  A CPU would gain a tenth by it, but
        # the more urgent one would wait, and each size of batch has shapes of its own to meet.
        mates = f"windows {window.shape} of the model {id(self.sovits)}"
        work = SoundWork(
            kind=Kind.SOUND,
            size=window.ready - window.begin,
            run=sound,
            together=sys.intern(mates) if self.ge.is_cuda else sounded,
            decoder=self,
            window=window,
            codes=tuple(codes),
            sounded=sounded,
        )
        return work, sounded

    def prepare(self, window: Window, codes: Sequence[int]) -> Tensor:
        """Freeze what the window depends on, and give what the waveform decoder needs of it."""
        self._freeze(codes, window.right)
        return self._latent[..., window.left : window.right]

    def finish(self, work: "SoundWork", audio: NDArray[np.float32]) -> None:
        """Take the audio [N] of a work's window."""
        window, sounded = work.window, work.sounded
        heard = (window.first - window.begin) * self.sovits.spec.hop_samples
        self._sounded_frames = window.ready
        sounded.samples = audio[heard:]
        sounded.finite = bool(np.isfinite(audio).all())
        content = self._content(window.ready, len(work.codes))
        rows = self._attention[self._sounded_content : content]
        sounded.attention = _wider(rows, self._phones.shape[1])
        self._sounded_content = content

    def _window(self, ready: int, frames: int, *, is_last: bool, most_frames: int | None) -> Window:
        first = begin = self._sounded_frames
        reach = self._reach_frames
        most = frames if most_frames is None else most_frames
        ready = min(ready, first + most)
        short = -(ready - first) % WINDOW_FRAMES
        if is_last and ready == frames and (most_frames is None or ready - first + short <= most):
            begin -= min(first, short)
        elif ready - first > WINDOW_FRAMES:
            ready -= (ready - first) % WINDOW_FRAMES
            while ready + reach > frames and ready - first > WINDOW_FRAMES:
                ready -= WINDOW_FRAMES  # rather than a window with the end in its context
        return Window(begin, first, ready, max(0, begin - reach), min(frames, ready + reach))

    def _freeze(self, codes: Sequence[int], last: int) -> None:
        """Make the frames below `last` that are not frozen yet."""
        frozen = self._latent.shape[-1]
        if last <= frozen:
            return
        newest = self._encode(codes)
        reach = self.sovits.flow.reach_frames
        seen = min(newest.mean.shape[-1], last + reach)
        noise = self._noise(frozen, seen - frozen)
        fresh = newest.cut(frozen, seen).sample(noise, self._noise_scale)
        before = self._drawn[..., max(0, frozen - reach) :]
        made = self.sovits.flow(torch.cat([before, fresh], dim=-1), self.ge)
        made = made[..., before.shape[-1] :][..., : last - frozen]
        self._drawn = torch.cat([self._drawn, fresh[..., : last - frozen]], dim=-1)
        self._latent = torch.cat([self._latent, made], dim=-1)
        self._keep_rows(newest.attention[0], self._content(last, len(codes)))

    def _encode(self, codes: Sequence[int]) -> Latent:
        """The encoding of all codes and phones so far; made once, while neither changes."""
        if self._text is None:
            self._text = self.sovits.encode_text(self._phones)
            self._encoding = None
        if self._encoding is None or self._encoding.codes != codes:
            given = torch.tensor([codes], device=self.ge.device)
            latent = self.sovits.stream_latent(given, self._text, self.ge, speed=self._speed)
            self._encoding = _Encoding(codes, latent)
        return self._encoding.latent

    def _content(self, frames: int, codes: int) -> int:
        """How many content frames so many latent frames have come to the end of."""
        if frames == self.sovits.frames(codes, self._speed):
            return FRAMES_PER_CODE * codes
        return min(FRAMES_PER_CODE * codes, int(frames * self._speed))

    def _keep_rows(self, rows: Tensor, content: int) -> None:
        """Freeze rows [content frames, T] below `content`, those of earlier frames as they were."""
        new = rows[len(self._attention) : content].float().cpu().numpy()  # sync
        self._attention = np.concatenate([_wider(self._attention, new.shape[1]), new])


@dataclass(frozen=True, slots=True)
class _Encoding:
    codes: Sequence[int]
    latent: Latent


def _wider(rows: NDArray[np.float32], phones: int) -> NDArray[np.float32]:
    """Rows with no weight on phones that came after them."""
    return np.pad(rows, ((0, 0), (0, phones - rows.shape[1])))


@dataclass(frozen=True, slots=True, eq=False)
class SoundWork(Work):
    """A window of one utterance."""

    decoder: StitchedDecoder
    window: Window
    codes: tuple[int, ...]
    sounded: Sounded


@torch.inference_mode()
def warm(sovits: Sovits, ge: Tensor, most_frames: int) -> None:
    """Decode silence in every shape of window of `WINDOW_FRAMES` and more that utterances are cut
    into, with `most_frames` at most: what a machine prepares for a shape is then there.

    A CPU forgets again what it has prepared, by the capacity of oneDNN's cache of primitives; a
    shape takes about 90 of them.
    """
    reach = sovits.dec.reach_frames
    lefts = [*range(0, reach, WINDOW_FRAMES), reach]
    contexts = [*((left, reach) for left in lefts), (reach, 0)]
    for frames in range(WINDOW_FRAMES, most_frames + 1, WINDOW_FRAMES):
        for left, right in contexts:
            latent = ge.new_zeros(1, sovits.spec.latent, left + frames + right)
            sovits.dec(latent, ge, left, left + frames)


@torch.inference_mode()
def sound(works: Sequence[Work]) -> None:
    """Do works of one model whose windows have one shape, as one batch."""
    mine = cast(Sequence[SoundWork], works)
    _, first, last = mine[0].window.shape
    sovits = mine[0].decoder.sovits
    latent = torch.cat([work.decoder.prepare(work.window, work.codes) for work in mine])
    ge = torch.cat([work.decoder.ge for work in mine])
    audio = sovits.dec(latent, ge, first, last).float().cpu().numpy()  # sync
    for work, row in zip(mine, audio, strict=True):
        work.decoder.finish(work, row)
