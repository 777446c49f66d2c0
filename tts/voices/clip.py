"""A reference clip: read from a file of any kind, and everything that is wrong with it.

In: the path of a file from a stranger.  Out: mono samples at the file's own rate and a list of
findings, each a sentence with what was measured and what is allowed.  No more than `READ_S` of
sound are ever decoded.  Formats are those of libsndfile: WAV, FLAC, MP3, Ogg, Opus, AIFF and more.
Blocking; any thread.
"""

import math
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray

from tts.audio.denoise import denoise
from tts.audio.quality import Speech, clipped_share, hear_speech
from tts.audio.reference import CONTENT_RATE_HZ
from tts.voices.errors import ClipRefused

SHORTEST_S, LONGEST_S = 3.0, 10.0
"""What the models take, counted in samples at 16 kHz; the reference project refuses others."""

MIN_RATE_HZ, MAX_RATE_HZ = 16_000, 192_000
MAX_CHANNELS = 8
MAX_FILE_BYTES = 64 << 20
READ_S = 15.0
"""Longer clips are refused without being decoded further."""

MANY_CLIPPED, SOME_CLIPPED = 0.05, 0.001
"""Share of clipped samples that refuses, and that warns; clean speech has less than 0.0002."""
LITTLE_SPEECH, SOME_SPEECH = 0.3, 0.6
"""Share of speech below which a clip is refused, and warned about; read speech has 0.75 to 0.95."""
NOISY_DB, AUDIBLE_NOISE_DB = 8.0, 18.0
"""Signal to noise below which a clip is refused, and warned about; a quiet room gives 20 to 35."""
INAUDIBLE_DB, QUIET_DB = -60.0, -40.0
"""Level of the speech below which a clip is refused, and warned about; -25 is usual."""

_SILENT_PEAK = 1e-4
_HEAD_BYTES = 16
_DAY_S = 86_400.0

# First bytes of files that people take for recordings.
_FOREIGN = (
    (b"PK\x03\x04", 0, "a zip archive"),
    (b"ftyp", 4, "an MP4 file (video, or sound as AAC)"),
    (b"\x1aE\xdf\xa3", 0, "a Matroska or WebM file"),
    (b"AVI ", 8, "an AVI video"),
    (b"\x89PNG", 0, "a picture"),
    (b"\xff\xd8\xff", 0, "a picture"),
    (b"%PDF", 0, "a PDF document"),
    (b"0&\xb2u", 0, "a Windows Media file"),
)
_READABLE = "WAV, FLAC, MP3, Ogg and AIFF are read; convert it to WAV first"


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording as it is heard."""

    samples: NDArray[np.float32]
    """Mono [N], the mean of the file's channels, about -1..1."""
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a clip."""

    level: Literal["error", "warning"]
    """Errors refuse the clip, warnings say what would sound better."""
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A clip and what was found."""

    name: str
    clip: Clip | None
    """None when there is nothing to hear."""
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """Why it is refused; empty when it is not."""
        return tuple(one.message for one in self.findings if one.level == "error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What would sound better."""
        return tuple(one.message for one in self.findings if one.level == "warning")


def check_clip(path: Path, *, denoised: bool = False) -> Checked:
    """Read a file and say all that is wrong with it; raises nothing for any file.

    `denoised`: take the noise out first, and judge what is left.  Raises `ImportError` then, where
    RNNoise is not installed.
    """
    try:
        samples, rate_hz, claimed_s = _read(path)
    except _Unreadable as unreadable:
        return Checked(path.name, None, (Finding("error", str(unreadable)),))
    if not np.isfinite(samples).all():
        bad = samples.size - int(np.count_nonzero(np.isfinite(samples)))
        message = f"{bad} of its {samples.size} samples are NaN or infinite; none may be"
        return Checked(path.name, None, (Finding("error", message),))
    mono = samples.mean(axis=1, dtype=np.float32)
    clip = Clip(denoise(mono, rate_hz) if denoised else mono, rate_hz)
    findings = [
        *_findings_of_form(samples, rate_hz, claimed_s),
        *_findings_of_sound(clip),
    ]
    return Checked(path.name, clip, tuple(findings))


def suffix_of(path: Path) -> str:
    """How the name of such a file should end, by what is in it; empty for what cannot be read."""
    try:
        with open(path, "rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            name = str(sound.format).lower()
    except (OSError, soundfile.SoundFileError, TypeError, ValueError, OverflowError):
        return ""
    return ".wav" if name == "wavex" else f".{name}"


def accepted(checked: Sequence[Checked]) -> list[Clip]:
    """The clips of several checks.  Raises `ClipRefused` with every error of every clip."""
    errors = [f"{one.name}: {error}" for one in checked for error in one.errors]
    if errors:
        raise ClipRefused("\n".join(errors))
    return [one.clip for one in checked if one.clip is not None]


class _Unreadable(Exception):
    """There are no samples to judge."""


def _read(path: Path) -> tuple[NDArray[np.float32], int, float]:
    """Samples [N, C], their rate, and the seconds that the file claims to have."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _Unreadable("is not a file but a folder or a device")
        if about.st_size == 0:
            raise _Unreadable("is an empty file")
        if about.st_size > MAX_FILE_BYTES:
            raise _Unreadable(
                f"has {about.st_size / 2**20:.0f} MiB; at most {MAX_FILE_BYTES >> 20} are allowed"
            )
        return _decode(descriptor)
    finally:
        os.close(descriptor)


def _decode(descriptor: int) -> tuple[NDArray[np.float32], int, float]:
    # By its descriptor: by name, soundfile would take "clip.raw" for headerless samples.
    try:
        with soundfile.SoundFile(descriptor, closefd=False) as file:
            rate_hz, channels, claimed = file.samplerate, file.channels, file.frames
            if not 0 < rate_hz <= MAX_RATE_HZ:
                raise _Unreadable(
                    f"has {rate_hz} samples a second; {MIN_RATE_HZ} to {MAX_RATE_HZ} are allowed"
                )
            if channels > MAX_CHANNELS:
                raise _Unreadable(f"has {channels} channels; at most {MAX_CHANNELS} are allowed")
            samples = file.read(int(READ_S * rate_hz), dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError, ValueError, OverflowError) as error:
        raise _Unreadable(_what_is(os.pread(descriptor, _HEAD_BYTES, 0))) from error
    if len(samples) == 0:
        raise _Unreadable("holds no samples")
    return samples, rate_hz, claimed / rate_hz


def _what_is(head: bytes) -> str:
    for mark, at, name in _FOREIGN:
        if head[at : at + len(mark)] == mark:
            return f"is {name}; {_READABLE}"
    return f"is no sound file that can be read, or a damaged one; {_READABLE}"


def _findings_of_form(
    samples: NDArray[np.float32], rate_hz: int, claimed_s: float
) -> Iterator[Finding]:
    """Duration, rate and channels."""
    heard_s = math.ceil(len(samples) * CONTENT_RATE_HZ / rate_hz) / CONTENT_RATE_HZ
    if not SHORTEST_S <= heard_s <= LONGEST_S:
        shown = f"{heard_s:.3f} s"
        if heard_s >= READ_S:
            shown = f"{claimed_s:.0f} s" if claimed_s < _DAY_S else f"more than {READ_S:.0f} s"
        yield Finding("error", f"lasts {shown}; {SHORTEST_S:.0f} to {LONGEST_S:.0f} s are allowed")
    if rate_hz < MIN_RATE_HZ:
        yield Finding("error", f"has {rate_hz} samples a second; at least {MIN_RATE_HZ} are needed")
    channels = samples.shape[1]
    if channels > 1:
        yield Finding("warning", f"has {channels} channels; their mean is used, one is best")


def _findings_of_sound(clip: Clip) -> Iterator[Finding]:
    """Level, clipping, speech and noise."""
    peak = float(np.abs(clip.samples).max())
    if peak < _SILENT_PEAK:
        yield Finding("error", "is silent; somebody has to speak in it")
        return
    clipped = clipped_share(clip.samples)
    if clipped > SOME_CLIPPED:
        yield Finding(
            "error" if clipped > MANY_CLIPPED else "warning",
            f"is overdriven: {clipped:.1%} of its samples are clipped, at most"
            f" {MANY_CLIPPED:.0%} are allowed and {SOME_CLIPPED:.1%} are good; record it softer",
        )
    if len(clip.samples) * 1000 < clip.rate_hz * 100:
        return  # too short to hear anything in it
    yield from _findings_of_speech(hear_speech(clip.samples, clip.rate_hz))


def _findings_of_speech(speech: Speech) -> Iterator[Finding]:
    if speech.share < SOME_SPEECH:
        yield Finding(
            "error" if speech.share < LITTLE_SPEECH else "warning",
            f"has speech in {speech.share:.0%} of its time; at least {LITTLE_SPEECH:.0%} is needed"
            f" and {SOME_SPEECH:.0%} is good: cut the pauses, or choose one without music",
        )
    if speech.share == 0:
        return
    if speech.level_db < QUIET_DB:
        yield Finding(
            "error" if speech.level_db < INAUDIBLE_DB else "warning",
            f"is too quiet: its speech lies at {speech.level_db:.0f} dBFS, at least"
            f" {INAUDIBLE_DB:.0f} is needed and {QUIET_DB:.0f} is good; record it louder",
        )
    if speech.snr_db < AUDIBLE_NOISE_DB:
        yield Finding(
            "error" if speech.snr_db < NOISY_DB else "warning",
            f"is noisy: speech lies {speech.snr_db:.0f} dB above its pauses, at least"
            f" {NOISY_DB:.0f} is needed and {AUDIBLE_NOISE_DB:.0f} is good; record it in a quiet"
            " room, or set `denoise = true` in voice.toml",
        )
