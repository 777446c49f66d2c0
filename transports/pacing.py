"""The agent's voice on its way out: what is waiting, what is next, and what has left.

In: runs of 48 kHz samples, each of one utterance.  Out: frames of 20 ms, silence where there is no
speech, and the count of samples that left, which is the heard clock.  Knows nothing about
WebRTC, codecs or wall clocks: its only clock is the number of samples it has given out.  All
methods are called from the event loop's thread.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from transports.utterance import RATE_HZ, Pcm, Utterance

__all__ = ["RATE_HZ", "Ended", "Pcm", "Playback", "PlaybackCounts", "Started", "Tap"]

Tap = Callable[[Pcm], None]
"""Shown every frame that leaves; must neither keep nor change it."""

FRAME_SAMPLES = 960  # 20 ms
MAX_PLAYOUT_DELAY_MS = 2_000
SILENT_DBFS = -90.0


@dataclass(frozen=True)
class Started:
    """The first sample of an utterance left."""

    utterance: int


@dataclass(frozen=True)
class Ended:
    """The last sample of an utterance left, whether it was finished or stopped."""

    utterance: int
    sent_samples: int
    stopped: bool


@dataclass
class PlaybackCounts:
    """Totals over the call, in samples at 48 kHz unless said otherwise."""

    line_samples: int = 0
    """Everything that left, silence included."""
    speech_samples: int = 0
    """Speech that left."""
    dropped_samples: int = 0
    """Speech that was waiting when its utterance was stopped."""
    discarded_samples: int = 0
    """Speech that came after its utterance was stopped or ended."""
    underruns: int = 0
    """Times an utterance that had begun to sound ran dry before its end (a count)."""


class Playback:
    """The reply audio of one call, played in order of `begin`.  Is a `base.PlaybackClock`.

    An utterance begins to sound once it has a whole frame waiting or is complete, so that a first
    sliver of audio does not start it only to starve it; the same after an underrun.
    """

    def __init__(self, *, fade_ms: int, room_ms: int = 3_000) -> None:
        self.counts = PlaybackCounts()
        self._fade_samples = fade_ms * RATE_HZ // 1000
        # Bound on the speech waiting for each utterance; producers wait in `wait_for_room`.
        self._room_samples = room_ms * RATE_HZ // 1000
        self._delay_samples = 0
        # All utterances of the call: a few hundred bytes each, without their audio once sent.
        self._utterances: dict[int, Utterance] = {}
        self._queue: deque[Utterance] = deque()
        self._events: deque[Started | Ended] = deque()
        self._room_changed = asyncio.Event()
        self._closed = False
        self.level_dbfs = SILENT_DBFS
        """Loudness (RMS) of the frame that left last."""
        self.tap: Tap | None = None

    # Producer

    def begin(self, utterance: int) -> None:
        """Give the utterance its place in the order.  Idempotent."""
        if utterance not in self._utterances:
            entry = Utterance(utterance)
            self._utterances[utterance] = entry
            if self._closed:
                entry.complete = entry.over = True
            else:
                self._queue.append(entry)

    def write(self, utterance: int, pcm: Pcm) -> bool:
        """Append speech, beginning the utterance if needed.

        Returns False, and counts it, if the utterance was stopped or ended before.
        """
        self.begin(utterance)
        entry = self._utterances[utterance]
        if entry.complete:
            self.counts.discarded_samples += len(pcm)
            return False
        entry.put(pcm)
        return True

    def end(self, utterance: int) -> None:
        """No more audio follows for this utterance.  Idempotent."""
        self.begin(utterance)
        self._utterances[utterance].complete = True

    async def wait_for_room(self, utterance: int, produced_s: float) -> None:
        """Return when less than the bound of what was produced of an utterance is still unsent.

        `produced_s` is the producer's own count: audio may still be on its way here.  Returns at
        once for an utterance that was stopped, or when the line is down.  Cancelling loses nothing.
        """
        produced_samples = round(produced_s * RATE_HZ)
        while not self._closed:
            entry = self._utterances.get(utterance)
            sent_samples = entry.sent_samples if entry else 0
            if (entry and entry.over) or produced_samples - sent_samples < self._room_samples:
                return
            if entry and entry.stopped:
                return
            self._room_changed.clear()
            await self._room_changed.wait()

    async def wait_drained(self) -> None:
        """Return when no speech is waiting.  Cancelling loses nothing."""
        while self.waiting_samples:
            self._room_changed.clear()
            await self._room_changed.wait()

    def boundaries(self, utterance: int, times_s: Sequence[float]) -> None:
        """Where phones of the utterance end, in seconds of its audio; it may still have to come."""
        self.begin(utterance)
        self._utterances[utterance].add_phone_ends(times_s)

    # Clock

    def sent_s(self, utterance: int) -> float:
        """Seconds of this utterance's audio given out so far; 0 if it is unknown."""
        entry = self._utterances.get(utterance)
        return entry.sent_samples / RATE_HZ if entry else 0.0

    def heard_s(self, utterance: int) -> float:
        """Seconds of this utterance that the caller has heard, given the playout delay.

        What left before the delay counts in full, so it reaches `sent_s` once the delay has
        passed after the last sample.
        """
        entry = self._utterances.get(utterance)
        if entry is None:
            return 0.0
        horizon = self.counts.line_samples - self._delay_samples
        heard = sum(min(length, max(0, horizon - start)) for start, length in entry.runs)
        return heard / RATE_HZ

    def set_playout_delay_ms(self, delay_ms: float) -> None:
        """Set the time from here to the caller's ear; clamped to 0..2000 ms."""
        delay_ms = min(max(delay_ms, 0.0), MAX_PLAYOUT_DELAY_MS)
        self._delay_samples = round(delay_ms * RATE_HZ / 1000)

    @property
    def waiting_samples(self) -> int:
        """Speech accepted and not yet given out."""
        return sum(entry.waiting_samples for entry in self._queue)

    # Interruption

    # Each of these concerns the utterance that sounds, and it alone: where none does, nothing is
    # changed, and the next one begins at full level.

    def duck(self, db: float) -> None:
        """See `base.PlaybackClock`."""
        if (entry := self._sounding()) and not entry.stopped:
            entry.duck(db)

    def hold(self) -> None:
        """See `base.PlaybackClock`."""
        if (entry := self._sounding()) and not entry.stopped:
            entry.break_off(self._fade_samples)

    def restore(self) -> None:
        """See `base.PlaybackClock`."""
        if (entry := self._sounding()) and not entry.stopped:
            entry.restore()

    def stop(self, utterance: int) -> float:
        """Fade out and drop the rest of this utterance; returns how much of it is heard in all.

        That is what has left, for no packet can be called back from the caller's buffer, what
        leaves up to the next phone boundary, and the louder half of the fade.  Idempotent.  The
        faded samples still leave and count as sent.  What is held ends where it is.  Later audio
        of the utterance is discarded, also if nothing of it was written yet.
        """
        self.begin(utterance)
        entry = self._utterances[utterance]
        if entry.heard_in_all_s is None:
            self.counts.dropped_samples += entry.stop(self._fade_samples)
            self._room_changed.set()
        assert entry.heard_in_all_s is not None
        return entry.heard_in_all_s

    def stop_all(self) -> None:
        """Stop every utterance that is waiting or sounding."""
        for entry in list(self._queue):
            self.stop(entry.number)

    def close(self) -> None:
        """The line is down: nothing leaves any more, later writes are discarded."""
        self.stop_all()
        for entry in self._queue:
            self.counts.dropped_samples += entry.waiting_samples
            entry.waiting.clear()
            entry.waiting_samples = 0
            self._report_ended(entry)
        self._queue.clear()
        self._closed = True
        self._room_changed.set()

    # Consumer

    def next_frame(self) -> Pcm:
        """Return the next 20 ms, int16[960]; these samples count as sent."""
        frame = np.zeros(FRAME_SAMPLES, np.int16)
        filled = 0
        while self._queue:
            entry = self._queue[0]
            if filled < FRAME_SAMPLES and self._may_sound(entry):
                if not entry.sent_samples:
                    self._events.append(Started(entry.number))
                run = entry.take(FRAME_SAMPLES - filled)
                frame[filled : filled + len(run)] = run
                self._count_sent(entry, self.counts.line_samples + filled, len(run))
                filled += len(run)
            if not entry.complete or entry.waiting_samples:
                break
            self._report_ended(entry)
            self._queue.popleft()
        if filled < FRAME_SAMPLES:
            self._count_underrun()
        self.level_dbfs = _level_dbfs(frame) if filled else SILENT_DBFS
        self.counts.line_samples += FRAME_SAMPLES
        self._room_changed.set()
        if self.tap is not None:
            self.tap(frame)
        return frame

    def take_events(self) -> Iterator[Started | Ended]:
        """Give each event once, in order."""
        while self._events:
            yield self._events.popleft()

    def _sounding(self) -> Utterance | None:
        """The utterance whose turn it is, if anything of it has left."""
        entry = self._queue[0] if self._queue else None
        return entry if entry and entry.sent_samples else None

    def _may_sound(self, entry: Utterance) -> bool:
        if not entry.waiting_samples or entry.broken:
            return False
        return not entry.starved or entry.complete or entry.waiting_samples >= FRAME_SAMPLES

    def _count_underrun(self) -> None:
        entry = self._queue[0] if self._queue else None
        if entry and not entry.starved and not entry.broken:
            entry.starved = True
            self.counts.underruns += 1

    def _count_sent(self, entry: Utterance, position: int, count: int) -> None:
        if entry.runs and sum(entry.runs[-1]) == position:
            entry.runs[-1][1] += count
        else:
            entry.runs.append([position, count])
        entry.starved = False
        self.counts.speech_samples += count

    def _report_ended(self, entry: Utterance) -> None:
        entry.complete = entry.over = True
        self._events.append(Ended(entry.number, entry.sent_samples, entry.stopped))


def _level_dbfs(frame: Pcm) -> float:
    sound = frame.astype(np.float32)
    power = float(np.dot(sound, sound)) / FRAME_SAMPLES
    return max(SILENT_DBFS, 10 * math.log10(power / 32768**2)) if power else SILENT_DBFS
