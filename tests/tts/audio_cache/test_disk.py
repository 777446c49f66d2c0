"""The folder: what is read is whole, what is kept is bounded, what fails is only not kept."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger

from tests.tts.audio_cache.recordings import KEYS, RECORDINGS, recording
from tests.tts.properties import quick
from tts.audio_cache import disk
from tts.audio_cache.disk import DiskCache
from tts.audio_cache.encoding import encode
from tts.audio_cache.recording import Recording

DAY_S = 86_400.0

few = settings(quick, max_examples=25)
"""Each writes files, and waits until they are on the disk."""


class Clock:
    """Seconds since 1970, as the test has it."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def cache(folder: Path, clock: Clock | None = None, *, most_bytes: int = 100_000) -> DiskCache:
    return DiskCache(folder, most_bytes=most_bytes, max_age_s=DAY_S, clock=clock or Clock())


def file_of(folder: Path, key: str = KEYS[0]) -> Path:
    return folder / f"{key}.speech"


def held_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.speech"))


@pytest.fixture
def warnings() -> Iterator[list[dict[str, Any]]]:
    records: list[dict[str, Any]] = []
    sink = logger.add(
        lambda message: records.append(
            {"message": message.record["message"], **message.record["extra"]}
        ),
        level="WARNING",
    )
    yield records
    logger.remove(sink)


@few
@given(RECORDINGS)
def test_what_is_written_is_read_even_by_the_next_process(kept: Recording) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "not" / "there yet"
        cache(folder).write(KEYS[0], kept)
        assert cache(folder).read(KEYS[0]) == kept
        assert cache(folder).read(KEYS[1]) is None


def test_only_its_owner_can_look_into_the_folder_and_no_other_file_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    cache(folder).write(KEYS[0], recording(100))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(p.name, p.stat().st_mode & 0o777) for p in folder.iterdir()] == [
        (f"{KEYS[0]}.speech", 0o600)
    ]


@quick
@given(st.binary(max_size=300), st.booleans(), st.integers(0, 3000))
def test_foreign_torn_and_flipped_files_are_removed_and_never_served(
    data: bytes, is_ours: bool, place: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if is_ours:
            whole = bytearray(encode(KEYS[0], recording(200, marks=2), 1_000_000.0))
            whole[place % len(whole)] ^= 1
            data = bytes(whole[: len(whole) - len(data)])
        file_of(folder).write_bytes(data)
        kept = cache(folder)
        kept.sweep()
        assert kept.read(KEYS[0]) is None
        assert (kept.damaged, list(folder.iterdir())) == (1, [])


def test_a_damaged_file_is_told_in_the_log_without_its_folder(
    tmp_path: Path, warnings: list[dict[str, Any]]
) -> None:
    file_of(tmp_path).write_bytes(b"PK\x03\x04 and so on")
    assert cache(tmp_path).read(KEYS[0]) is None
    assert warnings == [
        {
            "message": "damaged cache file removed",
            "file": f"{KEYS[0]}.speech",
            "reason": "it is no file of this format",
        }
    ]


def test_what_is_no_plain_file_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    cache(outside).write(KEYS[0], recording(100))
    folder = tmp_path / "kept"
    folder.mkdir()
    file_of(folder, KEYS[0]).symlink_to(file_of(outside))
    os.mkfifo(file_of(folder, KEYS[1]))
    file_of(folder, KEYS[2]).mkdir()
    kept = cache(folder)
    kept.sweep()
    assert [kept.read(key) for key in KEYS[:3]] == [None] * 3
    assert cache(outside).read(KEYS[0]) == recording(100)


def test_files_of_other_names_are_left_alone(tmp_path: Path) -> None:
    names = {"notes.txt", "0.speech", f"{KEYS[0]}.speech.bak", f".{KEYS[0]}.part"}
    for name in names:
        (tmp_path / name).write_bytes(b"x" * 1000)
    kept = cache(tmp_path, most_bytes=10)
    kept.sweep()
    assert {path.name for path in tmp_path.iterdir()} == names
    assert kept.size_bytes == 0


def test_scratch_files_of_the_dead_are_removed_and_those_of_the_living_are_not(
    tmp_path: Path,
) -> None:
    dead, living = (tmp_path / f".{KEYS[0]}.{digit * 16}.part" for digit in "ab")
    dead.write_bytes(b"half of")
    with living.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        cache(tmp_path).sweep()
        assert list(tmp_path.iterdir()) == [living]
    cache(tmp_path).sweep()
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process' sweep finds it between the two; then nothing was written for a minute."""
    lock = fcntl.flock
    swept: list[Path] = []

    def late(file: Any, operation: int) -> None:
        if not swept:
            swept.extend(tmp_path.iterdir())
            swept[0].unlink()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    kept = cache(tmp_path)
    kept.write(KEYS[0], recording(100))
    assert (kept.read(KEYS[0]), kept.writes, len(swept)) == (recording(100), 1, 1)
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEYS[0]}.speech"]


@few
@given(
    st.lists(
        st.tuples(st.sampled_from(KEYS), st.none() | st.integers(0, 700)), min_size=1, max_size=25
    )
)
def test_the_folder_never_holds_more_than_its_bound(steps: list[tuple[str, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept = cache(folder, most_bytes=3000)
        kept.sweep()
        last: dict[str, int] = {}
        for key, samples in steps:
            if samples is None:
                found = kept.read(key)
                assert found is None or found == recording(last[key])
            else:
                kept.write(key, recording(samples))
                last[key] = samples
            assert held_bytes(folder) <= 3000
        kept.sweep()
        assert kept.size_bytes == held_bytes(folder)


def test_what_was_not_asked_for_longest_goes_first_also_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    room = 4 * len(encode(KEYS[0], recording(500), 0.0))
    first = cache(tmp_path, clock, most_bytes=room)
    for key in KEYS[:4]:
        first.write(key, recording(500))
    first.read(KEYS[0])
    first.touch(KEYS[2])
    again = cache(tmp_path, clock, most_bytes=room)
    again.sweep()
    again.write(KEYS[4], recording(500))
    assert {key for key in KEYS if again.read(key)} == {KEYS[0], KEYS[2], KEYS[4]}
    assert again.evictions == 2
    assert again.size_bytes == held_bytes(tmp_path)


def test_a_recording_over_the_bound_is_not_kept_and_pushes_nothing_out(tmp_path: Path) -> None:
    kept = cache(tmp_path, most_bytes=2000)
    kept.write(KEYS[0], recording(500))
    kept.write(KEYS[1], recording(5000))
    assert [kept.read(key) for key in KEYS[:2]] == [recording(500), None]


def test_a_huge_file_under_a_name_of_ours_is_not_read(tmp_path: Path) -> None:
    with file_of(tmp_path).open("wb") as file:
        file.write(encode(KEYS[0], recording(500), 0.0))
        file.truncate(10**12)
    kept = cache(tmp_path)
    assert kept.read(KEYS[0]) is None
    assert kept.damaged == 1


def test_what_was_made_too_long_ago_is_not_given_however_often_it_is_asked_for(
    tmp_path: Path,
) -> None:
    clock = Clock()
    kept = cache(tmp_path, clock)
    kept.write(KEYS[0], recording(500))
    clock.now_s += DAY_S / 2
    assert kept.read(KEYS[0]) == recording(500)
    clock.now_s += DAY_S / 2
    assert kept.read(KEYS[0]) is None
    assert (kept.evictions, list(tmp_path.iterdir())) == (1, [])


def test_what_nobody_asked_for_so_long_goes_when_the_folder_is_looked_through(
    tmp_path: Path,
) -> None:
    clock = Clock()
    kept = cache(tmp_path, clock)
    kept.write(KEYS[0], recording(500))
    clock.now_s += DAY_S
    kept.write(KEYS[1], recording(500))
    kept.sweep()
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEYS[1]}.speech"]


def test_two_caches_on_one_folder_keep_its_bound_and_read_each_others_files(
    tmp_path: Path,
) -> None:
    clock = Clock()
    size = len(encode(KEYS[0], recording(500), 0.0))
    one, other = (cache(tmp_path, clock, most_bytes=40 * size) for _ in range(2))
    keys = [f"{number:064x}" for number in range(100)]
    for number, key in enumerate(keys):
        (one, other)[number % 2].write(key, recording(500, seed=number))
        # Either looks through the folder after so many bytes of its own.
        assert held_bytes(tmp_path) <= 40 * size * 1.15
    found = [number for number, key in enumerate(keys) if one.read(key)]
    assert found == list(range(100 - len(found), 100))
    assert all(other.read(keys[n]) == recording(500, seed=n) for n in found)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_full_or_read_only_disk_is_one_warning_and_what_is_there_is_still_served(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: list[dict[str, Any]],
    number: int,
) -> None:
    kept = cache(tmp_path)
    kept.write(KEYS[0], recording(100))

    tries: list[int] = []

    def full(fd: int) -> None:
        tries.append(fd)
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for _ in range(3):
            kept.write(KEYS[1], recording(100))
    assert [line["message"] for line in warnings] == ["audio is not kept on disk for now"]
    assert warnings[0]["reason"] == os.strerror(number)
    # It is not tried again at once, and nothing half is left.
    assert len(tries) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEYS[0]}.speech"]
    assert kept.read(KEYS[0]) == recording(100)
    # Nor with a disk that has room again, until the rest is over.
    kept.write(KEYS[1], recording(100))
    assert kept.read(KEYS[1]) is None


def test_after_its_rest_it_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kept").write_bytes(b"a file where the folder should be")
    kept = cache(tmp_path / "kept")
    monkeypatch.setattr(disk, "REST_S", 0.0)
    kept.sweep()
    kept.write(KEYS[0], recording(100))
    assert (kept.read(KEYS[0]), kept.writes) == (None, 0)
    (tmp_path / "kept").unlink()
    kept.write(KEYS[0], recording(100))
    assert (kept.read(KEYS[0]), kept.writes) == (recording(100), 1)


def test_a_folder_that_is_removed_under_it_is_made_again(tmp_path: Path) -> None:
    kept = cache(tmp_path / "kept")
    kept.write(KEYS[0], recording(100))
    shutil.rmtree(tmp_path / "kept")
    assert kept.read(KEYS[0]) is None
    kept.write(KEYS[0], recording(100))
    assert kept.read(KEYS[0]) == recording(100)
