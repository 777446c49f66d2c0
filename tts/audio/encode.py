"""Audio into a file format, piece by piece, so that it can be heard while it is made.

In: mono signed 16-bit little-endian PCM.  Out: bytes of one file, the first of them as soon as the
format allows: its header at once where it has one, and each frame (20 to 72 ms) when it is full.
Knows nothing of requests or wires.  One encoder belongs to one stream.  Unless it `is_cheap` its
methods compute, about 1 % of the audio's length on one core: call them in a thread.

Nothing can be written again once it was sent, so no file tells its length in front.
"""

import struct
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer

AudioFormat = Literal["wav", "mp3", "opus", "ogg", "aac", "flac", "pcm"]
AUDIO_FORMATS: tuple[AudioFormat, ...] = get_args(AudioFormat)

BYTES_PER_SAMPLE = 2
_UNKNOWN_LENGTH = 0xFFFFFFFF
_FLAC_FRAME_S = 0.02


@dataclass(frozen=True, slots=True)
class _Coding:
    """A format that libav writes: which container, which codec, how."""

    container: str
    codec: str
    rates_hz: tuple[int, ...]
    """Sample rates there are, rising; empty: any."""
    container_options: dict[str, str] = field(default_factory=dict)
    codec_options: dict[str, str] = field(default_factory=dict)


# A page for each packet: libav would otherwise collect a second of them.
_OPUS = _Coding(
    "ogg",
    "libopus",
    (8000, 12000, 16000, 24000, 48000),
    # Otherwise the stream has a random number: the same audio would be another file each time.
    {"page_duration": "20000", "fflags": "+bitexact"},
    {"b": "48000"},
)
_CODINGS: dict[str, _Coding] = {
    "mp3": _Coding(
        "mp3",
        "libmp3lame",
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
        # Xing's header stands in front and tells the length; ID3 would only repeat who encoded.
        {"write_xing": "0", "id3v2_version": "0"},
        # Without the reservoir a frame can be decoded as soon as it is there.
        {"b": "64000", "reservoir": "0"},
    ),
    "opus": _OPUS,
    "ogg": _OPUS,
    "aac": _Coding(
        "adts",
        "aac",
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
        {},
        {"b": "64000"},
    ),
    "flac": _Coding("flac", "flac", (), {"metadata_header_padding": "0"}),
}
_CONTENT_TYPES: dict[str, str] = {
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "pcm": "audio/pcm",
}


def content_type(format: str) -> str:
    """What HTTP calls a format.  Raises `ValueError` for one that there is not."""
    _check_format(format)
    return _CONTENT_TYPES[format]


def file_rate_hz(format: str, from_rate_hz: int) -> int:
    """The rate at which a format keeps audio of another: the next it has, or else its highest.

    Raises `ValueError` for a format that there is not.
    """
    _check_format(format)
    rates_hz = _CODINGS[format].rates_hz if format in _CODINGS else ()
    if not rates_hz:
        return from_rate_hz
    return next((rate_hz for rate_hz in rates_hz if rate_hz >= from_rate_hz), rates_hz[-1])


def wav_header(rate_hz: int, samples: int | None = None) -> bytes:
    """What a WAV file of mono 16-bit PCM begins with.

    Without `samples` both sizes are 0xFFFFFFFF, "until the end", as ffmpeg writes to a pipe; too
    long a file (over 4 GB) has the same.
    """
    data_bytes = _UNKNOWN_LENGTH if samples is None else samples * BYTES_PER_SAMPLE
    riff_bytes = min(36 + data_bytes, _UNKNOWN_LENGTH)
    fmt = struct.pack(
        "<IHHIIHH", 16, 1, 1, rate_hz, rate_hz * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 16
    )
    return (
        b"RIFF"
        + struct.pack("<I", riff_bytes)
        + b"WAVEfmt "
        + fmt
        + b"data"
        + struct.pack("<I", min(data_bytes, _UNKNOWN_LENGTH))
    )


class Encoder:
    """One file in the making."""

    def __init__(self, format: str, *, from_rate_hz: int, to_rate_hz: int | None = None) -> None:
        """`to_rate_hz` is the file's rate; without: see `file_rate_hz`.

        Raises `ValueError` for a format or a rate that there is not.
        """
        self.rate_hz = to_rate_hz or file_rate_hz(format, from_rate_hz)
        """The file's sample rate."""
        _check_rate(format, self.rate_hz)
        self.is_cheap = format not in _CODINGS and self.rate_hz == from_rate_hz
        """Whether there is nothing to compute."""
        self._file: _Plain | _Coded = (
            _Coded(_CODINGS[format], from_rate_hz, self.rate_hz)
            if format in _CODINGS
            else _Plain(format, from_rate_hz, self.rate_hz)
        )

    def feed(self, pcm: bytes) -> bytes:
        """The bytes that became certain with more audio; maybe none."""
        return self._file.feed(pcm)

    def flush(self) -> bytes:
        """The rest of the file; nothing may be fed afterwards."""
        return self._file.flush()


class _Plain:
    """Samples as they are, maybe at another rate, maybe with a header in front."""

    def __init__(self, format: str, from_rate_hz: int, to_rate_hz: int) -> None:
        self._header = wav_header(to_rate_hz) if format == "wav" else b""
        self._frames = _Frames(from_rate_hz)
        # libswresample holds back half a millisecond; soxr, which `tts.audio.resample` takes, up
        # to 0.12 s, too much for a first packet.
        self._resampler = (
            AudioResampler("s16", "mono", to_rate_hz) if to_rate_hz != from_rate_hz else None
        )

    def feed(self, pcm: bytes) -> bytes:
        if self._resampler is None or not pcm:
            return self._with_header(pcm)
        return self._with_header(_samples(self._resampler.resample(self._frames.frame(pcm))))

    def flush(self) -> bytes:
        rest = b""
        if self._resampler is not None and self._frames.samples:
            rest = _samples(self._resampler.resample(None))
        return self._with_header(rest)

    def _with_header(self, data: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + data


class _Coded:
    """A file that libav writes; a stream that is dropped half way needs no end."""

    def __init__(self, coding: _Coding, from_rate_hz: int, to_rate_hz: int) -> None:
        self._sink = _Sink()
        self._frames = _Frames(from_rate_hz)
        self._container: OutputContainer = av.open(
            cast(str, self._sink),  # a file-like object is allowed; the stubs know paths only
            "w",
            format=coding.container,
            container_options={"flush_packets": "1", **coding.container_options},
        )
        options = dict(coding.codec_options)
        if coding.codec == "flac":
            options["frame_size"] = str(max(16, round(to_rate_hz * _FLAC_FRAME_S)))
        self._stream = cast(
            AudioStream, self._container.add_stream(coding.codec, to_rate_hz, options=options)
        )
        self._stream.layout = "mono"

    def feed(self, pcm: bytes) -> bytes:
        if pcm:
            for packet in self._stream.encode(self._frames.frame(pcm)):
                self._container.mux(packet)
        return self._sink.take()

    def flush(self) -> bytes:
        for packet in self._stream.encode(None):
            self._container.mux(packet)
        self._container.close()
        return self._sink.take()


class _Frames:
    """PCM as libav takes it: each piece with the time it begins at."""

    def __init__(self, rate_hz: int) -> None:
        self.samples = 0
        self._rate_hz = rate_hz

    def frame(self, pcm: bytes) -> av.AudioFrame:
        samples = np.frombuffer(pcm, "<i2").astype(np.int16, copy=False)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        frame.pts = self.samples
        self.samples += len(samples)
        return frame


class _Sink:
    """A file that can only be written to the end; what was written is taken from it."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _samples(frames: list[av.AudioFrame]) -> bytes:
    return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in frames)


def _check_format(format: str) -> None:
    if format not in AUDIO_FORMATS:
        raise ValueError(f"format {format!r}: there are {', '.join(AUDIO_FORMATS)}")


def _check_rate(format: str, rate_hz: int) -> None:
    rates_hz = _CODINGS[format].rates_hz if format in _CODINGS else ()
    if rates_hz and rate_hz not in rates_hz:
        raise ValueError(
            f"{format} at {rate_hz} Hz: there are {', '.join(str(rate) for rate in rates_hz)}"
        )
