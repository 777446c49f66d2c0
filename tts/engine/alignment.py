"""When each phone is heard, read from the attention of content frames to phones.

In: rows of attention, chunk by chunk as frames are sounded.  Out: a span of frames for each phone
as soon as its end is settled; nothing that was given out is taken back.  Knows nothing of text,
samples or models; pure numpy.  One aligner an utterance, on the engine's thread.

The path through the frames is the one of the highest attention among those that begin with the
first phone, never go back and end with the last (Viterbi).  A frame is 20 ms; a code fills two of
them, so a boundary is as sure as a code, 40 ms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Attention below this says nothing: a frame that looks elsewhere must not outweigh its neighbours.
_FLOOR = 1e-3
# What passing over a phone costs, in nats.  A phone that is silent (a mark of pitch, a space) has
# less attention than this in any frame, and gets none.
_SKIP_NATS = 4.0
# Where attention says nothing phones come at an even pace; this much for each phone of distance
# from it decides between equals and nothing else.
_PACE_NATS = 0.01


@dataclass(frozen=True, slots=True)
class PhoneSpan:
    """The frames in which a phone is heard."""

    phone: int
    """Its place among the utterance's phones."""
    start_frame: int
    end_frame: int
    """One past the last; the start itself for a phone that has no frame of its own."""


class Aligner:
    """Phones of one utterance placed in its frames."""

    def __init__(self, *, lag_frames: int = 8, frames_per_phone: float = 4.0) -> None:
        """The last `lag_frames` frames of a chunk are settled with the next one, which knows more.

        `frames_per_phone` is the pace to go by where attention says nothing.
        """
        self._lag_frames = lag_frames
        self._frames_per_phone = frames_per_phone
        # Rows of frames that are not settled, as logarithms.
        self._pending: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._settled_frames = 0
        # The phone being heard since `_phone_start`, and where its clause began.
        self._phone = -1
        self._phone_start = 0
        self._clause_phone = 0
        self._clause_start = 0

    def feed(
        self, attention: NDArray[np.float32], *, phones: int, is_last: bool = False
    ) -> list[PhoneSpan]:
        """The spans that are settled now, in order, each phone's once and one next to the other.

        `attention` [F, T] belongs to the F frames after those fed before, and may have no row.  Of
        its columns the first `phones` count, which are the phones that these frames can be of.
        After `is_last` all of them have been given: these frames end with the last of them, and
        frames fed later can only be of phones that come after.

        Raises ValueError when `phones` is more than there are columns, fewer than before, or leaves
        the frames without a phone they can be of.
        """
        fewest = max(self._pending.shape[1], self._clause_phone + (len(attention) > 0))
        if not fewest <= phones <= attention.shape[1]:
            raise ValueError(
                f"phones = {phones}: allowed are {fewest}, those known before, to "
                f"{attention.shape[1]}, the columns of the attention"
            )
        rows = np.full((len(self._pending) + len(attention), phones), np.log(_FLOOR), np.float32)
        rows[: len(self._pending), : self._pending.shape[1]] = self._pending
        rows[len(self._pending) :] = np.log(np.fmax(attention[:, :phones], _FLOOR))
        path = self._path(rows, is_last)
        settled = len(rows) if is_last else max(len(rows) - self._lag_frames, 0)
        spans = self._settle(path[:settled])
        self._pending = rows[settled:]
        return spans + self._end_clause(phones) if is_last else spans

    def _path(self, rows: NDArray[np.float32], is_last: bool) -> NDArray[np.int64]:
        """The phone of each frame."""
        first = max(self._phone, self._clause_phone - 1)  # a column for "none yet", if none is
        frames = self._settled_frames - self._clause_start + np.arange(len(rows))
        places = np.arange(first, rows.shape[1]) - self._clause_phone
        due = frames[:, None] / self._frames_per_phone
        scores = -_PACE_NATS * np.abs(places - due)
        scores[:, max(-first, 0) :] += rows[:, max(first, 0) :]
        if first < self._clause_phone:
            scores[:, 0] = -np.inf
        return first + best_path(scores, skip_nats=_SKIP_NATS, ends_with_last=is_last)

    def _settle(self, path: NDArray[np.int64]) -> list[PhoneSpan]:
        spans: list[PhoneSpan] = []
        for index in np.flatnonzero(np.diff(path, prepend=self._phone)):
            spans += self._move_to(int(path[index]), self._settled_frames + int(index))
        self._settled_frames += len(path)
        return spans

    def _move_to(self, phone: int, frame: int) -> list[PhoneSpan]:
        """What is settled when a phone begins: the one before, and those passed over."""
        spans = []
        if self._phone >= self._clause_phone:
            spans.append(PhoneSpan(self._phone, self._phone_start, frame))
        passed = range(max(self._phone + 1, self._clause_phone), phone)
        spans += [PhoneSpan(one, frame, frame) for one in passed]
        self._phone, self._phone_start = phone, frame
        return spans

    def _end_clause(self, phones: int) -> list[PhoneSpan]:
        spans = self._move_to(phones, self._settled_frames)
        self._phone = phones - 1
        self._clause_phone, self._clause_start = phones, self._settled_frames
        return spans


def best_path(
    scores: NDArray[np.float64], *, skip_nats: float, ends_with_last: bool
) -> NDArray[np.int64]:
    """The column of each row [F, T] on the path of the highest sum that never goes back.

    It starts out from column 0.  Each row stays, goes on by one, or passes over columns at
    `skip_nats` each.  Among equals it stays.
    """
    frames, columns = scores.shape
    if frames == 0:
        return np.zeros(0, np.int64)
    index = np.arange(columns)
    toll = skip_nats * index
    came_from = np.empty((frames, columns), np.int64)
    total = np.full(columns, -np.inf)
    total[0] = 0.0
    entered = np.full(columns, -np.inf)
    for frame in range(frames):
        # The best column before each one, were all on the way passed over.
        paid = total + toll
        best = np.maximum.accumulate(paid)
        source = np.maximum.accumulate(np.where(paid == best, index, 0))
        entered[1:] = best[:-1] - toll[:-1]
        stays = total >= entered
        came_from[frame] = np.where(stays, index, np.roll(source, 1))
        total = np.where(stays, total, entered) + scores[frame]
    path = np.empty(frames, np.int64)
    column = columns - 1 if ends_with_last else int(np.argmax(total))
    for frame in range(frames - 1, -1, -1):
        path[frame] = column
        column = int(came_from[frame, column])
    return path
