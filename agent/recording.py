"""A call's recording: a stereo WAV, caller left, agent right, on one clock.

In: the caller's PCM without gaps, and pieces of the agent's PCM with the caller-clock sample at
which they left.  Out: a 16-bit WAV that is valid up to its last second even after a crash.  Fed
from the loop's thread; mixing and writing happen on the `FileWriter`'s thread.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from agent.writer import FileWriter

HOLD_BACK_S = 1.0
"""Agent audio may be reported this much later than the caller's audio of the same moment."""
MAX_AHEAD_S = 10.0
"""Agent audio further ahead of the caller's clock than this is dropped."""
HEADER_EVERY_S = 1.0
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_FRAME_BYTES = 4

Pcm = NDArray[np.int16]


class StereoRecording:
    """One recording.  Methods never block and never raise; pieces that come too late are lost."""

    def __init__(
        self, path: Path, writer: FileWriter, *, rate_hz: int = 16_000, agent_rate_hz: int = 0
    ) -> None:
        """`rate_hz` is the file's and the caller's rate; the agent's may differ (0: the same)."""
        self._writer = writer
        self._mixer = _Mixer(path, rate_hz, agent_rate_hz or rate_hz)
        self._caller_samples = 0
        self._closed = False
        self.lost_pieces = 0
        """Pieces the writer had no room for; the caller's are replaced by silence."""

    def write_caller(self, pcm: bytes) -> None:
        """Append the caller's next samples: mono s16le at `rate_hz`."""
        if self._closed:
            return
        at_sample = self._caller_samples
        self._caller_samples += len(pcm) // 2
        if not self._writer.post(lambda: self._mixer.add_caller(pcm, at_sample)):
            self.lost_pieces += 1

    def write_agent(self, pcm: bytes, at_sample: int) -> None:
        """Lay the agent's samples (mono s16le at `agent_rate_hz`) from `at_sample` on.

        `at_sample` counts the caller's samples, the file's one clock.
        """
        if self._closed:
            return
        if not self._writer.post(lambda: self._mixer.add_agent(pcm, at_sample)):
            self.lost_pieces += 1

    async def close(self) -> None:
        """Write the rest and the final header.  Idempotent."""
        if not self._closed:
            self._closed = True
            await self._writer.finish(self._mixer.close)


class _Mixer:
    """Both channels side by side; lives on the writer's thread."""

    def __init__(self, path: Path, rate_hz: int, agent_rate_hz: int) -> None:
        self._path = path
        self._rate_hz = rate_hz
        self._agent_rate_hz = agent_rate_hz
        self._file: BinaryIO | None = None
        self._written = 0  # stereo frames in the file
        self._header_at = 0
        self._waiting = np.zeros((0, 2), dtype=np.int16)  # frames from `_written` on
        self._caller_end = 0
        self._agent_end = 0
        self._resampler: soxr.ResampleStream | None = None
        self._resampler_in = 0

    def add_caller(self, pcm: bytes, at_sample: int) -> None:
        samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
        self._lay(samples, at_sample, channel=0)
        self._caller_end = at_sample + len(samples)
        ready = self._caller_end - self._written - int(HOLD_BACK_S * self._rate_hz)
        if ready > 0:
            self._flush(ready)

    def add_agent(self, pcm: bytes, at_sample: int) -> None:
        samples = np.frombuffer(pcm, dtype="<i2", count=len(pcm) // 2)
        if self._agent_rate_hz == self._rate_hz:
            self._lay_agent(samples, at_sample)
            return
        if self._resampler is None or abs(at_sample - self._resampler_in) > self._rate_hz // 50:
            self._finish_run()
            self._resampler = soxr.ResampleStream(
                self._agent_rate_hz, self._rate_hz, 1, dtype="int16"
            )
            self._resampler_in = self._agent_end = at_sample
        self._resampler_in += len(samples) * self._rate_hz // self._agent_rate_hz
        self._lay_agent(self._resampler.resample_chunk(samples), self._agent_end)

    def close(self) -> None:
        self._finish_run()
        self._flush(max(self._caller_end, min(self._agent_end, self._limit())) - self._written)
        if self._file is not None:
            self._write_header()
            self._file.close()

    def _limit(self) -> int:
        return self._caller_end + int(MAX_AHEAD_S * self._rate_hz)

    def _finish_run(self) -> None:
        """Lay what the filter still holds; one filter runs through adjoining pieces, so that
        their joints are not heard."""
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.zeros(0, dtype=np.int16), last=True)
            self._lay_agent(rest, self._agent_end)
            self._resampler = None

    def _lay_agent(self, samples: Pcm, at_sample: int) -> None:
        self._lay(samples, at_sample, channel=1)
        self._agent_end = at_sample + len(samples)

    def _lay(self, samples: Pcm, at_sample: int, channel: int) -> None:
        late = max(0, self._written - at_sample)
        samples = samples[late : max(late, self._limit() - at_sample)] if channel else samples
        if len(samples) == 0:
            return
        start = max(at_sample, self._written) - self._written
        missing = start + len(samples) - len(self._waiting)
        if missing > 0:
            self._waiting = np.vstack([self._waiting, np.zeros((missing, 2), dtype=np.int16)])
        self._waiting[start : start + len(samples), channel] = samples

    def _flush(self, frames: int) -> None:
        frames = min(frames, len(self._waiting))
        if frames <= 0:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
            self._write_header()
        self._file.write(self._waiting[:frames].astype("<i2").tobytes())
        self._waiting = self._waiting[frames:]
        self._written += frames
        if self._written - self._header_at >= HEADER_EVERY_S * self._rate_hz:
            self._write_header()

    def _write_header(self) -> None:
        """Write the sizes as they are now, so that a crash leaves a file that plays."""
        assert self._file is not None
        size = min(self._written * _FRAME_BYTES, 0xFFFFFFFF - _HEADER.size)
        rate = self._rate_hz
        self._file.seek(0)
        self._file.write(
            _HEADER.pack(
                b"RIFF", size + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, 2, rate,
                rate * _FRAME_BYTES, _FRAME_BYTES, 16, b"data", size,
            )
        )  # fmt: skip
        self._file.seek(0, 2)
        self._file.flush()
        self._header_at = self._written
