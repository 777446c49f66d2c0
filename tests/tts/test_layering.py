"""The TTS package stands alone: it imports nothing of ours but itself."""

import ast
from pathlib import Path

import pytest

import tts

ROOT = Path(tts.__file__).parent
# The client is what other packages import: it must not drag an engine or a server in.
CLIENT_SIDE = [
    "types.py",
    "errors.py",
    "config.py",
    "client.py",
    "servers/messages.py",
    "servers/status.py",
    "servers/until.py",
]

# What decides must not need what computes.
WITHOUT_TORCH = [
    "engines.py",
    "engine/types.py",
    "engine/admission.py",
    "engine/costs.py",
    "engine/scheduler.py",
    "engine/speech.py",
    "engine/spending.py",
    "engine/worker.py",
    "voices/cache.py",
    "voices/store.py",
    "voices/managing.py",
    "voices/clip_voices.py",
    "voices/workshop.py",
    "voices/compiled.py",
    "servers/voices.py",
    "servers/api_v2.py",
    "gpt_sovits/catalogue.py",
    "access.py",
    "account.py",
    "breaker.py",
    "choosing.py",
    "gpu.py",
    "limits.py",
    "metrics.py",
    "probing.py",
    "quality.py",
    "quotas.py",
    "roster.py",
    "scraping.py",
    "service.py",
    "tracing.py",
    "writing.py",
    "text/clauses.py",
    "text/feed.py",
    "text/marks.py",
    "text/split.py",
]


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_nothing_of_the_agent_or_the_transports_is_imported(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert roots & {"agent", "transports", "bench", "pipecat", "aiortc"} == set()


@pytest.mark.parametrize("name", CLIENT_SIDE)
def test_the_client_side_imports_no_engine_and_no_server(name: str) -> None:
    heavy = {"numpy", "onnxruntime", "hibari", "tts.service", "tts.servers.grpc"}
    names = imported(ROOT / name)
    assert names & heavy == set()
    assert not [module for module in names if module.startswith(("tts.engine", "tts.light"))]


@pytest.mark.parametrize("name", ["access.py", "breaker.py", "quotas.py", "deadline.py"])
def test_who_may_and_for_how_long_is_decided_without_engines_and_wires(name: str) -> None:
    names = imported(ROOT / name)
    wires = ("tts.engine", "tts.servers", "tts.service", "grpc", "aiohttp", "numpy")
    assert not [module for module in names if module.startswith(wires)]


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_policy_imports_no_torch(name: str) -> None:
    names = imported(ROOT / name)
    assert not [one for one in names if one.startswith(("torch", "transformers", "tts.models"))]


@pytest.mark.parametrize("path", sorted((ROOT / "audio").rglob("*.py")), ids=lambda p: p.name)
def test_audio_arithmetic_knows_no_loop_and_no_model(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert roots & {"asyncio", "grpc", "onnxruntime", "loguru"} == set()
