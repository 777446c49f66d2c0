"""Names of files that come from strangers."""

from pathlib import Path

import pytest

from tts.errors import BadRequest
from tts.voices.allowed import file_inside, weights_named


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.ckpt").touch()
    (folder / "sub" / "b.pth").touch()
    (tmp_path / "secret").touch()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    return folder


def test_files_inside_are_found(folder: Path) -> None:
    assert file_inside(folder, "a.ckpt", field="f") == folder / "a.ckpt"
    assert file_inside(folder, "sub/b.pth", field="f") == folder / "sub" / "b.pth"


@pytest.mark.parametrize(
    "name",
    [
        *("../secret", "sub/../../secret", "/etc/passwd", "link", "away/secret", "sub", "", "."),
        *("no.such", "a.ckpt\0.wav", "..\\secret", "~/x", "file:///etc/passwd", "a" * 5000),
    ],
)
def test_nothing_else_is(folder: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="^f = "):
        file_inside(folder, name, field="f")


def test_without_a_folder_no_file_may_be_named() -> None:
    with pytest.raises(BadRequest, match="no folder is set up"):
        file_inside(None, "a.ckpt", field="f")


def test_weights_are_official_or_inside(folder: Path) -> None:
    assert weights_named(folder, "v2", field="f") == "official:v2"
    assert weights_named(None, "official:v2ProPlus", field="f") == "official:v2ProPlus"
    assert weights_named(folder, "a.ckpt", field="f") == str(folder / "a.ckpt")
    for name in ("v9", "official:a.ckpt", "../secret"):
        with pytest.raises(BadRequest, match="^f = "):
            weights_named(folder, name, field="f")
    with pytest.raises(BadRequest, match="allowed are v1, v2, v2Pro, v2ProPlus"):
        weights_named(None, "a.ckpt", field="f")
