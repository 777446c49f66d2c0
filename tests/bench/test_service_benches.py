"""The benches `doors` and `streams` run, small, and report what they promise."""

import pytest

from bench import doors, streams
from bench.door_clients import DOORS


@pytest.mark.real
def test_doors_reports_the_overhead_of_every_door() -> None:
    found = doors.main(["--requests", "2"])
    assert found["settings"]["requests"] == 2
    for door in DOORS:
        assert 0 < found["metrics"][f"overhead_ms_p95_{door}"]
        assert f"overhead_ms_p95_{door}" in found["targets"]


@pytest.mark.real
def test_streams_accounts_for_every_caller() -> None:
    found = streams.main(["--callers", "4", "--minutes", "0.1", "--cached"])["metrics"]
    assert found["lost_or_wrong_steady"] == 0
    assert found["heard_steady"] > 0
    assert sum(found["refused_steady"].values()) == 0
