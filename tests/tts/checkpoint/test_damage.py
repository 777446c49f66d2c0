"""Whatever happens to a file on its way, reading it ends in a checkpoint or in our own error.

What tries hundreds of damages, or counts every allocation, is on the golden floor.
"""

import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.checkpoint.files import hostile_files, pickled, records_of, write_zip
from tests.tts.properties import quick
from tts.checkpoint import CheckpointError, convert, describe, read
from tts.checkpoint.pickles import _STEPS, MAX_BYTES, MAX_STEPS, read_pickle

thorough = settings(quick, max_examples=150)
traced = settings(quick, max_examples=15)  # counting every allocation is slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    hostile_files(folder)
    convert(folder / "good_nano_t2s.ckpt", folder / "good_nano_t2s.safetensors")
    return folder


GOOD = ("good_nano_t2s.ckpt", "good_nano_v2.pth", "good_nano_t2s.safetensors")


def ends_well(path: Path) -> None:
    """Read the file; it must load or be refused."""
    try:
        read(path)
    except CheckpointError as refusal:
        assert str(refusal).startswith(f"{path.name}: ")


def flip(path: Path, at: int, bit: int) -> Path:
    """The file with one bit inverted, under another name."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    flipped = path.with_name("flipped")
    flipped.write_bytes(data)
    return flipped


@pytest.mark.golden
@thorough
@given(name=st.sampled_from(GOOD), at=st.integers(0, 300_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_survived(folder: Path, name: str, at: int, bit: int) -> None:
    ends_well(flip(folder / name, at, bit))


@pytest.mark.golden
@thorough
@given(name=st.sampled_from(GOOD), back=st.integers(1, 4_000), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_directory_is_survived(
    folder: Path, name: str, back: int, bit: int
) -> None:
    ends_well(flip(folder / name, -back, bit))


@pytest.mark.golden
@traced
@given(name=st.sampled_from(GOOD), at=st.integers(-4_000, 4_000), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_no_more_memory_than_stated(
    folder: Path, name: str, at: int, bit: int
) -> None:
    path = flip(folder / name, at, bit)
    tracemalloc.start()
    try:
        ends_well(path)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak <= 4 * path.stat().st_size + (64 << 20)


@quick
@given(name=st.sampled_from(GOOD), kept=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(folder: Path, name: str, kept: float) -> None:
    data = (folder / name).read_bytes()
    (folder / "cut").write_bytes(data[: int(kept * len(data))])
    with pytest.raises(CheckpointError):
        read(folder / "cut")
    ends_well(folder / "cut")


@quick
@given(
    data=st.binary(max_size=5000),
    head=st.sampled_from([b"", b"PK\3\4", b"05\3\4", b"\x80\x02"]),
)
def test_random_bytes_are_refused(folder: Path, data: bytes, head: bytes) -> None:
    (folder / "random").write_bytes(head + data)
    for ask in (read, describe):
        with pytest.raises(CheckpointError):
            ask(folder / "random")


@pytest.mark.golden
@thorough
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=9
    )
)
def test_a_damaged_pickle_in_a_whole_archive_is_survived(
    folder: Path, flips: list[tuple[float, int]]
) -> None:
    pickle, records = records_of(folder / "good_nano_t2s.ckpt")
    damaged = bytearray(pickle)
    for at, value in flips:
        damaged[int(at * len(damaged))] = value
    ends_well(write_zip(folder / "pickle", bytes(damaged), records))


@pytest.mark.golden
@thorough
@given(
    steps=st.lists(
        st.one_of(
            st.sampled_from(sorted(_STEPS)),
            st.sampled_from([b"ccollections\nOrderedDict\n", b"cutils\nHParams\n", b"K\x01", b"."]),
            st.binary(min_size=1, max_size=3),
        ),
        max_size=200,
    )
)
def test_any_order_of_instructions_is_survived(steps: list[bytes]) -> None:
    try:
        read_pickle(b"\x80\x02" + b"".join(steps) + b".")
    except CheckpointError:
        pass


def peak_of(pickle: bytes) -> int:
    tracemalloc.start()
    try:
        read_pickle(pickle)
    except CheckpointError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@pytest.mark.golden
@pytest.mark.parametrize(
    "pickle",
    [
        b"\x80\x02" + b"}" * (MAX_BYTES - 2),
        b"\x80\x02]" + b"h\x00" * (MAX_STEPS - 1),
        b"\x80\x02]q\x00" + b"h\x00\x85q\x00" * (MAX_BYTES // 6),
        b"\x80\x02]r\xff\xff\xff\x7f" + b"r\xff\xff\xff\xff" * 1000 + b".",
        b"\x80\x04\x8d" + (2**62).to_bytes(8, "little"),
        b"\x80\x02X" + (2**32 - 1).to_bytes(4, "little"),
        b"\x80\x02" + b"(" * (MAX_BYTES - 2),
        b"\x80\x02" + b"c" * (MAX_BYTES - 2),
    ],
)
def test_no_pickle_takes_more_memory_than_stated(pickle: bytes) -> None:
    assert peak_of(pickle) <= 64 << 20


def test_a_pickle_that_never_stops_is_cut_off() -> None:
    with pytest.raises(CheckpointError, match="more than 250000 instructions"):
        read_pickle(b"\x80\x02" + b")" * (MAX_STEPS + 10))


def test_a_longer_pickle_than_any_checkpoint_has_is_not_read() -> None:
    with pytest.raises(CheckpointError, match="at most 4194304 are read"):
        read_pickle(bytes(MAX_BYTES + 1))


@pytest.mark.golden
def test_a_value_nested_beyond_every_limit_is_let_go_cleanly() -> None:
    depth = 100_000
    nested = read_pickle(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b".")
    assert isinstance(nested, list)
    with pytest.raises(CheckpointError, match="more than 250000 instructions"):
        read_pickle(b"\x80\x02" + b")" + b"\x85" * MAX_STEPS + b".")


def test_equal_things_named_a_million_times_are_named_in_vain(folder: Path) -> None:
    pickle, records = pickled({"weight": {"a": "x"}, "config": {}})
    path = write_zip(folder / "many", pickle, records | {f"data/{i}": b"" for i in range(20_000)})
    with pytest.raises(CheckpointError, match="its zip directory has"):
        read(path)
