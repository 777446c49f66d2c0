"""Versions are told from what the tensors show, and by names only where those leave it open."""

import pytest

from tts.spec import (
    UNDECIDED,
    VERSIONS,
    Family,
    lora_version,
    t2s_version,
    tell_version,
    version_marked,
    version_named,
)


@pytest.mark.parametrize(
    ("family", "symbols", "kernel", "declared", "version"),
    [
        ("direct", 322, 16, (), "v1"),
        ("direct", 732, 16, (), "v2"),
        ("direct", 732, 16, ("v1", "v3"), "v2"),
        ("speaker", 732, 16, (), "v2Pro"),
        ("speaker", 732, 20, (), "v2ProPlus"),
        ("speaker", 732, 16, ("v2ProPlus",), "v2ProPlus"),
        ("speaker", 732, 20, ("v2", "v2Pro"), "v2Pro"),
        ("speaker", 732, 18, (), "v2Pro"),
        ("flow matching", 732, 0, (), "v3 or v4"),
        ("flow matching", 732, 0, ("v2", "v4", "v3"), "v4"),
    ],
)
def test_a_version_is_told(
    family: Family, symbols: int, kernel: int, declared: tuple[str, ...], version: str
) -> None:
    told = tell_version(family, symbols, kernel, declared)
    assert told is not None
    assert told.name == version


def test_an_unknown_phone_table_has_no_version() -> None:
    assert tell_version("direct", 700, 16, ("v2",)) is None
    assert tell_version("speaker", 322, 16, ("v2Pro",)) is None


@pytest.mark.parametrize(
    ("phones", "version"), [(321, None), (322, "v1"), (512, "v1"), (731, "v1"), (732, "v2")]
)
def test_a_t2s_model_speaks_what_its_embedding_has_room_for(
    phones: int, version: str | None
) -> None:
    found = t2s_version(phones)
    assert (found.name if found else None) == version


def test_a_lora_is_known_by_name_alone() -> None:
    assert lora_version(("v4",)).name == "v4"
    assert lora_version(("v2",)) is UNDECIDED


def test_names_and_marks_are_unique() -> None:
    names = [version.name for version in (*VERSIONS, UNDECIDED)]
    marks = [mark for version in VERSIONS for mark in version.marks]
    assert len(set(names)) == len(names)
    assert len(set(marks)) == len(marks)
    assert all(version_named(version.name) is version for version in VERSIONS)
    assert version_marked("07") is None
