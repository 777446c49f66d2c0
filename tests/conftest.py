"""What every test runs under: quiet logs, and no deadlines: machines are shared and noisy."""

import re
from pathlib import Path

import pytest
from hypothesis import settings
from loguru import logger

logger.remove()
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")

_FLOOR = re.compile(r"^pytestmark = pytest\.mark\.(\w+)$", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a file alone whose tests are all of a floor that is not wanted: importing what it needs
    takes longer than the fast floors' tests."""
    if collection_path.suffix != ".py":
        return None
    floor = _FLOOR.search(collection_path.read_text(encoding="utf-8"))
    unwanted = floor and f"not {floor[1]}" in config.option.markexpr
    return True if unwanted else None
