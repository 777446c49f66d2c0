"""Speech and non-speech for the recogniser's bench, made the same way on every run.

Out: `Clip`s of mono 16 kHz sound with the words in them.  Human clips lie in `bench/data/human`;
synthetic ones are spoken by hibari, and by flite and espeak-ng where those are installed.  Half
of the *sentences* serve for tuning ("dev"), the other half only for reporting ("held_out"); the
rule is a hash of the sentence, fixed before anything was measured, so that no sentence is in both.
"""

import csv
import hashlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

RATE_HZ = 16_000
DATA = Path(__file__).parent / "data"
Audio = NDArray[np.float32]

CONDITIONS = ("clean", "noise_20db", "noise_10db", "babble_10db", "phone", "quiet", "room")
_FLITE_VOICES = ("rms", "slt", "awb")
_ESPEAK_VOICES = ("en-us", "en-gb", "en-us+f3")


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and the words in it; `text` is empty for what is not speech."""

    name: str
    half: Literal["dev", "held_out"]
    speaker: str
    condition: str
    text: str
    audio: Audio


def speech() -> list[Clip]:
    """Every clip with words: each human clip in three conditions, each sentence in two."""
    clips = []
    for clip in human():
        clips += [_in_condition(clip, condition) for condition in ("clean", "noise_10db", "phone")]
    crowd = babble()
    for number, clip in enumerate(_synthetic()):
        clips.append(_in_condition(clip, "clean"))
        harder = CONDITIONS[1 + number % (len(CONDITIONS) - 1)]
        clips.append(_in_condition(clip, harder, crowd))
    return clips


def cut_in_the_middle(clips: list[Clip]) -> list[Clip]:
    """What a partial transcript hears: clips over two seconds, cut off at 40 to 80 %."""
    cut = []
    for clip in clips:
        if len(clip.audio) > 2 * RATE_HZ:
            share = 0.4 + 0.4 * random_of(clip.name, "cut").random()
            end = int(len(clip.audio) * share)
            cut.append(replace(clip, name=f"{clip.name}/cut", audio=clip.audio[:end]))
    return cut


def not_speech() -> list[Clip]:
    """Silence, hum, noises, clicks, tones, chords, breath: in several lengths and levels."""
    clips = []
    for kind, make in _NOISES.items():
        for seconds in (0.4, 0.8, 1.5, 3.0, 6.0):
            for level_db in (-50, -35, -20):
                name = f"{kind}/{seconds}s/{level_db}dB"
                random = random_of(name, "noise")
                sound = _at_level(make(int(seconds * RATE_HZ), random), level_db)
                clips.append(Clip(name, half(name), kind, f"{level_db}dB", "", sound))
    return clips


def with_noise(audio: Audio, snr_db: float, seed: str) -> Audio:
    """The audio in pink noise."""
    return mixed(audio, pink(len(audio), random_of(seed)), snr_db)


def half(key: str) -> Literal["dev", "held_out"]:
    """The half that a sentence belongs to."""
    return "dev" if hashlib.sha256(key.encode()).digest()[0] % 2 else "held_out"


def random_of(*keys: str) -> np.random.Generator:
    """A generator of its own for what the keys name."""
    digest = hashlib.sha256("/".join(keys).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def human() -> Iterator[Clip]:
    """The human clips as they were recorded."""
    with (DATA / "human" / "transcripts.tsv").open(encoding="utf-8", newline="") as table:
        for name, text in csv.reader(table, delimiter="\t"):
            audio = _read_wav(DATA / "human" / f"{name}.wav")
            yield Clip(name, half(name), "human", "clean", text, audio)


def _synthetic() -> Iterator[Clip]:
    from hibari import SAMPLE_RATE, Hibari

    hibari = Hibari(threads=1)
    sentences = (DATA / "sentences_en.txt").read_text(encoding="utf-8").splitlines()
    for number, text in enumerate(sentences):
        speaker = _speaker(number)
        if speaker == "hibari":
            speed = (0.85, 1.0, 1.15)[number // 4 % 3]
            sound = np.asarray(hibari(text, speed=speed, seed=number), np.float32)
            audio = np.asarray(soxr.resample(sound, SAMPLE_RATE, RATE_HZ), np.float32)
        else:
            audio = spoken_by_command(speaker, text)
        yield Clip(f"s{number:03}", half(text), speaker, "clean", text, _framed(audio))


def _speaker(number: int) -> str:
    """Half of the sentences by hibari, the others by what is installed."""
    turn = number // 4
    if number % 4 == 1 and shutil.which("flite"):
        return f"flite:{_FLITE_VOICES[turn % len(_FLITE_VOICES)]}"
    if number % 4 == 3 and shutil.which("espeak-ng"):
        return f"espeak-ng:{_ESPEAK_VOICES[turn % len(_ESPEAK_VOICES)]}"
    return "hibari"


def spoken_by_command(speaker: str, text: str) -> Audio:
    """What "flite:VOICE" or "espeak-ng:VOICE" makes of a text, 16 kHz."""
    program, voice = speaker.split(":")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "out.wav"))
        command = {
            "flite": ["flite", "-voice", voice, "-t", text, "-o", path],
            "espeak-ng": ["espeak-ng", "-v", voice, "-s", "150", "-w", path, text],
        }[program]
        subprocess.run(command, check=True, capture_output=True)
        return _read_wav(Path(path))


def _read_wav(path: Path) -> Audio:
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        rate = file.getframerate()
    audio = pcm.astype(np.float32) / np.float32(32768)
    return np.asarray(audio if rate == RATE_HZ else soxr.resample(audio, rate, RATE_HZ), np.float32)


def _framed(audio: Audio) -> Audio:
    """Speech as the turn code hands it over: 200 ms before the first sound, 250 ms after it."""
    loud = np.flatnonzero(np.abs(audio) > 0.01)
    spoken = audio[loud[0] : loud[-1]] if len(loud) else audio
    return np.pad(spoken, (RATE_HZ // 5, RATE_HZ // 4)).astype(np.float32)


def _in_condition(clip: Clip, condition: str, babble: Audio | None = None) -> Clip:
    random = random_of(clip.name, condition)
    audio = clip.audio
    if condition.startswith("noise"):
        audio = mixed(audio, pink(len(audio), random), float(condition[6:-2]))
    elif condition.startswith("babble") and babble is not None:
        start = int(random.integers(0, len(babble) - len(audio)))
        audio = mixed(audio, babble[start : start + len(audio)], float(condition[7:-2]))
    elif condition == "phone":
        audio = telephone(audio)
    elif condition == "quiet":
        hiss = random.normal(0, 0.0005, len(audio)).astype(np.float32)
        audio = audio * np.float32(0.08) + hiss
    elif condition == "room":
        audio = _in_a_room(audio, random)
    audio = np.clip(audio, -1, 1).astype(np.float32)
    return replace(clip, name=f"{clip.name}/{condition}", condition=condition, audio=audio)


def mixed(audio: Audio, noise: Audio, snr_db: float) -> Audio:
    """The audio with noise of the same length, by the level of its voiced samples."""
    active = audio[np.abs(audio) > 0.01] if np.any(np.abs(audio) > 0.01) else audio
    gain = _rms(active) / max(_rms(noise), 1e-9) / 10 ** (snr_db / 20)
    return np.asarray(audio + gain * noise, np.float32)


def telephone(audio: Audio) -> Audio:
    """8 kHz, mu-law, and back."""
    narrow = np.clip(soxr.resample(audio, RATE_HZ, 8000), -1, 1)
    compressed = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    coded = np.round(compressed * 127) / 127
    narrow = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    return np.asarray(soxr.resample(narrow, 8000, RATE_HZ), np.float32)


def _in_a_room(audio: Audio, random: np.random.Generator) -> Audio:
    """Reverberation of 0.35 s, at a distance where direct and reflected sound are alike."""
    length = int(0.35 * RATE_HZ)
    tail = random.normal(0, 1, length) * np.exp(-6.9 * np.arange(length) / length)
    tail[0] = 0
    response = np.concatenate(([1.0], tail / np.sqrt(np.sum(tail**2))))
    size = len(audio) + len(response) - 1
    product = np.fft.rfft(audio, size) * np.fft.rfft(response, size)
    wet = np.asarray(np.fft.irfft(product, size)[: len(audio)], np.float32)
    return np.asarray(wet * _rms(audio) / max(_rms(wet), 1e-9), np.float32)


def babble() -> Audio:
    """Six synthetic voices at once, 20 s, saying what is in no sentence of the bench."""
    from hibari import SAMPLE_RATE, Hibari

    hibari = Hibari(threads=1)
    text = (
        "Down by the market they sell apples and pears. The choir sings on Sunday evening. "
        "Nobody remembered where the ladder had gone. A grey cat slept under the wagon all day. "
        "Old maps often show rivers that have long since dried up."
    )
    total = np.zeros(20 * RATE_HZ, np.float32)
    for voice in range(6):
        sound = np.asarray(hibari(text, speed=0.8 + 0.1 * voice, seed=voice), np.float32)
        sound = np.asarray(soxr.resample(sound, SAMPLE_RATE, RATE_HZ), np.float32)
        total += np.roll(np.resize(sound, len(total)), voice * 31_337)
    return total


def _rms(audio: Audio) -> float:
    return float(np.sqrt(np.mean(np.square(audio, dtype=np.float64)) + 1e-18))


def _at_level(sound: Audio, level_db: float) -> Audio:
    return np.asarray(np.clip(sound / _rms(sound) * 10 ** (level_db / 20), -1, 1), np.float32)


def pink(samples: int, random: np.random.Generator) -> Audio:
    """Noise that falls by 3 dB an octave, at no level in particular."""
    spectrum = np.fft.rfft(random.normal(0, 1, samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.asarray(np.fft.irfft(spectrum, samples), np.float32)


def _silence(samples: int, random: np.random.Generator) -> Audio:
    return np.asarray(random.normal(0, 1, samples), np.float32)


def _white(samples: int, random: np.random.Generator) -> Audio:
    return np.asarray(random.normal(0, 1, samples), np.float32)


def _hum(samples: int, random: np.random.Generator) -> Audio:
    time = np.arange(samples) / RATE_HZ
    return np.asarray(sum(np.sin(2 * np.pi * 50 * n * time) / n for n in (1, 2, 3)), np.float32)


def _clicks(samples: int, random: np.random.Generator) -> Audio:
    """Keys being pressed: four bursts of 8 ms a second."""
    sound = random.normal(0, 0.001, samples)
    for start in random.integers(0, max(1, samples - 128), max(1, samples * 4 // RATE_HZ)):
        burst = random.normal(0, 1, 128) * np.exp(-np.arange(128) / 25)
        sound[start : start + 128] += burst[: samples - start]
    return np.asarray(sound, np.float32)


def _chords(samples: int, random: np.random.Generator) -> Audio:
    """Music on hold: three decaying harmonic notes, changed twice a second."""
    time = np.arange(samples) / RATE_HZ
    sound = np.zeros(samples)
    for beat in range(0, samples, RATE_HZ // 2):
        length = min(RATE_HZ // 2, samples - beat)
        for note in random.choice([220, 262, 330, 392, 440, 523], 3, replace=False):
            for harmonic in (1, 2, 3, 4):
                wave_ = np.sin(2 * np.pi * note * harmonic * time[:length]) / harmonic**1.5
                sound[beat : beat + length] += wave_ * np.exp(-3 * time[:length])
    return np.asarray(sound, np.float32)


def _breath(samples: int, random: np.random.Generator) -> Audio:
    """Noise through a soft band, swelling and fading about every 1.5 s."""
    spectrum = np.fft.rfft(random.normal(0, 1, samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ)
    spectrum *= np.exp(-(((hertz - 1200) / 900) ** 2))
    swell = np.sin(np.pi * np.arange(samples) / (1.5 * RATE_HZ)) ** 2
    return np.asarray(np.fft.irfft(spectrum, samples) * swell, np.float32)


def _beeps(samples: int, random: np.random.Generator) -> Audio:
    """Dial keys: two tones, 100 ms on and 100 ms off."""
    time = np.arange(samples) / RATE_HZ
    tones = np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time)
    return np.asarray(tones * (time % 0.2 < 0.1), np.float32)


_NOISES = {
    "silence": _silence,
    "white": _white,
    "pink": pink,
    "hum": _hum,
    "clicks": _clicks,
    "chords": _chords,
    "breath": _breath,
    "beeps": _beeps,
}
