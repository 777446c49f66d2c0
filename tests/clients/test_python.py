"""What goes into the client's own distribution."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "clients" / "python"


def settings(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def needed(module: str, found: dict[str, Path]) -> dict[str, Path]:
    """The files of ours that a module imports, and those that they import."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in found or not path.exists():
        return found
    found[module] = path
    if "." in module:
        needed(module.rpartition(".")[0], found)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            for name in node.names:
                needed(f"{node.module}.{name.name}", found)
            needed(str(node.module), found)
    return found


def test_it_has_exactly_what_the_client_imports() -> None:
    include = settings(FOLDER / "pyproject.toml")["tool"]["hatch"]["build"]["targets"]["wheel"]
    packed = {}
    for source, target in include["force-include"].items():
        packed[target] = (FOLDER / source).resolve()
        assert packed[target] == ROOT / target
    modules = {target for target in packed if target.endswith(".py")}
    assert modules == {str(path.relative_to(ROOT)) for path in needed("tts.client", {}).values()}
    assert set(packed) - modules == {
        "tts/servers/proto/tts.proto",
        "tts/servers/proto/tts_pb2.pyi",
    }


def test_it_is_of_the_daemons_version_and_asks_for_what_its_stubs_need() -> None:
    project = settings(FOLDER / "pyproject.toml")["project"]
    assert project["version"] == settings(ROOT / "pyproject.toml")["project"]["version"]
    stubs = ROOT / "tts" / "servers" / "proto"
    made_by = re.search(r"Protobuf Python Version: (\S+)", (stubs / "tts_pb2.py").read_text())
    grpc_by = re.search(r"GENERATED_VERSION = '(\S+)'", (stubs / "tts_pb2_grpc.py").read_text())
    assert made_by is not None
    assert grpc_by is not None
    assert f"protobuf>={made_by[1]},<8" in project["dependencies"]
    assert f"grpcio~=1.81,>={grpc_by[1]}" in project["dependencies"]
    assert version("grpcio-tools") == grpc_by[1]
