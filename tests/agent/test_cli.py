"""The command line: what it prints, and its exit status."""

import subprocess
import sys
import wave
from pathlib import Path

import pytest

from agent.cli import main

ROOT = Path(__file__).parents[2]
HEAVY = ("aiohttp", "pydantic", "pipecat", "numpy", "loguru")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PARLEY_CONFIG", "PARLEY_TOKEN", "PARLEY_LLM_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_the_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, agent.cli\n"
        "try: agent.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "talk" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_check_says_what_is_what_for_the_shipped_configuration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "--config", str(ROOT / "agent.toml")]) == 0
    printed = capsys.readouterr()
    subjects = [line.split("  ")[0] for line in printed.out.splitlines()]
    assert [name for name in subjects if name in ("personas", "ears", "brain")] == [
        "personas",
        "ears",
        "brain",
    ]
    assert printed.err == ""


def test_check_tells_every_problem_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "personas"
    folder.mkdir()
    (folder / "anna.toml").write_text(
        'name = "A"\nlanguage = "en"\nvoice = "v"\nprompt = "p"\ntools = ["tell_tim"]\n'
    )
    settings = [f"calls.personas_dir={folder}", "calls.default_persona=ana"]
    settings += ["llm.local_model_path=/nowhere/model.gguf"]
    phrases = tmp_path / "phrases.jsonl"
    phrases.write_text('{"text": "Hello.", "voice": "heart"}\n', encoding="utf-8")
    settings += [f"tts.service.cache.phrases={phrases}"]
    assert main(["check", *(part for text in settings for part in ("--set", text))]) == 1
    errors = capsys.readouterr().err
    assert 'calls.default_persona: unknown persona "ana"; did you mean "anna"?' in errors
    assert 'anna.toml: tools: unknown tool "tell_tim"; did you mean "tell_time"?' in errors
    assert "llm: local_model_path: /nowhere/model.gguf is no file" in errors
    assert f"tts.service: cache.phrases: {phrases}: line 1: language: missing" in errors


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_configuration_that_cannot_be_used_is_refused(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, "--set", "server.prot=1"]) == 2
    assert capsys.readouterr().err.startswith('error: defaults: server.prot: unknown key "prot"')


def test_a_daemon_for_other_machines_without_a_token_does_not_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["serve", "--set", "server.host=0.0.0.0"]) == 2
    assert "needs a token: set the environment variable PARLEY_TOKEN" in capsys.readouterr().err


def test_talk_refuses_what_is_no_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, silence = tmp_path / "text.wav", tmp_path / "silence.wav"
    text.write_text("hello")
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    out = ["--out", str(tmp_path / "out.wav")]
    for wav, complaint in (
        (tmp_path / "none.wav", "no such file"),
        (text, "is no sound file that can be read; a PCM WAV is"),
        (silence, "there is nothing to hear in it"),
    ):
        assert main(["talk", "--wav", str(wav), *out]) == 1
        assert f"error: {wav}: {complaint}" in capsys.readouterr().err


def test_talk_says_when_nobody_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wav = tmp_path / "question.wav"
    with wave.open(str(wav), "wb") as file:
        file.setparams((2, 2, 8_000, 0, "NONE", ""))
        file.writeframes(b"\x00\x10" * 16_000)
    nowhere = ["--out", str(tmp_path / "no" / "out.wav"), "--url", "http://127.0.0.1:9"]
    assert main(["talk", "--wav", str(wav), *nowhere]) == 1
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("parley")
