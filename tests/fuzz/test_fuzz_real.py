"""Each fuzzer for some seconds, from a fixed seed, in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SECONDS = 8


@pytest.mark.parametrize("name", ["websocket", "grpc_messages", "json_bodies", "sdp"])
def test_a_parser_of_foreign_bytes_holds(name: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *(sys.executable, "-m", f"tests.fuzz.{name}"),
            *(f"-max_total_time={SECONDS}", "-seed=5", f"-artifact_prefix={tmp_path}/"),
            # A process inherits the highest memory use of the one that starts it.
            f"-rss_limit_mb={getrusage(RUSAGE_SELF).ru_maxrss // 1024 + 2048}",
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    done = re.search(r"^Done (\d+) runs", ran.stderr, re.MULTILINE)
    assert done is not None
    assert int(done[1]) > 500
    assert list(tmp_path.glob("crash-*")) == []
