"""Schemathesis, made of the document alone, finds nothing that the door does otherwise."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.tts.doors import running
from tests.tts.fake_engine import FakeEngine
from tts.access import Access
from tts.config import GptSovitsConfig, JobsConfig, Secrets, ServiceConfig
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.rest import Rest

pytestmark = pytest.mark.real

KEY = "a-key-for-schemathesis"
CONFIG_FILE = Path(__file__).with_name("schemathesis.toml")
COMMAND = Path(sys.executable).with_name("schemathesis")
EXAMPLES = 12


async def output_of(*command: str | Path, folder: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode(errors="replace")


def test_every_operation_does_what_its_document_says(tmp_path: Path) -> None:
    async def scenario() -> str:
        config = ServiceConfig(
            gpt_sovits=GptSovitsConfig(
                voices_dir=tmp_path / "voices", pretrained_dir=tmp_path / "pretrained"
            ),
            jobs=JobsConfig(dir=tmp_path / "jobs"),
        )
        secrets = Secrets(token=KEY)
        async with running(FakeEngine(), config) as service:
            metrics, health = Metrics(), Health(service, config.health)
            rest = Rest(config, secrets, Access(config.access, secrets), service, health, metrics)
            try:
                port = await rest.start("127.0.0.1:0")
                await health.start()
                await rest.ready()
                code, said = await output_of(
                    COMMAND,
                    *("--config-file", str(CONFIG_FILE)),
                    *("run", f"http://127.0.0.1:{port}/openapi.json", "--no-color"),
                    *("--header", f"Authorization: Bearer {KEY}"),
                    *("--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "5"),
                    "--generation-deterministic",
                    *("--request-timeout", "20"),
                    folder=tmp_path,
                )
            finally:
                await rest.stop(0)
                await health.stop()
        assert code == 0, said
        return said

    said = asyncio.run(scenario())
    tested = re.search(r"Tested: (\d+)", said)
    generated = re.search(r"(\d+) generated", said)
    # It was not for want of asking.
    assert tested is not None and int(tested[1]) >= 20, said
    assert generated is not None and int(generated[1]) >= 500, said
