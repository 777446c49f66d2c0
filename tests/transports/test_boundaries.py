"""`transports` stands alone: it knows pipecat and the libraries of sound and network, not us."""

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "transports"
ALLOWED = {"aiohttp", "aiortc", "av", "loguru", "numpy", "pipecat", "soxr", "transports"}


def imported_packages(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name} imports relatively"
            names.add((node.module or "").split(".")[0])
    return names


def test_imports_only_what_the_architecture_allows():
    foreign = {
        source.name: extra
        for source in PACKAGE.rglob("*.py")
        if (extra := imported_packages(source) - ALLOWED - set(sys.stdlib_module_names))
    }
    assert foreign == {}


def test_only_the_caller_speaks_http():
    users = {s.name for s in PACKAGE.rglob("*.py") if "aiohttp" in imported_packages(s)}
    assert users == {"caller.py"}


def test_only_one_module_reaches_into_aiortc():
    marks = ("_RTCRtp", "._connection", "_recv_next", "_send_rtp")
    users = {s.name for s in PACKAGE.rglob("*.py") if any(m in s.read_text() for m in marks)}
    assert users == {"aiortc_compat.py"}
