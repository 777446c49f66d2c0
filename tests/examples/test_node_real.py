"""The examples for Node.js, against a door: a sentence, and a text while it is being written."""

import asyncio
import os
import shutil
import signal
import subprocess
import wave
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.tts.certificates import Authority
from tests.tts.doors import KEY, grpc_door, running
from tests.tts.fake_engine import FakeEngine, ramp_pcm
from tests.tts.reading_engine import WORD_SAMPLES, ReadingEngine
from tests.tts.test_contract import CONFIG, RATE_HZ, until
from tts.config import Secrets

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "examples" / "node"
NPM_TIMEOUT_S = 180.0


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    """What the examples need, from their lock file."""
    done_before = FOLDER / "node_modules" / ".package-lock.json"
    lock = FOLDER / "package-lock.json"
    if done_before.exists() and done_before.stat().st_mtime >= lock.stat().st_mtime:
        return
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=NPM_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr


@asynccontextmanager
async def example(
    script: str, *arguments: str | Path, **environment: str
) -> AsyncIterator[Process]:
    """One that runs; `environment` is all that it sees of one."""
    node = shutil.which("node")
    assert node is not None
    process = await asyncio.create_subprocess_exec(
        *(node, str(FOLDER / script), *map(str, arguments)),
        env={"PATH": os.environ["PATH"], **environment},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def said_by(process: Process) -> tuple[int | None, list[str], str]:
    """Exit status, lines, and what went wrong, once it has ended."""
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode().splitlines(), err.decode().strip()


def audio(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        return file.readframes(file.getnframes())


def test_a_sentence_becomes_a_file_over_tls_with_a_key(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"

    async def scenario() -> None:
        authority = Authority(tmp_path)
        config = CONFIG.model_copy(update={"tls": authority.server()})
        async with (
            running(FakeEngine(), config) as service,
            grpc_door(service, config, "127.0.0.1:0", secrets=Secrets(token=KEY)) as port,
        ):
            # The certificate is for this machine by its name and by its address.
            trusting = {"PARLEY_TTS": f"localhost:{port}", "PARLEY_CA": str(authority.ca)}
            words = ("say.js", "ann", "Hi Ann.")
            async with example(*words, path, PARLEY_KEY=KEY, **trusting) as process:
                status, lines, wrong = await said_by(process)
            assert (status, wrong) == (0, "")
            assert lines[-1] == f"1.000 s of audio in {path}"
            async with example(*words, tmp_path / "none", **trusting) as process:
                status, lines, wrong = await said_by(process)
            assert status == 1
            assert wrong.startswith("unauthenticated: a key is needed")

    asyncio.run(scenario())
    assert audio(path) == ramp_pcm(1000)


def test_a_text_is_heard_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"

    async def scenario() -> None:
        engine = ReadingEngine()
        async with (
            running(engine, CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0") as port,
            example("write.js", "ann", path, PARLEY_TTS=f"127.0.0.1:{port}") as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"Good morning, A")
            async with asyncio.timeout(30):
                first = await process.stdout.readline()
            assert first == b"0.00 s: characters 0-4\n"
            assert engine.said == ["Good morning,"]
            process.stdin.write(b"nn. How are you?")
            process.stdin.close()
            status, lines, wrong = await said_by(process)
            assert (status, wrong) == (0, "")
            assert lines == [
                "0.10 s: characters 5-12",
                "0.20 s: characters 14-17",
                "0.30 s: characters 19-22",
                "0.40 s: characters 23-26",
                "0.50 s: characters 27-30",
                f"0.600 s of audio in {path}",
            ]

    asyncio.run(scenario())
    assert audio(path) == ramp_pcm(6 * WORD_SAMPLES)


def test_an_interrupt_cancels_in_band(tmp_path: Path) -> None:
    path = tmp_path / "said.wav"

    async def scenario() -> None:
        address = f"unix:{tmp_path / 's'}"
        engine = ReadingEngine()
        async with (
            running(engine, CONFIG) as service,
            grpc_door(service, CONFIG, address),
            example("write.js", "ann", path, PARLEY_TTS=address) as process,
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"Good morning, A")
            async with asyncio.timeout(30):
                for _ in range(2):
                    await process.stdout.readline()
            # All of the clause's audio has left, too.
            await until(lambda: engine.said == ["Good morning,"])
            process.send_signal(signal.SIGINT)
            status, lines, wrong = await said_by(process)
            assert (status, wrong) == (0, "")
            assert lines == ["cancelled after 200 samples", f"0.200 s of audio in {path}"]
            await until(lambda: service.streams == 0)
            assert engine.dropped == ["Good morning, A"]

    asyncio.run(scenario())
    assert audio(path) == ramp_pcm(2 * WORD_SAMPLES)
