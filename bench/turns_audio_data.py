"""Callers' turns as sound, with the pauses in them known to 10 ms: for `bench.turns_audio`.

Out: `Clip`s of mono 16 kHz sound, each a turn with silence before, within and after it.  Human
recordings lie in `bench/data/human`; the sentences of `bench/data/turns_{en,zh}.txt` are spoken by
hibari, flite and espeak-ng, and by Kokoro, where these are installed.  Holds are put in by
opening the sound between two words ("/" in the sentences) and laying silence in; their lengths
are drawn from the distribution that eot-bench publishes for English calls.  Room noise runs through
the whole clip, so that no hold is quieter than what is around it.  Made the same way on every run.
Each sentence belongs to the half that `bench.stt_data.half` gives it.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import soxr

from bench import stt_data
from bench.stt_data import DATA, RATE_HZ, Audio
from tts.engine.types import Engine, NoHurry, Piece, Work
from tts.light.hibari import HibariEngine
from tts.light.kokoro import KokoroEngine
from tts.text.feed import TextFeed
from tts.types import Mark, SynthesisRequest

LEAD_S = 0.6
TAIL_S = 4.0
_FLOOR_DBFS = -66.0
"""A quiet room."""
_FADE_SAMPLES = RATE_HZ // 200
_VOICED_DB = -32.0
"""What is quieter than the loudest of a clip by more than this is no voice."""
_HOLD_QUANTILES = ((0.0, 0.2), (0.444, 0.3), (0.783, 0.6), (0.9, 1.0), (0.95, 1.6), (1.0, 3.0))
"""Share of eot-bench's English holds that are shorter than so many seconds (its report for plain
VAD: 55.6 % false cut-offs at 300 ms, 21.7 % at 600, 10 % at 1000, 5 % at 1600)."""
_CONDITIONS = ("clean", "noise_20db", "babble_15db", "phone", "noise_12db")


@dataclass(frozen=True, slots=True)
class Hold:
    """A pause within a turn; times are the clip's."""

    start_s: float
    """End of the voice before it."""
    end_s: float
    """Start of the voice after it."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One turn of a caller."""

    name: str
    language: str
    speaker: str
    condition: str
    said: str
    """What the agent had asked."""
    text: str
    audio: Audio
    start_s: float
    holds: tuple[Hold, ...]
    end_s: float
    """End of the last voice."""


def clips(half: str, *, quick: bool = False) -> list[Clip]:
    """The turns of a half: human recordings, and every sentence in several voices and rooms."""
    made = [*_human(half, quick), *_spoken("en", half, quick)]
    if _voices("zh"):
        made += _spoken("zh", half, quick)
    return made


# Human recordings


def _human(half: str, quick: bool) -> Iterator[Clip]:
    for recorded in stt_data.human():
        if recorded.half != half:
            continue
        voiced = _trimmed(recorded.audio)
        gaps = _quiet_places(voiced)
        for condition in ("clean",) if quick else ("clean", "phone", "noise_20db"):
            yield laid_out(
                f"{recorded.name}/{condition}", "en", "human", condition, "", recorded.text, voiced,
                gaps,
            )  # fmt: skip


def _quiet_places(audio: Audio, apart_s: float = 0.7) -> list[int]:
    """Samples at which a recording may be opened: its quietest moments, not near its ends."""
    loudness = _loudness(audio)
    places: list[int] = []
    for frame in np.argsort(loudness, kind="stable"):
        at = int(frame) * RATE_HZ // 100
        inside = 0.4 * RATE_HZ < at < len(audio) - 0.4 * RATE_HZ
        if not inside or loudness[frame] > -18:
            continue
        if all(abs(at - other) > apart_s * RATE_HZ for other in places):
            places.append(at)
        if len(places) == 3:
            break
    return sorted(places)


# Synthetic speech


def _spoken(language: str, half: str, quick: bool) -> Iterator[Clip]:
    lines = (DATA / f"turns_{language}.txt").read_text("utf-8").splitlines()
    voices = _voices(language)
    for number, line in enumerate(lines):
        said, marked = (part.strip() for part in line.split(" | "))
        parts = tuple(part.strip() for part in marked.split("/"))
        text = (" " if language == "en" else "").join(parts)
        if stt_data.half(text) != half or (quick and number % 4):
            continue
        for take in range(1 if quick else 4):
            voice = voices[(number + take) % len(voices)]
            condition = _CONDITIONS[(number + 2 * take) % len(_CONDITIONS)]
            audio, gaps = speak(voice, language, parts, seed=number)
            name = f"{language}{number:02}/{take}"
            yield laid_out(name, language, voice, condition, said, text, audio, gaps)


@cache
def _voices(language: str) -> tuple[str, ...]:
    if language == "zh":
        try:
            return ("kokoro",) if "zh" in _engine("kokoro").voices[0].languages else ()
        except ImportError:
            return ()
    voices = ["hibari", "hibari:1.15"]
    voices += ["flite:slt", "flite:rms"] if shutil.which("flite") else []
    voices += ["espeak-ng:en-gb"] if shutil.which("espeak-ng") else []
    return tuple(voices)


def speaks(language: str, voice: str = "") -> bool:
    """Whether there is a voice for a language, or this one."""
    voices = _voices(language)
    return voice in voices if voice else bool(voices)


@cache
def _engine(name: str) -> Engine:
    return HibariEngine(threads=1) if name == "hibari" else KokoroEngine(threads=1)


@cache
def speak(
    voice: str, language: str, parts: tuple[str, ...], seed: int = 0
) -> tuple[Audio, list[int]]:
    """The parts as one utterance, and the samples at which each but the first begins."""
    space = " " if language == "en" else ""
    text = space.join(parts)
    program = voice.partition(":")[0]
    if program in ("flite", "espeak-ng"):
        audio = _trimmed(stt_data.spoken_by_command(voice, text))
        return audio, _gaps_by_length(audio, parts)
    speed = float(voice.partition(":")[2] or 1.0)
    audio, marks = synthesise(program, language, text, speed=speed, seed=seed)
    gaps, chars = [], 0
    for part in parts[:-1]:
        chars += len(part)
        before = [mark for mark in marks if mark.text_end <= chars]
        after = [mark for mark in marks if mark.text_start >= chars]
        chars += len(space)
        if before and after:
            middle_s = (before[-1].end_s + after[0].start_s) / 2
            gaps.append(_quietest_near(audio, int(middle_s * RATE_HZ), 0.06))
    return audio, gaps


@cache
def synthesise(
    engine: str, language: str, text: str, *, speed: float = 1.0, seed: int = 0
) -> tuple[Audio, tuple[Mark, ...]]:
    """A text in a light voice: 16 kHz, and when its words are said."""
    voices = _engine(engine).voices
    voice = voices[seed % len(voices)]
    request = SynthesisRequest(text, voice.id, language, speed=speed)
    samples: list[Audio] = []
    marks: list[Mark] = []
    for step in _engine(engine).speak(request, TextFeed.of(text), NoHurry()):
        if isinstance(step, Work):
            step.run([step])
        elif isinstance(step, Piece):
            samples.append(step.samples)
            marks += step.marks
    sound = np.concatenate(samples)
    sound = np.asarray(soxr.resample(sound, voice.sample_rate_hz, RATE_HZ), np.float32)
    return sound * np.float32(0.25 / max(1e-6, np.abs(sound).max())), tuple(marks)


def _gaps_by_length(audio: Audio, parts: Sequence[str]) -> list[int]:
    """Where parts begin in speech without word times: by their share of the letters, and then at
    the quietest moment near."""
    lengths = np.cumsum([len(part) for part in parts])
    return [
        _quietest_near(audio, int(len(audio) * length / lengths[-1]), 0.25)
        for length in lengths[:-1]
    ]


def _quietest_near(audio: Audio, at: int, within_s: float) -> int:
    first = max(0, at - int(within_s * RATE_HZ))
    loudness = _loudness(audio[first : at + int(within_s * RATE_HZ)])
    return first + int(np.argmin(loudness)) * RATE_HZ // 100


# Laying out


def laid_out(
    name: str,
    language: str,
    speaker: str,
    condition: str,
    said: str,
    text: str,
    voiced: Audio,
    gaps: Sequence[int],
) -> Clip:
    """Silence, the speech with its holds, silence; all of it in the condition's noise."""
    random = stt_data.random_of(name, "holds")
    lead = int(LEAD_S * RATE_HZ)
    parts: list[Audio] = [np.zeros(lead, np.float32)]
    edges: list[tuple[int, int]] = []  # of voice, in samples of the clip
    at = lead
    for first, last in pairwise((0, *gaps, len(voiced))):
        part = _faded(voiced[first:last])
        begins, ends = _voiced_span(part, voiced)
        edges.append((at + begins, at + ends))
        silent = int(_hold_s(random) * RATE_HZ) if last < len(voiced) else int(TAIL_S * RATE_HZ)
        parts += [part, np.zeros(silent, np.float32)]
        at += len(part) + silent
    audio = _in_room(np.concatenate(parts), condition, name)
    holds = tuple(
        Hold(before[1] / RATE_HZ, after[0] / RATE_HZ) for before, after in pairwise(edges)
    )
    start_s, end_s = edges[0][0] / RATE_HZ, edges[-1][1] / RATE_HZ
    return Clip(name, language, speaker, condition, said, text, audio, start_s, holds, end_s)


def _hold_s(random: np.random.Generator) -> float:
    shares, lengths_s = zip(*_HOLD_QUANTILES, strict=True)
    return float(np.interp(random.random(), shares, lengths_s))


def _in_room(audio: Audio, condition: str, name: str) -> Audio:
    random = stt_data.random_of(name, condition)
    floor = stt_data.pink(len(audio), random)
    floor *= np.float32(10 ** (_FLOOR_DBFS / 20) / np.sqrt(np.mean(floor**2)))
    audio = audio + floor
    if condition.startswith("noise"):
        noise = stt_data.pink(len(audio), random)
        audio = stt_data.mixed(audio, noise, float(condition[6:-2]))
    elif condition.startswith("babble"):
        crowd = np.resize(np.roll(_crowd(), int(random.integers(RATE_HZ * 20))), len(audio))
        audio = stt_data.mixed(audio, crowd, float(condition[7:-2]))
    elif condition == "phone":
        audio = stt_data.telephone(audio)
    return np.clip(audio, -1, 1).astype(np.float32)


@cache
def _crowd() -> Audio:
    return stt_data.babble()


def _loudness(audio: Audio) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each 10 ms, over 30 ms around it, in dB against the loudest."""
    frame = RATE_HZ // 100
    power = np.square(audio[: len(audio) // frame * frame], dtype=np.float64)
    frames = power.reshape(-1, frame).mean(axis=1) + 1e-12
    smooth = np.convolve(frames, np.ones(3) / 3, mode="same")
    return np.asarray(10 * np.log10(smooth / smooth.max()))


def _voiced_span(part: Audio, whole: Audio) -> tuple[int, int]:
    """First and last voiced sample of a part, by the loudness of the whole."""
    frame = RATE_HZ // 100
    loudest = np.square(whole[: len(whole) // frame * frame].reshape(-1, frame)).mean(axis=1).max()
    frames = np.square(part[: len(part) // frame * frame].reshape(-1, frame)).mean(axis=1)
    voiced = np.flatnonzero(frames > loudest * 10 ** (_VOICED_DB / 10))
    if not len(voiced):
        return 0, len(part)
    return int(voiced[0]) * frame, int(voiced[-1] + 1) * frame


def _trimmed(audio: Audio) -> Audio:
    first, last = _voiced_span(audio, audio)
    margin = RATE_HZ // 50
    return audio[max(0, first - margin) : last + margin]


def _faded(part: Audio) -> Audio:
    """Without clicks at the cuts."""
    part = part.copy()
    size = min(_FADE_SAMPLES, len(part) // 2)
    if size:
        ramp = np.linspace(0, 1, size, dtype=np.float32)
        part[:size] *= ramp
        part[-size:] *= ramp[::-1]
    return part
