"""docs/protocols/rest.md: its commands and code run as they stand there, in a real voice."""

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import pytest

from tests.tts.rest import http_door
from tts.config import ServiceConfig
from tts.engines import builders
from tts.errors import VoiceNotFound
from tts.servers.failures import REFUSALS, error_body
from tts.servers.openai import VOICE_NAMES, SpeechRequest
from tts.service import SynthesisService

pytestmark = pytest.mark.real

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "rest.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:7861"
CONFIG = ServiceConfig(engines=("hibari",))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[int]:
    service = SynthesisService(CONFIG, builders(CONFIG))
    try:
        await service.start()
        async with http_door(service, CONFIG, "127.0.0.1:0", folder) as port:
            yield port
    finally:
        await service.stop()


async def run(*command: str, folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


def seconds(file: bytes) -> float:
    with av.open(io.BytesIO(file)) as opened:
        frames = list(opened.decode(audio=0))
    return sum(frame.samples for frame in frames) / frames[0].sample_rate


def test_every_command_and_the_program_speak(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with served(tmp_path) as port:
            here = f"http://127.0.0.1:{port}"
            for command in blocks("sh"):
                assert ADDRESS in command
                await run("bash", "-c", command.replace(ADDRESS, here), folder=tmp_path)
            (program,) = blocks("python")
            program = program.replace(ADDRESS, here)
            await run(sys.executable, "-W", "error", "-c", program, folder=tmp_path)

    asyncio.run(scenario())
    whole = seconds((tmp_path / "morning.wav").read_bytes())
    assert 0.8 < whole < 2.5
    assert 0 <= seconds((tmp_path / "morning.mp3").read_bytes()) - whole < 0.1
    lines = (tmp_path / "events.txt").read_text(encoding="utf-8").split("\n\n")
    found = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    assert found[-1]["type"] == "speech.audio.done"
    assert found[-1]["usage"]["output_tokens"] == round(whole / 0.05)
    text = "Good morning, Ann."
    said = [
        text[mark["text_start"] : mark["text_end"]]
        for event in found[:-1]
        for mark in event["marks"]
    ]
    assert said == ["Good", "morning", "Ann"]


def test_the_error_on_the_page_is_what_is_sent() -> None:
    (shown,) = blocks("json")
    error = VoiceNotFound("voice = 'eve': there are heart").about("voice")
    assert json.loads(shown) == error_body(error)


def test_the_codes_on_the_page_are_those_of_http() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", PAGE, flags=re.MULTILINE))
    assert rows == {code: str(status) for code, status in REFUSALS.items()}


def test_every_field_of_a_request_stands_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert set(SpeechRequest.model_fields) <= named
    assert {"alloy", "nova"} <= set(VOICE_NAMES)
