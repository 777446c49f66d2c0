"""The steps of the bench `load`, on small models of the same names."""

import shutil
from pathlib import Path

import pytest

from bench.load import measured
from bench.load_steps import STEPS, checkpoint_files, converted_files, step

CKPT = Path(__file__).parents[1] / "golden" / "ckpt"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in checkpoint_files(CKPT, "v2"):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


@pytest.mark.golden
def test_each_step_does_its_work_and_says_what_it_took(folder: Path) -> None:
    for name in STEPS:  # in order: what is converted is then loaded
        took = step(name, "v2", folder, threads=1, codes=4)
        assert took["s"] > 0
        assert took["cpu_s"] > 0
        assert took["peak_mb"] >= took["imports_mb"]
    assert all(path.is_file() for path in converted_files(folder, "v2"))


@pytest.mark.real
def test_a_step_in_its_own_process_holds_its_own_memory_only(folder: Path) -> None:
    ballast = bytearray(b"x") * 400_000_000
    took = measured("read", "v2", folder, threads=1, codes=4)
    assert len(ballast) == 400_000_000
    assert took["peak_mb"] < 150  # no torch, and nothing of this process
