"""The client's own distribution: built, installed by itself, and speaking to a door."""

import asyncio
import os
import re
import subprocess
import sys
import wave
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.tts.certificates import Authority
from tests.tts.doors import KEY, grpc_door, running
from tests.tts.fake_engine import FakeEngine, ramp_pcm
from tests.tts.reading_engine import WORD_SAMPLES, ReadingEngine
from tests.tts.test_contract import CONFIG, RATE_HZ
from tts.config import Secrets

pytestmark = pytest.mark.real

FOLDER = Path(__file__).parents[2] / "clients" / "python"
NEEDED = ("grpc", "grpc_health", "google.protobuf", "google._upb", "typing_extensions")
BUILD_TIMEOUT_S = 180.0

CANCELLING = """
import asyncio, sys
from pathlib import Path
from tts.client import ClientTls, TtsClient
from tts.errors import Unauthenticated
from tts.types import SynthesisRequest

async def texts(cancel):
    yield "Good morning, A"
    await asyncio.Event().wait()

async def main(address, ca, key):
    tls = ClientTls(ca=Path(ca))
    stranger = TtsClient(address, tls=tls)
    try:
        await stranger.voices()
    except Unauthenticated as error:
        print(error.code)
    await stranger.close()
    client = TtsClient(address, tls=tls, key=key)
    cancel = asyncio.Event()
    request = SynthesisRequest("", "ann", "en")
    samples = 0
    async for chunk in client.stream_text(request, texts(cancel), cancel=cancel):
        samples += len(chunk.pcm) // 2
        if samples == 200:
            cancel.set()
    print(samples, chunk.first_sample, chunk.is_cancelled)
    await client.close()
    ours = {name for name in sys.modules if name.split(".")[0] in ("tts", "numpy", "torch")}
    print(sorted(ours))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a program's path is that has only the distribution and what it depends on."""
    folder = tmp_path_factory.mktemp("client")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = folder / "wheels"
    for command in (
        ["wheel", "--no-deps", "--wheel-dir", wheels, FOLDER],
        ["install", "--no-deps", "--no-index", "--find-links", wheels]
        + ["--target", folder / "installed", "parley-tts-client"],
    ):
        done = subprocess.run(
            [*pip, *command], capture_output=True, text=True, timeout=BUILD_TIMEOUT_S
        )
        assert done.returncode == 0, done.stderr
    needed = folder / "needed"
    for name in NEEDED:
        spec = find_spec(name)
        assert spec is not None
        origin = Path(str(spec.origin))
        source = origin.parent if origin.name == "__init__.py" else origin
        link = needed / Path(*name.split(".")[:-1]) / source.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)
    return os.pathsep.join([str(folder / "installed"), str(needed)])


async def ran(path: str, script: Path, *arguments: str) -> str:
    """What a program says that sees nothing of this environment but `path`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-S", "-P", script.name, *arguments),
        cwd=script.parent,
        env={"PYTHONPATH": path, "GRPC_VERBOSITY": "NONE"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    return said.decode()


def test_the_example_on_its_page_says_a_sentence_into_a_file(path: str, tmp_path: Path) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    script = tmp_path / "say.py"
    script.write_text(example, encoding="utf-8")

    async def scenario() -> None:
        async with (
            running(FakeEngine(), CONFIG) as service,
            grpc_door(service, CONFIG, "127.0.0.1:0") as port,
        ):
            await ran(path, script, f"127.0.0.1:{port}", "ann", "Good morning.")

    asyncio.run(scenario())
    with wave.open(str(tmp_path / "said.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, RATE_HZ)
        assert file.readframes(file.getnframes()) == ramp_pcm(1000)


def test_it_is_refused_and_cancels_and_imports_nothing_heavy(path: str, tmp_path: Path) -> None:
    script = tmp_path / "cancelling.py"
    script.write_text(CANCELLING, encoding="utf-8")

    async def scenario() -> str:
        authority = Authority(tmp_path)
        config = CONFIG.model_copy(update={"tls": authority.server()})
        async with (
            running(ReadingEngine(), config) as service,
            grpc_door(service, config, "127.0.0.1:0", secrets=Secrets(token=KEY)) as port,
        ):
            return await ran(path, script, f"127.0.0.1:{port}", str(authority.ca), KEY)

    refused, said, modules = asyncio.run(scenario()).splitlines()
    assert refused == "unauthenticated"
    assert said == f"{2 * WORD_SAMPLES} {2 * WORD_SAMPLES} True"
    assert modules == str(
        [
            "tts",
            "tts.client",
            "tts.errors",
            "tts.servers",
            "tts.servers.messages",
            "tts.servers.proto",
            "tts.servers.proto.tts_pb2",
            "tts.servers.proto.tts_pb2_grpc",
            "tts.servers.status",
            "tts.servers.until",
            "tts.types",
        ]
    )
