"""Every voice of the folder is listed with what can be done with it, broken ones too."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tts.voices.folders import PRETRAINED, make_voice, pretend_compiled, save_clip
from tts.errors import VoiceNotFound
from tts.voices.compiled import FILE_NAME, weights_path
from tts.voices.errors import VoiceError
from tts.voices.manifest import FILE_NAME as MANIFEST
from tts.voices.store import State, StoredVoice, check_id, find_voice, list_voices, look_at

Change = Callable[[Path], object]


def edit(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / MANIFEST
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A voice that is ready."""
    made = make_voice(tmp_path)
    pretend_compiled(made)
    return made


def state(folder: Path) -> StoredVoice:
    return look_at(folder, PRETRAINED)


def test_a_compiled_voice_whose_sources_are_as_they_were_is_ready(folder: Path) -> None:
    voice = state(folder)
    assert (voice.id, voice.state, voice.reason) == ("ada", State.READY, "")
    assert voice.manifest is not None and voice.manifest.name == "Ada"
    assert voice.compiled is not None and list(voice.compiled.prompts) == ["neutral"]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda folder: save_clip(folder / "neutral.wav", 5.0), "neutral.wav"),
        (lambda folder: (folder / "ada.ckpt").write_bytes(b"x"), "weights.t2s"),
        (lambda folder: (folder / "ada.pth").write_bytes(b"x"), "weights.sovits"),
        (edit("Good morning", "Good evening"), "reference neutral"),
        (edit('"en"', '"zh"'), "reference neutral"),
        (edit('"neutral"', '"calm"'), "reference neutral, reference calm"),
        (edit('name = "Ada"', 'name = "Ada"\ndenoise = true'), "denoise"),
        (edit('name = "Ada"', 'name = "Ada"\nlanguages = ["en"]'), "languages"),
        (
            edit('language = "en"', 'language = "en"\n[loudness]\ntarget_lufs = -23'),
            "loudness",
        ),
    ],
)
def test_a_voice_whose_sources_changed_is_stale_and_names_them(
    folder: Path, change: Change, names: str
) -> None:
    change(folder)
    voice = state(folder)
    assert (voice.state, voice.reason) == (
        State.STALE,
        f"changed since it was compiled: {names}",
    )
    assert voice.compiled is not None


@pytest.mark.parametrize(
    "change",
    [
        edit("Written by hand", "Edited by hand"),
        edit('name = "Ada"', 'name = "Ada"\ndescription = "Calm."\nlicence = "CC0-1.0"'),
        edit('language = "en"', 'language = "en"\n[manner]\nspeed = 1.2'),
        lambda folder: os.utime(folder / "neutral.wav"),
        lambda folder: (folder / "neutral.wav").unlink(),
        lambda folder: [(folder / name).unlink() for name in ("ada.ckpt", "ada.pth")],
    ],
)
def test_what_the_compiled_voice_does_not_depend_on_may_change(
    folder: Path, change: Change
) -> None:
    change(folder)
    assert state(folder).state is State.READY


def test_a_voice_without_its_state_or_its_converted_weights_is_to_be_compiled(
    folder: Path,
) -> None:
    weights = weights_path(folder.parent, "b" * 64)
    weights.unlink()
    assert state(folder).state is State.NOT_COMPILED
    assert state(folder).reason == f"its converted weights are missing: {weights}"
    (folder / FILE_NAME).write_bytes(b"not this")
    assert state(folder).state is State.NOT_COMPILED
    assert "ada/compiled.safetensors: cannot be used" in state(folder).reason
    (folder / FILE_NAME).unlink()
    assert state(folder).reason.endswith("the voice is not compiled yet")


def test_a_source_that_is_no_file_is_not_opened(folder: Path) -> None:
    (folder / "ada.ckpt").unlink()
    os.mkfifo(folder / "ada.ckpt")
    voice = state(folder)
    assert voice.state is State.STALE
    assert voice.reason.endswith("ada.ckpt is not a file but a folder or a device")


def test_a_broken_voice_says_why_and_hides_no_other(folder: Path) -> None:
    voices_dir = folder.parent
    make_voice(voices_dir, "bob")
    edit('"en"', '"fr"')(make_voice(voices_dir, "eve"))
    make_voice(voices_dir, "My Voice")
    make_voice(voices_dir, ".eve.1.part")
    (voices_dir / "notes").mkdir()
    found = {
        voice.id: (voice.state, voice.reason[:24]) for voice in list_voices(voices_dir, PRETRAINED)
    }
    assert found == {
        "My Voice": (State.BROKEN, "id = 'My Voice': 1 to 64"),
        "ada": (State.READY, ""),
        "bob": (State.NOT_COMPILED, "bob/compiled.safetensors"),
        "eve": (State.BROKEN, "eve/voice.toml: referenc"),
    }


def test_no_folder_has_no_voices(tmp_path: Path) -> None:
    assert list_voices(tmp_path / "voices", PRETRAINED) == []


def test_a_voice_that_is_not_there_is_answered_with_those_that_are(folder: Path) -> None:
    assert find_voice(folder.parent, "ada", PRETRAINED).id == "ada"
    with pytest.raises(VoiceNotFound, match=r"no voice 'adda' in .*; there are: ada$"):
        find_voice(folder.parent, "adda", PRETRAINED)
    with pytest.raises(VoiceNotFound, match="there are: none"):
        find_voice(folder / "none", "ada", PRETRAINED)


@pytest.mark.parametrize("voice_id", ["", "Ada", "a b", "../ada", "é", "a" * 65, ".ada", "ada\n"])
def test_ids_that_are_not_allowed_are_refused(voice_id: str) -> None:
    with pytest.raises(VoiceError, match="1 to 64 lower-case letters"):
        check_id(voice_id)


@pytest.mark.parametrize("voice_id", ["a", "ada_2-x", "a" * 64])
def test_ids_that_are_allowed_come_back(voice_id: str) -> None:
    assert check_id(voice_id) == voice_id
