"""A compiled voice comes back as it was saved, and anything else is refused with a reason."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tts.voices.compiled import (
    FILE_NAME,
    CompiledVoice,
    Prompt,
    Source,
    load_compiled,
    save_compiled,
)
from tts.voices.errors import NotCompiled


def prompt(seed: int) -> Prompt:
    random = np.random.default_rng(seed)
    return Prompt(
        codes=random.integers(0, 1024, 7),
        phones=random.integers(0, 322, 5),
        features=random.standard_normal((16, 5)).astype(np.float32),
        ge=random.standard_normal(8).astype(np.float32),
    )


VOICE = CompiledVoice(
    prompts={"neutral": prompt(1), "happy": prompt(2), "angry": prompt(3)},
    languages=("en", "zh"),
    sample_rate_hz=32000,
    gain_db=-3.25,
    t2s_sha256="a" * 64,
    sovits_sha256="b" * 64,
    sources={"neutral.wav": Source("c" * 64, 12, 34), "[weights]": Source("d" * 64, 0, 0)},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    saved = tmp_path / "ada" / FILE_NAME
    saved.parent.mkdir()
    save_compiled(VOICE, saved)
    return saved


def test_a_saved_voice_comes_back_as_it_was(path: Path) -> None:
    loaded = load_compiled(path)
    assert list(loaded.prompts) == ["neutral", "happy", "angry"]
    for emotion, expected in VOICE.prompts.items():
        for part in ("codes", "phones", "features", "ge"):
            array = getattr(loaded.prompts[emotion], part)
            assert array.dtype == getattr(expected, part).dtype
            assert np.array_equal(array, getattr(expected, part))
    assert replace(loaded, prompts=VOICE.prompts) == VOICE


def test_nothing_else_is_left_in_the_folder(path: Path) -> None:
    assert [file.name for file in path.parent.iterdir()] == [FILE_NAME]


def test_a_voice_that_was_never_compiled_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        NotCompiled, match="ada/compiled.safetensors: not there; the voice is not compiled yet"
    ):
        load_compiled(tmp_path / "ada" / FILE_NAME)


@pytest.mark.parametrize("kept", [0, 1, 8, 300, 1000])
def test_a_file_that_was_cut_off_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(
        NotCompiled, match="ada/compiled.safetensors: cannot be used: .*; compile the voice again"
    ):
        load_compiled(path)


def test_another_safetensors_file_is_refused(path: Path) -> None:
    save_file(load_file(path), path)
    with pytest.raises(NotCompiled, match="another version of Parley"):
        load_compiled(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"codes": np.zeros((1, 3), np.int64)}, r"0.codes is int64 \[1, 3\]"),
        ({"codes": np.zeros(0, np.int64)}, r"0.codes is int64 \[0\]"),
        ({"ge": np.array([1, np.nan], np.float32)}, "0.ge is not finite"),
        ({"phones": np.zeros(4, np.int64)}, "0.features has not one column for each phone"),
    ],
)
def test_arrays_that_do_not_fit_are_named(
    path: Path, changes: dict[str, np.ndarray], reason: str
) -> None:
    save_compiled(replace(VOICE, prompts={"neutral": replace(prompt(1), **changes)}), path)
    with pytest.raises(NotCompiled, match=reason):
        load_compiled(path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gain_db": float("inf")}, "its gain is inf"),
        ({"t2s_sha256": "../../../etc/passwd"}, "its t2s_sha256 is no SHA-256"),
        ({"languages": ()}, "it names no languages"),
        ({"prompts": {}}, "it names no emotions"),
    ],
)
def test_what_the_file_says_of_itself_is_checked(
    path: Path, changes: dict[str, object], reason: str
) -> None:
    save_compiled(replace(VOICE, **changes), path)
    with pytest.raises(NotCompiled, match=reason):
        load_compiled(path)


def test_a_folder_in_its_place_is_refused(path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(NotCompiled, match="it is not a file but a folder or a device"):
        load_compiled(path)


def test_a_file_too_large_for_a_voice_is_not_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts.voices.compiled.MAX_FILE_BYTES", 100)
    with pytest.raises(NotCompiled, match="at most 100 are read"):
        load_compiled(path)
