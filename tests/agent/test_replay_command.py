"""`parley replay`: a recorded call as a table, as JSON and as a picture."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from agent.cli import main
from agent.config import TurnsConfig
from agent.turns.events import AgentBusy
from tests.agent.turns.test_replay import Call

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def recorded(config: TurnsConfig | None = None) -> Call:
    """A turn with a pause in it, its answer with a short sound over it, and a cough."""
    call = Call(config)
    call.passes(0.5).speaks(0.8).words("what time is", 0.1).passes(0.6)
    call.speaks(0.8).words("what time is it now", 0.97).is_over()
    call.observe(AgentBusy(True))
    call.agent_dbfs = -24.0
    call.passes(1.0).passes(0.08, voice=True).passes(1.0)
    call.agent_dbfs = -90.0
    call.observe(AgentBusy(False))
    call.passes(1.0).speaks(0.3).words("", 0.5).passes(2.0)
    return call


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a call in a folder of calls."""
    call = recorded()
    call.record()
    path = tmp_path / "calls" / "20261122T040000Z-w0-ab12.jsonl"
    path.parent.mkdir()
    path.write_text("".join(call.log.lines), encoding="utf-8")
    return path


def test_without_changes_every_decision_comes_out_as_it_was_taken(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(log)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("20261122T040000Z-w0-ab12: 2 turns in ")
    assert shown[-1].startswith("All ") and shown[-1].endswith(
        " decisions come out as they were taken."
    )
    turns = [line.split() for line in shown if line.endswith(")") and "no turn" in line]
    assert [words[0] for words in turns] == ["2"]


def test_a_call_is_found_by_its_id(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = f"calls.log_dir={log.parent}"
    assert main(["replay", "w0-ab12", "--set", folder]) == 0
    assert main(["replay", log.stem, "--set", folder, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (shown["call"], shown["same"], shown["cut_short"]) == (log.stem, True, "")


def test_a_changed_setting_says_what_it_changes(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(log), "--set", "turns.min_silence_ms=1500"]) == 0
    shown = capsys.readouterr().out
    assert f"turns.min_silence_ms: {TurnsConfig().min_silence_ms} -> 1500" in shown
    assert "ms later" in shown
    assert "Of 2 turns 2 over later." in shown
    assert "might\nhave acted differently from there" in shown


def test_a_turn_that_would_be_cut_off_is_named_with_its_pause(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rash = ["--set", "turns.max_silence_ms=300", "--set", "turns.kept_floor_ms=300"]
    assert main(["replay", str(log), *rash]) == 0
    shown = capsys.readouterr().out
    assert "now cut off in a pause of 660 ms" in shown
    assert "1 cut off in a pause" in shown


def test_another_persona_takes_turns_by_its_own_temperament(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    persona = tmp_path / "patient.toml"
    text = 'name = "P"\nlanguage = "en"\nvoice = "v"\nprompt = "p"\n[turns]\npatience = 2.0\n'
    persona.write_text(text)
    assert main(["replay", str(log), "--persona", str(persona)]) == 0
    by_file = capsys.readouterr().out
    assert "persona.patience: 1.0 -> 2.0" in by_file
    personas = f"calls.personas_dir={tmp_path}"
    assert main(["replay", str(log), "--persona", "patient"]) == 2  # none of the shipped ones
    assert main(["replay", str(log), "--persona", "patient", "--set", personas]) == 0
    assert capsys.readouterr().out == by_file


def test_the_turns_are_drawn_as_they_would_be_taken(log: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "turns.svg"
    assert main(["replay", str(log), "--timeline", str(drawn)]) == 0
    root = ElementTree.parse(drawn).getroot()
    assert root.findtext(f"{SVG}title") == log.stem
    heads = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert any(" ms of silence, probability " in head for head in heads)


def test_a_log_that_breaks_off_is_said_to(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.write_bytes(log.read_bytes()[:-700])
    assert main(["replay", str(log)]) == 0
    shown = capsys.readouterr().out
    assert "The record ends at " in shown and "its last line is cut off" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere.jsonl"], 1, "nowhere.jsonl: there is no such file"),
        (["w9-none"], 1, 'no call "w9-none" in'),
        (["LOG", "--set", "turns.min_silnce_ms=3"], 2, 'did you mean "min_silence_ms"?'),
        (["LOG", "--set", "turns.min_silence_ms=soon"], 2, "must be an integer"),
        (["LOG", "--set", "stt.model=base"], 2, "only turns.* can change in a replay"),
        (["LOG", "--persona", "nobody"], 2, 'unknown persona "nobody"'),
        (["LOG", "--timeline", "/dev/null/x.svg"], 1, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    log: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    message: str,
) -> None:
    given = [str(log) if argument == "LOG" else argument for argument in arguments]
    assert main(["replay", *given, "--set", f"calls.log_dir={log.parent}"]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err and printed.err.count("error:") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "of an older Parley, or no log of a call"),
        (b'{"t": 0, "event": "log_opened"}\n', "of an older Parley"),
        (b"RIFF\x00\xff\xfe\n", "call.jsonl"),
        (b"[project]\nname = 'x'\n", "line 1: is not JSON"),
    ],
)
def test_a_file_that_is_no_record_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, message: str
) -> None:
    path = tmp_path / "call.jsonl"
    path.write_bytes(content)
    assert main(["replay", str(path)]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.startswith("error: ") and len(printed.splitlines()) == 1


def test_where_no_logs_are_kept_a_path_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "w0-ab12", "--set", "calls.log_dir="]) == 1
    assert "calls.log_dir is empty" in capsys.readouterr().err


def test_the_picture_in_the_documentation_is_drawn_from_the_sample_beside_it(
    tmp_path: Path,
) -> None:
    drawn = tmp_path / "turns.svg"
    assert main(["replay", str(DOCS / "turns-sample.jsonl"), "--timeline", str(drawn)]) == 0
    assert drawn.read_text() == (DOCS / "turns-timeline.svg").read_text()
