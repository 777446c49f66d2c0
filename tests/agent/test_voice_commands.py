"""What `parley voices` and `parley say` hand on to the synthesis service's own commands."""

import json
import subprocess
import sys
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent import voice_commands
from agent.cli import main

ROOT = Path(__file__).parents[2]


class Recorder:
    """Stands for `subprocess.Popen`: notes commands, ends with a status."""

    def __init__(self, status: int = 0, interrupts: int = 0) -> None:
        self.commands: list[list[str]] = []
        self._status = status
        self._interrupts = interrupts

    def __call__(self, command: Sequence[str], **options: Any) -> "Recorder":
        self.commands.append(list(command))
        return self

    def wait(self) -> int:
        if self._interrupts:
            self._interrupts -= 1
            raise KeyboardInterrupt
        return self._status


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(subprocess, "Popen", found)
    return found


@pytest.fixture
def clip(tmp_path: Path) -> str:
    path = tmp_path / "clip.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        out.writeframes(bytes(2 * 16000 * 4))
    return str(path)


def handed_on(recorder: Recorder) -> tuple[list[str], dict[str, Any]]:
    (command,) = recorder.commands
    assert command[:3] == [sys.executable, "-m", "tts"]
    assert command[4] == "--settings"
    return [command[3], *command[6:]], json.loads(command[5])


def test_arguments_go_on_untouched_with_the_settings_of_the_file(
    recorder: Recorder, tmp_path: Path
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("[tts.service.limits]\nmax_text_chars = 77\n")
    assert main(["say", "--config", str(path), "Hello - you", "--voice", "anna", "--out", "x"]) == 0
    arguments, settings = handed_on(recorder)
    assert arguments == ["say", "Hello - you", "--voice", "anna", "--out", "x"]
    assert settings["limits"]["max_text_chars"] == 77


def test_the_status_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", Recorder(status=1))
    assert main(["voices", "list", "--config", str(ROOT / "agent.toml")]) == 1


def test_ctrl_c_waits_for_the_command_to_end_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", Recorder(status=130, interrupts=2))
    assert main(["voices", "pull", "--config", str(ROOT / "agent.toml")]) == 130


def test_a_configuration_that_cannot_be_used_starts_nothing(
    recorder: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "agent.toml"
    path.write_text("[tts.service]\nengine = ['hibari']\n")
    assert main(["voices", "list", "--config", str(path)]) == 2
    assert 'did you mean "engines"?' in capsys.readouterr().err
    assert recorder.commands == []


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ([], ["--text", "Hello there.", "--language", "en"]),
        (["--language", "zh"], ["--text", "Hello there."]),
        (["--text", "Mine."], []),
    ],
)
def test_a_clip_without_its_text_is_written_down(
    recorder: Recorder,
    clip: str,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    added: list[str],
) -> None:
    monkeypatch.setattr(
        voice_commands,
        "transcribe",
        lambda path, language, config, cache_dir: (language or "en", "Hello there."),
    )
    arguments = ["voices", "add", "anna", "--clip", clip, *given]
    assert main([*arguments, "--set", "stt.model=tiny.en"]) == 0
    assert handed_on(recorder)[0] == [*arguments, *added]


@pytest.mark.parametrize("name", ["missing.wav", "page.wav"])
def test_what_is_no_clip_is_left_to_the_command_to_refuse(
    recorder: Recorder, tmp_path: Path, name: str
) -> None:
    (tmp_path / "page.wav").write_text("<html>")
    arguments = ["voices", "add", "anna", "--clip", str(tmp_path / name)]
    assert main(arguments) == 0
    assert handed_on(recorder)[0] == arguments
