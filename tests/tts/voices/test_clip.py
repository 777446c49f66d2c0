"""A good clip passes; everything that is wrong with another is said at once, with its measure."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.tts.babble import babble
from tts.voices.clip import MAX_FILE_BYTES, Checked, accepted, check_clip
from tts.voices.errors import ClipRefused

RATE_HZ = 24000
SPEECH = babble(4.0, RATE_HZ)
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save(samples: NDArray[np.float32], rate_hz: int = RATE_HZ, name: str = "a.wav") -> Path:
        path = tmp_path / name
        kinds = {".wav": "FLOAT"}
        soundfile.write(path, samples, rate_hz, subtype=kinds.get(path.suffix))
        return path

    return save


def noisy(snr_db: float) -> NDArray[np.float32]:
    level = np.sqrt(np.mean(SPEECH**2)) * 10 ** (-snr_db / 20)
    hiss = np.random.default_rng(1).standard_normal(len(SPEECH)) * level
    return (SPEECH + hiss).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff"])
def test_a_good_clip_passes_in_every_format(save: Save, name: str) -> None:
    checked = check_clip(save(SPEECH, name=name))
    assert checked.findings == ()
    assert checked.clip is not None
    assert checked.clip.rate_hz == RATE_HZ
    assert checked.clip.samples.dtype == np.float32
    assert len(checked.clip.samples) == len(SPEECH)


def test_samples_come_as_they_are_in_the_file(save: Save) -> None:
    (clip,) = accepted([check_clip(save(SPEECH))])
    assert np.array_equal(clip.samples, SPEECH)


def test_several_channels_are_heard_as_their_mean(save: Save) -> None:
    checked = check_clip(save(np.stack([SPEECH, np.zeros_like(SPEECH)], axis=1)))
    assert checked.errors == ()
    assert checked.warnings == ("has 2 channels; their mean is used, one is best",)
    assert checked.clip is not None
    assert np.array_equal(checked.clip.samples, SPEECH / 2)


def test_channels_that_cancel_each_other_are_silence(save: Save) -> None:
    checked = check_clip(save(np.stack([SPEECH, -SPEECH], axis=1)))
    assert checked.errors == ("is silent; somebody has to speak in it",)


@pytest.mark.parametrize(
    ("count", "finding"),
    [
        (48000, None),
        (160000, None),
        (47999, "lasts 3.000 s; 3 to 10 s are allowed"),
        (160001, "lasts 10.000 s; 3 to 10 s are allowed"),
        (20 * 16000, "lasts 20 s; 3 to 10 s are allowed"),
    ],
)
def test_the_duration_is_counted_as_the_reference_project_does(
    save: Save, count: int, finding: str | None
) -> None:
    samples = np.resize(babble(4.0, 16000), count)
    assert list(check_clip(save(samples, 16000)).errors) == ([finding] if finding else [])


def test_no_more_than_is_needed_is_decoded(save: Save) -> None:
    checked = check_clip(save(np.zeros(60 * 8000, np.float32), 8000, "a.flac"))
    assert checked.clip is not None
    assert len(checked.clip.samples) == 15 * 8000
    assert checked.errors[0] == "lasts 60 s; 3 to 10 s are allowed"


@pytest.mark.parametrize(
    ("samples", "level", "words"),
    [
        (np.zeros_like(SPEECH), "error", "is silent"),
        (SPEECH * np.float32(1e-3), "error", "is too quiet: its speech lies at -80 dBFS"),
        (SPEECH * np.float32(0.03), "warning", "is too quiet: its speech lies at -51 dBFS"),
        (np.clip(SPEECH * 8, -1, 1), "error", "is overdriven: 9.8% of its samples"),
        (np.clip(SPEECH * 3, -1, 1), "warning", "is overdriven: 1.5% of its samples"),
        (noisy(3), "error", "is noisy: speech lies 7 dB above its pauses, at least 8"),
        (noisy(12), "warning", "is noisy: speech lies 15 dB above its pauses, at least 8"),
        (np.pad(SPEECH[: 24 * 1200], (0, 24 * 4800)), "error", "has speech in 18% of its time"),
        (np.pad(SPEECH[: 24 * 2500], (0, 24 * 3500)), "warning", "has speech in 37% of its time"),
    ],
)
def test_bad_sound_is_measured(
    save: Save, samples: NDArray[np.float32], level: str, words: str
) -> None:
    findings = check_clip(save(samples)).findings
    assert [one.level for one in findings if one.message.startswith(words)] == [level]


def test_noise_that_is_taken_out_is_no_longer_found(save: Save) -> None:
    path = save(noisy(12))
    raw, clean = check_clip(path), check_clip(path, denoised=True)
    assert [len([word for word in one.warnings if "noisy" in word]) for one in (raw, clean)] == [
        1,
        0,
    ]
    assert raw.clip is not None and clean.clip is not None
    assert len(clean.clip.samples) == len(raw.clip.samples)


def test_everything_that_is_wrong_is_said_at_once(save: Save) -> None:
    bad = np.clip(np.stack([noisy(0)[:8000]] * 2, axis=1) * 30, -1, 1)
    checked = check_clip(save(bad, 8000))
    assert [message.split()[0:2] for message in checked.errors] == [
        ["lasts", "1.000"],
        ["has", "8000"],
        ["is", "overdriven:"],
        ["is", "noisy:"],
    ]
    assert len(checked.warnings) == 1
    with pytest.raises(ClipRefused) as caught:
        accepted([checked, Checked("b.wav", None, check_clip(Path("b.wav")).findings)])
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["a.wav"] * 4 + ["b.wav"]


def test_values_that_are_no_numbers_are_counted(save: Save) -> None:
    samples = SPEECH.copy()
    samples[[3, 5]] = np.nan, np.inf
    checked = check_clip(save(samples))
    assert checked.clip is None
    assert checked.errors == ("2 of its 96000 samples are NaN or infinite; none may be",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is an empty file"),
        (b"PK\x03\x04" + b"\0" * 99, "is a zip archive; WAV, FLAC"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 99, "is an MP4 file"),
        (b"RIFF\0\0\0\0AVI LIST" + b"\0" * 99, "is an AVI video"),
        (b"\x1aE\xdf\xa3" + b"\0" * 99, "is a Matroska or WebM file"),
        (b"hello", "is no sound file that can be read, or a damaged one"),
        (b"RIFF\xff\xff\xff\x7fWAVEfmt ", "is no sound file"),
    ],
)
@pytest.mark.parametrize("name", ["clip.wav", "clip.raw", "clip"])
def test_another_file_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, words: str, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    checked = check_clip(path)
    assert checked.clip is None
    assert checked.errors[0].startswith(words)


def test_a_header_that_claims_two_gigabytes_gives_what_is_there(save: Save) -> None:
    path = save(SPEECH)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    (clip,) = accepted([check_clip(path)])
    assert np.array_equal(clip.samples, SPEECH)


def test_what_is_no_file_or_too_large_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "large.wav", "wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    found = {name: check_clip(tmp_path / name).errors for name in ("pipe", "large.wav", "none", "")}
    assert found == {
        "pipe": ("is not a file but a folder or a device",),
        "large.wav": ("has 64 MiB; at most 64 are allowed",),
        "none": ("cannot be read: No such file or directory",),
        "": ("is not a file but a folder or a device",),
    }


def test_rates_and_channels_beyond_any_recording_are_refused(save: Save) -> None:
    fast = check_clip(save(SPEECH, 1_000_000))
    assert fast.errors == ("has 1000000 samples a second; 16000 to 192000 are allowed",)
    wide = check_clip(save(np.zeros((100, 9), np.float32)))
    assert wide.errors == ("has 9 channels; at most 8 are allowed",)


@given(st.data())
def test_no_damage_to_a_file_raises(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    soundfile.write(path, SPEECH[:2000], RATE_HZ, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, 59))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    assert check_clip(path).errors != ()
