"""The whole service as a process has it, with scripted voices: doors, readiness, signals, jobs."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.tts.fake_engine import VOICES
from tests.tts.test_contract import REQUEST, until
from tests.tts.test_roster import CAT, ChangingEngine
from tts.app import Addresses, App, run
from tts.client import TtsClient
from tts.config import ConfigError, JobsConfig, Secrets, ServiceConfig
from tts.jobs.runner import JobRunner

pytestmark = pytest.mark.real

Made = Callable[..., App]


@pytest.fixture
def engine() -> ChangingEngine:
    return ChangingEngine()


@pytest.fixture
def app_of(monkeypatch: pytest.MonkeyPatch, engine: ChangingEngine, tmp_path: Path) -> Made:
    monkeypatch.setattr("tts.app.builders", lambda config: {"fake": lambda: engine})

    def made(config: ServiceConfig | None = None, secrets: Secrets | None = None) -> App:
        addresses = Addresses(f"unix:{tmp_path / 'g'}", f"unix:{tmp_path / 'h'}")
        return App(config or ServiceConfig(), secrets or Secrets(), addresses)

    return made


@asynccontextmanager
async def http(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(path=str(folder / "h"))
    async with aiohttp.ClientSession("http://service", connector=connector) as session:
        yield session


@asynccontextmanager
async def started(app: App) -> AsyncIterator[App]:
    try:
        await app.start()
        yield app
    finally:
        await app.stop()


def test_both_doors_speak_and_tell_the_same_metrics(app_of: Made, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with started(app_of()), http(tmp_path) as session:
            client = TtsClient(f"unix:{tmp_path / 'g'}")
            try:
                assert await client.ready()
                spoken = await client.synthesize(REQUEST)
            finally:
                await client.close()
            body = {
                **{"model": "x", "voice": REQUEST.voice, "input": REQUEST.text},
                **{"language": REQUEST.language, "response_format": "pcm", "sample_rate_hz": 0},
            }
            async with session.post("/v1/audio/speech", json=body) as answer:
                assert await answer.read() == spoken.pcm
            async with session.get("/metrics") as answer:
                text = await answer.text()
        for door, engine in (("grpc", "fake"), ("openai", "fake")):
            labels = f'{{code="ok",door="{door}",engine="{engine}"}}'
            assert f"parley_tts_requests_total{labels} 1.0" in text.splitlines()

    asyncio.run(scenario())


def test_it_is_ready_once_it_can_speak_and_not_before(
    app_of: Made, engine: ChangingEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = threading.Event()

    def load() -> ChangingEngine:
        loaded.wait()
        return engine

    monkeypatch.setattr("tts.app.builders", lambda config: {"fake": load})

    async def scenario() -> None:
        app = app_of()
        starting = asyncio.create_task(app.start(), name="starting")
        try:
            await until((tmp_path / "h").exists)
            async with http(tmp_path) as session:
                async with session.get("/readyz") as answer:
                    assert answer.status == 503
                loaded.set()
                await starting
                async with session.get("/readyz") as answer:
                    assert answer.status == 200
        finally:
            loaded.set()
            await asyncio.gather(starting, return_exceptions=True)
            await app.stop()

    asyncio.run(scenario())


def test_jobs_that_another_process_has_cost_nobody_a_voice(app_of: Made, tmp_path: Path) -> None:
    config = ServiceConfig(jobs=JobsConfig(dir=tmp_path / "jobs"))

    async def scenario() -> None:
        other = app_of(config)
        holder = JobRunner(other.service, config, webhook_secret=None)
        await holder.start()
        try:
            async with started(app_of(config)) as app, http(tmp_path) as session:
                assert (await app.service.synthesize(REQUEST)).is_final
                body = {"text": "Hi.", "voice": "ann", "language": "en"}
                async with session.post("/v1/jobs", json=body) as answer:
                    assert answer.status == 503
                    assert (await answer.json())["error"]["code"] == "unavailable"
        finally:
            await holder.stop()

    asyncio.run(scenario())


def test_sighup_reads_the_voices_anew_and_sigterm_drains(
    app_of: Made, engine: ChangingEngine, tmp_path: Path
) -> None:
    async def scenario() -> None:
        app = app_of()
        ready = asyncio.Event()
        serving = asyncio.create_task(run(app, say=ready.set), name="serving")
        async with asyncio.timeout(20):
            await ready.wait()
            assert [voice.id for voice in app.service.voices] == [one.id for one in VOICES]
            engine.coming = (CAT,)
            os.kill(os.getpid(), signal.SIGHUP)
            await until(lambda: [voice.id for voice in app.service.voices] == ["cat"])
            engine.broken = True
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.sleep(0.05)
            assert [voice.id for voice in app.service.voices] == ["cat"]
            os.kill(os.getpid(), signal.SIGTERM)
            await serving
        assert engine.closed
        assert not app.health.is_serving

    asyncio.run(scenario())


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_without_keys_no_other_machine_is_served(door: str) -> None:
    async def scenario() -> None:
        addresses = Addresses(**{door: "0.0.0.0:0"})
        app = App(ServiceConfig(), Secrets(), addresses)
        with pytest.raises(ConfigError, match="loopback"):
            await app.start()
        await app.stop()

    asyncio.run(scenario())
