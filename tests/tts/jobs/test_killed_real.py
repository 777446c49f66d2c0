"""kill -9 in the midst of jobs: none is lost, and no sample is another than without it."""

import asyncio
import hashlib
import io
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.tts.jobs.bucket import BUCKET, bucket

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
KILLS, SEED = 4, 5
FORMATS = ("wav", "mp3", "flac")
NUMBERS = range(len(FORMATS))
LINES = (
    "The harbour was empty when the last of the boats came in. ",
    "Nobody had lit the lamps, and the tide ran out without a sound. ",
    "What did she expect to find there, after so many years? ",
)


def text(number: int) -> str:
    """About 100 s of audio; no two alike."""
    return "".join(f"Part {number}, line {n}. {LINES[n % 3]}" for n in range(20))


class Server:
    """One life of the service: a process that is killed in the end."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        config = {"engines": ["hibari"], "jobs": {"dir": str(folder / "jobs")} | settings}
        self._socket = folder / "h"
        self._process = subprocess.Popen(
            [
                *[sys.executable, "-m", "tts", "serve", "--log-level", "ERROR"],
                *["--address", f"unix:{folder / 'g'}", "--http", f"unix:{self._socket}"],
                *["--settings", json.dumps(config)],
            ],
            cwd=ROOT,
        )

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            "http://service", connector=aiohttp.UnixConnector(str(self._socket))
        )

    async def ready(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(90):
            while True:
                try:
                    async with session.get("/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    assert self._process.poll() is None, "the service has ended"
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@asynccontextmanager
async def serving(
    folder: Path, settings: dict[str, Any]
) -> AsyncIterator[tuple[Server, aiohttp.ClientSession]]:
    server = Server(folder, settings)
    try:
        async with server.session() as session:
            await server.ready(session)
            yield server, session
    finally:
        server.kill()


async def send(session: aiohttp.ClientSession, number: int) -> str:
    body = {"text": text(number), "voice": "heart", "language": "en"}
    body["format"] = FORMATS[number % len(FORMATS)]
    headers = {"Idempotency-Key": f"job {number}", "Content-Type": "application/json"}
    data = io.BytesIO(json.dumps(body).encode())
    async with session.post("/v1/jobs", data=data, headers=headers) as answer:
        assert answer.status == 202
        return (await answer.json())["id"]


async def seen(session: aiohttp.ClientSession, job_id: str) -> tuple[dict[str, Any], bytes | None]:
    """A job and, if it is done, its audio."""
    async with session.get(f"/v1/jobs/{job_id}") as answer:
        assert answer.status == 200, "a job was lost"
        job = await answer.json()
    if job["state"] != "done":
        return job, None
    async with session.get(job["audio"]["url"]) as answer:
        assert answer.status == 200
        audio = await answer.read()
    assert hashlib.sha256(audio).hexdigest() == job["audio"]["sha256"]
    return job, audio


async def finished(session: aiohttp.ClientSession, ids: list[str]) -> list[bytes]:
    audios: dict[str, bytes] = {}
    async with asyncio.timeout(180):
        while len(audios) < len(ids):
            for job_id in ids:
                job, audio = await seen(session, job_id)
                assert job["state"] != "failed", job["error"]
                if audio is not None:
                    audios[job_id] = audio
            await asyncio.sleep(0.05)
    return [audios[job_id] for job_id in ids]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The audio of every job when nobody disturbs it."""
    folder = tmp_path_factory.mktemp("calm")

    async def scenario() -> list[bytes]:
        async with serving(folder, {}) as (_, session):
            return await finished(session, [await send(session, number) for number in NUMBERS])

    return asyncio.run(scenario())


def test_killed_at_random_moments_every_job_ends_with_the_audio_of_an_undisturbed_run(
    tmp_path: Path, expected: list[bytes]
) -> None:
    async def scenario() -> None:
        chance = random.Random(SEED)
        folder, ids = tmp_path, dict[int, str]()
        for _ in range(KILLS):
            async with serving(folder, {"at_once": 2}) as (_, session):
                given = [seen(session, ids[number]) for number in ids]
                for (_, audio), number in zip(await asyncio.gather(*given), ids, strict=True):
                    assert audio in (None, expected[number])
                # Sent again: those that were taken before are the same jobs.
                life_s = chance.uniform(0.0, 2.5)
                dying = asyncio.create_task(asyncio.sleep(life_s), name="life")
                for number in NUMBERS:
                    if dying.done():
                        break
                    job_id = await send(session, number)
                    assert ids.setdefault(number, job_id) == job_id
                await dying
            for path in (folder / "jobs" / "results").glob("job_*"):
                assert path.read_bytes() in expected
        async with serving(folder, {"at_once": 2}) as (_, session):
            sent = [await send(session, number) for number in NUMBERS]
            assert [ids.setdefault(number, sent[number]) for number in NUMBERS] == sent
            assert await finished(session, sent) == expected

    asyncio.run(scenario())


def test_killed_while_a_file_is_uploaded_it_is_uploaded_again(
    tmp_path: Path, expected: list[bytes]
) -> None:
    async def scenario() -> None:
        folder = tmp_path
        with bucket() as (endpoint, client):
            store = {"store": f"s3://{BUCKET}/jobs", "endpoint": endpoint}
            async with serving(folder, store) as (_, session):
                job_id = await send(session, 1)
                begun = await uploading(client, set())
            # The next upload begins when the service has, or just before it says so.
            server = Server(folder, store)
            try:
                await uploading(client, begun)
            finally:
                server.kill()
            # Nothing, or all of it if the kill came a moment late; never a part.
            for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
                assert (
                    client.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() == expected[1]
                )
            async with serving(folder, store) as (_, session):
                assert await finished(session, [job_id]) == expected[1:2]
                job, _ = await seen(session, job_id)
                assert job["attempts"] == 3
            kept = client.get_object(Bucket=BUCKET, Key=f"jobs/{job_id}.mp3")
            assert kept["Body"].read() == expected[1]

    asyncio.run(scenario())


async def uploading(client: Any, known: set[str]) -> set[str]:
    """Wait for an upload that is not known, begun by another process."""
    async with asyncio.timeout(90):
        while True:
            found = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
            if new := {upload["UploadId"] for upload in found} - known:
                return new
            await asyncio.sleep(0.01)
