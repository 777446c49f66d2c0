"""Opus and sample-rate conversion for one stream of mono speech, frame by frame.

In: int16 samples or Opus packets.  Out: the other.  Knows nothing about networks, clocks or calls.
An object serves one direction of one call, from one thread.  Measured on one core of a small
server: encoding 20 ms takes 0.20 ms, decoding 0.06 ms, resampling 0.03 ms.  That is less than a
hop to a thread and back costs, so callers run them on the event loop.
"""

from fractions import Fraction

import av
import numpy as np
from av import AudioFrame, AudioResampler, CodecContext
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

OPUS_HZ = 48_000
OPUS_FRAME_SAMPLES = 960  # 20 ms
OPUS_BITRATE = 64_000  # Mono speech is transparent at this rate (RFC 6716 section 2.1.1).


def _frame(pcm: Pcm, rate_hz: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(pcm[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = rate_hz
    return frame


class StreamResampler:
    """Mono int16 from one rate to another, in pieces of any length.

    The output lags by at most 2 ms (half of a 32-tap filter at the lower rate), and `flush` gives
    the rest, so that n samples in become exactly `round(n * to_hz / from_hz)` out, give or take
    one.  Equal rates pass through.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._resampler = (
            None if from_hz == to_hz else AudioResampler(format="s16", layout="mono", rate=to_hz)
        )
        self._fed = False

    def feed(self, pcm: Pcm) -> Pcm:
        """Return what is ready after these samples."""
        if self._resampler is None or not len(pcm):
            return pcm
        self._fed = True
        return _joined(self._resampler.resample(_frame(pcm, self.from_hz)))

    def flush(self) -> Pcm:
        """Return what the filter still holds.  The object is used up afterwards."""
        if self._resampler is None or not self._fed:
            return np.zeros(0, np.int16)
        return _joined(self._resampler.resample(None))


def _joined(frames: list[AudioFrame]) -> Pcm:
    parts = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class OpusEncoder:
    """Mono 48 kHz int16, 20 ms at a time, to Opus packets."""

    def __init__(self) -> None:
        codec = CodecContext.create("libopus", "w")
        codec.bit_rate = OPUS_BITRATE
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = OPUS_HZ
        codec.time_base = Fraction(1, OPUS_HZ)
        codec.options = {"application": "voip"}
        self._codec = codec
        self._pts = 0

    def encode(self, pcm: Pcm) -> bytes:
        """Return the packet for `pcm`, int16[960]."""
        frame = _frame(pcm, OPUS_HZ)
        frame.pts = self._pts
        self._pts += len(pcm)
        return b"".join(bytes(packet) for packet in self._codec.encode(frame))


class OpusDecoder:
    """Opus packets, mono or stereo, to mono 48 kHz int16."""

    def __init__(self) -> None:
        codec = CodecContext.create("libopus", "r")
        codec.format = "s16"
        codec.layout = "mono"
        codec.sample_rate = OPUS_HZ
        self._codec = codec

    def decode(self, packet: bytes) -> Pcm | None:
        """Return the samples of a packet, or None if it is not Opus."""
        if not packet:  # FFmpeg would read an empty packet as the end of the stream.
            return None
        try:
            return _joined(self._codec.decode(av.Packet(packet)))
        except av.FFmpegError:
            return None
