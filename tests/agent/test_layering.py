"""The arrows between the packages, read off the source: who may import whom."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = {"agent", "tts", "transports", "bench", "tests"}
TTS_FOR_AGENT = {
    "tts.client",
    "tts.types",
    "tts.audio_cache.phrases",
    "tts.config",
    "tts.errors",
    "tts.servers.origin",
    "tts.servers.status",
    "tts.tracing",
}
# Puts speech recognition beside the service; its business is the service itself.
SERVES_THE_TTS = "speech_service.py"
LIMITS = {
    "transports": {"transports"},
    "tts": {"tts"},
    "agent": {"agent", "transports", "tts"},
}


def imports(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            in_package = (ROOT / module.replace(".", "/")).is_dir()
            names = [f"{module}.{alias.name}" for alias in node.names] if in_package else [module]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OURS)


def offences(package: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in imports(path)
        if name.split(".")[0] not in LIMITS[package]
    ]


def test_transports_know_nothing_of_ours_but_themselves() -> None:
    assert offences("transports") == []


def test_the_tts_can_be_served_alone() -> None:
    assert offences("tts") == []


def test_the_agent_knows_of_the_tts_only_its_contract() -> None:
    assert offences("agent") == []
    foreign = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "agent").rglob("*.py"))
        for name in imports(path)
        if path.name != SERVES_THE_TTS
        if name.split(".")[0] == "tts" and name not in TTS_FOR_AGENT
    ]
    assert foreign == []


def test_no_file_is_a_drawer_for_everything() -> None:
    names = {path.stem for package in LIMITS for path in (ROOT / package).rglob("*.py")}
    assert names.isdisjoint({"utils", "util", "common", "helpers", "misc"})
