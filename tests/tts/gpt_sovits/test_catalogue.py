"""Which voices there are: what can be used, and why the rest is left out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from tests.tts.gpt_sovits.made import add_voice, converted
from tts.config import GptSovitsConfig
from tts.gpt_sovits import catalogue
from tts.gpt_sovits.catalogue import Entry, read_catalogue
from tts.pretrained import official
from tts.text import readers
from tts.voices.compiled import FILE_NAME, weights_path
from tts.voices.manifest import FILE_NAME as MANIFEST


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, a line each."""
    found: list[str] = []
    sink = logger.add(found.append, format="{message} {extra}")
    yield found
    logger.remove(sink)


def read(voices_dir: Path) -> dict[str, Entry]:
    return read_catalogue(
        GptSovitsConfig(voices_dir=voices_dir, pretrained_dir=voices_dir / "pretrained")
    )


def about(lines: list[str], message: str) -> list[str]:
    return [line for line in lines if line.startswith(message)]


def test_voices_come_by_name_with_what_loading_them_takes(tmp_path: Path) -> None:
    for voice in ("bob", "ann"):
        add_voice(tmp_path, voice)
    entries = read(tmp_path)
    assert list(entries) == ["ann", "bob"]
    assert entries["ann"].t2s == entries["bob"].t2s
    assert entries["ann"].symbols == 732
    _, digest, spec = converted("t2s_v2.ckpt")
    assert entries["ann"].t2s.sha256 == digest
    assert entries["ann"].t2s.parameters > spec.hidden * spec.phones


def test_a_folder_that_is_not_there_has_no_voices(tmp_path: Path) -> None:
    assert read(tmp_path / "nowhere") == {}


def test_chinese_is_offered_once_its_roberta_is_there(tmp_path: Path, lines: list[str]) -> None:
    for voice in ("ann", "bob"):
        add_voice(tmp_path, voice, languages=("zh", "en"))
    assert read(tmp_path)["ann"].voice.languages == ("en",)
    (line,) = about(lines, "language left out")
    assert "'language': 'zh'" in line
    assert "parley voices pull" in line
    roberta = tmp_path / "pretrained" / official.ROBERTA
    roberta.mkdir(parents=True)
    for name in (official.CONFIG, official.MODEL[0]):
        (roberta / name).touch()
    assert read(tmp_path)["ann"].voice.languages == ("zh", "en")


def test_nobody_is_told_of_a_language_that_no_voice_speaks(
    tmp_path: Path, lines: list[str]
) -> None:
    add_voice(tmp_path, "ann", languages=("en",))
    read(tmp_path)
    assert about(lines, "language left out") == []


def test_a_language_without_its_package_is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    def none(name: str) -> object:
        return None if name == "mecab" else object()

    monkeypatch.setattr(readers, "find_spec", none)
    add_voice(tmp_path, "ann", languages=("ko", "en"))
    add_voice(tmp_path, "eve", languages=("ko",))
    assert {id_: entry.voice.languages for id_, entry in read(tmp_path).items()} == {"ann": ("en",)}
    assert "python-mecab-ko" in about(lines, "language left out")[0]
    assert "none of its languages can be read here: ko" in about(lines, "voice left out")[0]


def test_chinese_needs_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    add_voice(tmp_path, "ann", languages=("zh", "en"))
    assert read(tmp_path)["ann"].voice.languages == ("en",)
    assert "'transformers'; install parley-voice[gpt-sovits]" in lines[0]


def not_compiled(folder: Path) -> None:
    (folder / FILE_NAME).unlink()


def no_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("name = 1", encoding="utf-8")


def no_weights(folder: Path) -> None:
    weights_path(folder.parent, converted("t2s_v2.ckpt")[1]).unlink()


def no_checkpoint(folder: Path) -> None:
    weights_path(folder.parent, converted("t2s_v2.ckpt")[1]).write_bytes(b"nothing")


def wrong_kind(folder: Path) -> None:
    weights_path(folder.parent, converted("t2s_v2.ckpt")[1]).write_bytes(
        converted("sovits_v2.pth")[0]
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (not_compiled, "not compiled yet"),
        (no_manifest, "voice.toml"),
        (no_weights, ".safetensors"),
        (no_checkpoint, ".safetensors"),
        (wrong_kind, "is a sovits file"),
    ],
)
def test_a_voice_that_cannot_be_used_is_left_out_with_the_reason(
    tmp_path: Path, lines: list[str], damage: object, words: str
) -> None:
    add_voice(tmp_path, "eve", t2s="v1", sovits="v1")
    damage(add_voice(tmp_path, "ann"))
    assert list(read(tmp_path)) == ["eve"]
    (line,) = about(lines, "voice left out")
    assert "'voice': 'ann'" in line
    assert words in line


def test_models_of_different_versions_are_no_voice(tmp_path: Path, lines: list[str]) -> None:
    add_voice(tmp_path, "ann", t2s="v1", sovits="v2")
    assert read(tmp_path) == {}
    assert "have 512 phones, its SoVITS weights 732" in about(lines, "voice left out")[0]


def test_a_voice_whose_sources_changed_speaks_and_says_so(tmp_path: Path, lines: list[str]) -> None:
    add_voice(tmp_path, "ann")
    assert list(read(tmp_path)) == ["ann"]
    assert "changed since it was compiled" in about(lines, "voice is out of date")[0]


def test_looking_at_voices_takes_no_torch() -> None:
    program = (
        "import sys; from tts.gpt_sovits import catalogue;"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    root = Path(catalogue.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr
