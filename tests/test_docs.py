"""What the pages show can be used as it stands there."""

import re
import tomllib
from pathlib import Path

import pytest

from agent.persona import Persona
from agent.tables import fit
from tts.cli import _parser
from tts.voices.manifest import Manifest, parse_manifest

ROOT = Path(__file__).parents[1]
VOICES = (ROOT / "docs" / "voices.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def test_the_persona_on_the_page_about_voices_is_one() -> None:
    persona, _ = blocks(VOICES, "toml")
    assert fit(Persona, {"id": "anna", **tomllib.loads(persona)}, "page").voice == "anna"


def test_the_voice_on_the_page_about_voices_shows_every_table() -> None:
    _, voice = blocks(VOICES, "toml")
    manifest = parse_manifest(voice)
    assert manifest.model_fields_set == set(Manifest.model_fields)
    assert manifest.manner == type(manifest.manner)()


@pytest.mark.parametrize(
    "line", [line for block in blocks(VOICES, "") for line in block.splitlines()]
)
def test_every_command_on_the_page_about_voices_is_understood(line: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', line.split("#")[0])
    if words[0] != ".venv/bin/parley" or words[1] == "serve":
        assert words[0] == "make" or words[2] == "--set"
        return
    if words[1:3] == ["voices", "add"]:
        # The agent's command line writes down what the clip says.
        words += ["--text", "Hello.", "--language", "en"]
    _parser().parse_args([word.strip('"') for word in words[1:]])
