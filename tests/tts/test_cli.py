"""What the command line makes of its options."""

from pathlib import Path

import pytest

from tts import cli
from tts.access import Access
from tts.config import Secrets, ServiceConfig, parse


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServiceConfig]:
    """The configurations that a service would be started with."""
    found: list[ServiceConfig] = []

    async def serve(config: ServiceConfig, **_: object) -> None:
        found.append(config)

    monkeypatch.setattr(cli, "serve", serve)
    return found


def run(*options: str) -> int:
    return cli.main(["serve", "--address", "unix:/nowhere/s", *options])


def test_without_options_it_is_the_defaults(served: list[ServiceConfig]) -> None:
    assert run() == 0
    assert served == [ServiceConfig()]


def test_options_override_the_file_and_leave_the_rest_of_it(
    served: list[ServiceConfig], tmp_path: Path
) -> None:
    path = tmp_path / "tts.toml"
    path.write_text(
        'threads = 3\n[gpt_sovits]\nvoices_dir = "a"\npretrained_dir = "b"\nbudget_mb = 7\n',
        encoding="utf-8",
    )
    assert run("--config", str(path), "--voices", "mine", "--device", "cuda:1") == 0
    (config,) = served
    assert (config.threads, config.gpt_sovits.budget_mb) == (3, 7)
    assert config.gpt_sovits.voices_dir == Path("mine")
    assert config.gpt_sovits.pretrained_dir == tmp_path / "b"
    assert config.gpt_sovits.device == "cuda:1"


def test_a_bad_option_is_refused_before_anything_starts(served: list[ServiceConfig]) -> None:
    assert run("--device", "tpu") == 2
    assert served == []


def test_a_service_that_nobody_could_reach_is_not_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["serve"]) == 2
    assert "--address, --http" in capsys.readouterr().err


def test_a_key_is_printed_once_with_the_table_that_lets_its_owner_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["key", "ann"]) == 0
    printed = capsys.readouterr().out
    (key,) = (line for line in printed.splitlines() if line.startswith("parley_"))
    _, table = printed.split("[[tts.service.access.keys]]\n")
    access = Access(parse(f"[[access.keys]]\n{table}").access, Secrets())
    assert access.caller(key).name == "ann"
    assert cli.main(["key", "two words"]) == 2
    assert "name = 'two words'" in capsys.readouterr().err
