"""The TTS process: killed, drained, orphaned, refused; the same client lives through it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tts.client import TtsClient
from tts.errors import Unavailable
from tts.types import SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
LONG = SynthesisRequest("This sentence is one of very many that follow. " * 40, "heart", "en")
SHORT = SynthesisRequest("Hello again.", "heart", "en")


def command(folder: Path, *options: str) -> list[str]:
    config = folder / "tts.toml"
    config.write_text('engines = ["hibari"]\n', encoding="utf-8")
    address = f"unix:{folder / 's'}"
    return [
        *[sys.executable, "-m", "tts", "serve", "--address", address],
        *(options if "--settings" in options else ["--config", str(config), *options]),
    ]


@contextmanager
def server(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command(folder, *options), cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until_ready(client: TtsClient) -> None:
    async with asyncio.timeout(60):
        while not await client.ready():  # noqa: ASYNC110 - another process sets it
            await asyncio.sleep(0.02)


def client_of(folder: Path) -> TtsClient:
    return TtsClient(f"unix:{folder / 's'}")


def test_a_kill_in_mid_stream_is_unavailable_and_the_same_client_recovers(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = client_of(tmp_path)
        try:
            with pytest.raises(Unavailable):
                await client.synthesize(SHORT)
            with server(tmp_path) as process:
                await until_ready(client)
                stream = client.stream(LONG)
                await anext(stream)
                process.kill()
                with pytest.raises(Unavailable):
                    async for _ in stream:
                        pass
                process.wait()
                assert not await client.ready()
                with pytest.raises(Unavailable):
                    await client.voices()
            with server(tmp_path):
                await until_ready(client)
                assert [voice.id for voice in await client.voices()] == ["heart"]
                assert (await client.synthesize(SHORT)).is_final
        finally:
            await client.close()
            await client.close()

    asyncio.run(scenario())


def test_sigterm_lets_running_streams_finish_takes_no_new_ones_and_exits_0(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        client = client_of(tmp_path)
        with server(tmp_path) as process:
            await until_ready(client)
            stream = client.stream(LONG)
            chunks: list[SpeechChunk] = [await anext(stream)]
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                while await client.ready():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            with pytest.raises(Unavailable):
                await client.synthesize(SHORT)
            chunks += [chunk async for chunk in stream]
            assert await asyncio.to_thread(process.wait, 30) == 0
        assert chunks[-1].is_final
        assert len(chunks[-1].pcm) > 0
        await client.close()

    asyncio.run(scenario())


def test_a_server_whose_parent_dies_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = client_of(tmp_path)
        arguments = command(tmp_path, "--exit-with-parent")
        starter = f"import subprocess; subprocess.Popen({arguments!r}).wait()"
        parent = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT)  # noqa: ASYNC220
        try:
            await until_ready(client)
            (child,) = psutil.Process(parent.pid).children()
            parent.kill()
            parent.wait()
            await asyncio.to_thread(psutil.wait_procs, [child], 30)
            gone = not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
            assert gone, "the server outlived its parent"
        finally:
            await client.close()
            if parent.poll() is None:
                parent.kill()
                parent.wait()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--settings", '{"threads": 0}'], 2, "threads = 0"),
        (["--settings", "{"], 2, "not JSON"),
        (["--config", "/nowhere.toml"], 2, "No such file"),
        (["--address", "unix:/nowhere/at/all/s"], 1, "cannot listen on unix:/nowhere"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, options: list[str], status: int, words: str
) -> None:
    done = subprocess.run(
        command(tmp_path, *options), cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_socket_is_its_owners_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        client = client_of(tmp_path)
        with server(tmp_path):
            await until_ready(client)
            assert os.stat(tmp_path / "s").st_mode & 0o077 == 0
        await client.close()

    asyncio.run(scenario())
