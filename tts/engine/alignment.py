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
        # Rows of frames that are not settled, a column for each phone of the clause.
        self._pending: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._settled_frames = 0
        # The phone being heard and its first frame; before a clause's first, the last one's.
        self._phone = -1
        self._phone_start = 0
        # The first phone and frame of the clause.
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
        the frames no phone to be of.
        """
        known = self._pending.shape[1]
        fewest = self._clause_phone + max(known, len(attention) > 0)
        if not fewest <= phones <= attention.shape[1]:
            raise ValueError(
                f"phones = {phones}: allowed are {fewest}, those known before, to "
                f"{attention.shape[1]}, the columns of the attention"
            )
        size = len(self._pending) + len(attention), phones - self._clause_phone
        rows = np.full(size, np.log(_FLOOR), np.float32)
        rows[: len(self._pending), :known] = self._pending
        rows[len(self._pending) :] = _log_shares(attention[:, self._clause_phone : phones])
        path = self._path(rows, is_last)
        settled = len(rows) if is_last else max(len(rows) - self._lag_frames, 0)
        spans = self._settle(path[:settled])
        self._pending = rows[settled:]
        return spans + self._end_clause(phones) if is_last else spans

    def _path(self, rows: NDArray[np.float32], is_last: bool) -> NDArray[np.int64]:
        """The phone of each frame; rows [F, T] have a column for each phone of the clause."""
        now = self._phone - self._clause_phone  # -1 before the first
        places = np.arange(now, rows.shape[1])
        frames = self._settled_frames - self._clause_start + np.arange(len(rows))
        scores = -_PACE_NATS * np.abs(places - frames[:, None] / self._frames_per_phone)
        if now < 0:
            scores[:, 0] = -np.inf
            scores[:, 1:] += rows
        else:
            scores += rows[:, now:]
        path = best_path(scores, skip_nats=_SKIP_NATS, ends_with_last=is_last)
        return self._phone + path

    def _settle(self, path: NDArray[np.int64]) -> list[PhoneSpan]:
        spans: list[PhoneSpan] = []
        for index in np.flatnonzero(np.diff(path, prepend=self._phone)):
            spans += self._move_to(int(path[index]), self._settled_frames + int(index))
        self._settled_frames += len(path)
        return spans

    def _move_to(self, phone: int, frame: int) -> list[PhoneSpan]:
        """What is settled when a phone begins: the one before, and those passed over."""
        spans = []
        if self._phone >= self._clause_phone:  # else it has been told with its clause's end
            spans.append(PhoneSpan(self._phone, self._phone_start, frame))
        spans += [PhoneSpan(one, frame, frame) for one in range(self._phone + 1, phone)]
        self._phone, self._phone_start = phone, frame
        return spans

    def _end_clause(self, phones: int) -> list[PhoneSpan]:
        spans = self._move_to(phones, self._settled_frames)
        self._phone = phones - 1
        self._pending = np.zeros((0, 0), np.float32)
        self._clause_phone, self._clause_start = phones, self._settled_frames
        return spans


def _log_shares(attention: NDArray[np.float32]) -> NDArray[np.float32]:
    """Attention [F, T] among these phones alone, as logarithms; 0 and what is no number count as
    the least there is."""
    sums = np.fmax(attention.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    logs: NDArray[np.float32] = np.log(np.fmax(attention / sums, _FLOOR))
    return logs


def best_path(
    scores: NDArray[np.float64], *, skip_nats: float, ends_with_last: bool
) -> NDArray[np.int64]:
    """The column of each row [F, T] on the path of the highest sum that never goes back.

    It starts out from column 0.  Each row stays, goes on by one, or passes over columns at
    `skip_nats` each.  Among equals it stays.
    """
    frames, columns = scores.shape
    # The best sum that ends in each column, as if all columns up to it had been passed over and
    # their price given back; row f is before frame f.
    sums = np.full((frames + 1, columns), -np.inf)
    sums[0, :1] = 0.0
    best = np.empty((frames, columns))  # up to and with each column
    for frame in range(frames):
        before, after = sums[frame], sums[frame + 1]
        np.maximum.accumulate(before, out=best[frame])
        np.add(best[frame, :-1], skip_nats, out=after[1:])
        np.maximum(before, after, out=after)
        after += scores[frame]
    path = np.empty(frames, np.int64)
    total = sums[frames] - skip_nats * np.arange(columns)
    column = columns - 1 if ends_with_last else int(np.argmax(total))
    for frame in range(frames - 1, -1, -1):
        path[frame] = column
        if column and sums[frame, column] < best[frame, column - 1] + skip_nats:
            column = int(np.searchsorted(best[frame], best[frame, column - 1]))
    return path
