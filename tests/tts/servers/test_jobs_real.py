"""Jobs over HTTP: orders, pages, ranges, refusals, and whose job it is."""

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.tts.jobs.bucket import BUCKET, bucket
from tests.tts.jobs.talker import Talker, running, samples
from tests.tts.jobs.talker import config as jobs_config
from tests.tts.servers.http_doors import KEY, MANAGER_KEY, WITH_KEYS, served
from tts.config import AccessConfig, ServiceConfig
from tts.jobs.runner import JobRunner
from tts.quotas import Quotas
from tts.servers.jobs import JobsApi, byte_range

pytestmark = pytest.mark.real

TEXT = "This sentence is one of a long text. " * 100
BODY = {"text": TEXT, "voice": "ann", "language": "en", "format": "pcm"}


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    with bucket() as serving:
        yield serving


class Client:
    """One caller."""

    def __init__(self, session: aiohttp.ClientSession, base: str, key: str) -> None:
        self._session = session
        self._base = base
        self._key = key

    async def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Status, body (JSON where it is) and the answer itself."""
        async with self._session.request(
            method,
            self._base + path,
            # aiohttp wants a long body as a file.
            data=None if body is None else io.BytesIO(json.dumps(body).encode()),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            | {name.replace("_", "-"): value for name, value in headers.items()},
        ) as answer:
            content = await answer.read()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(content) if is_json else content, answer

    async def job(self, body: dict[str, Any] = BODY, **headers: str) -> dict[str, Any]:
        status, job, answer = await self.ask("POST", "/v1/jobs", body, **headers)
        assert (status, answer.headers["Location"]) == (202, f"/v1/jobs/{job['id']}")
        return job

    async def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                _, now, _ = await self.ask("GET", f"/v1/jobs/{job['id']}")
                if now["ended_at"] is not None:
                    return now
                await asyncio.sleep(0.01)


@asynccontextmanager
async def api(
    folder: Path, talker: Talker | None = None, per_minute: int | None = None, **jobs: Any
) -> AsyncIterator[tuple[Client, Client, JobRunner]]:
    """Two callers with a key each, and what is behind the door.  `per_minute`: what each may."""
    keys = tuple(
        key.model_copy(update={"requests_per_minute": per_minute}) for key in WITH_KEYS.access.keys
    )
    config: ServiceConfig = jobs_config(folder, **jobs).model_copy(
        update={"access": AccessConfig(keys=keys)}
    )
    async with (
        running(talker or Talker(), config) as runner,
        served(JobsApi(runner, config, Quotas()).operations(), config) as (_, port),
        aiohttp.ClientSession() as session,
    ):
        base = f"http://127.0.0.1:{port}"
        yield Client(session, base, KEY), Client(session, base, MANAGER_KEY), runner


def test_a_job_is_one_of_its_owners_requests_of_a_minute(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path, per_minute=2) as (me, other, _):
            for _ in range(2):
                await me.job()
            status, body, answer = await me.ask("POST", "/v1/jobs", BODY)
            assert (status, body["error"]["code"]) == (429, "rate_limited")
            assert 0 < int(answer.headers["Retry-After"]) <= 30
            # Looking is free, and nobody else is concerned.
            assert (await me.ask("GET", "/v1/jobs"))[0] == 200
            await other.job()

    asyncio.run(scenario())


def test_a_text_becomes_a_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, _, _):
            job = await me.job()
            assert (job["state"], job["chars"], job["audio"]) == ("queued", len(TEXT), None)
            job = await me.ended(job)
            status, audio, answer = await me.ask("GET", job["audio"]["url"])
        assert (status, audio) == (200, samples(TEXT))
        assert job["audio"] == {
            "url": f"/v1/jobs/{job['id']}/audio",
            "content_type": "audio/pcm",
            "size_bytes": len(audio),
            "duration_s": round(len(TEXT) / 8000, 3),
            "sha256": hashlib.sha256(audio).hexdigest(),
        }
        assert answer.headers["Content-Length"] == str(len(audio))
        assert answer.headers["Content-Type"] == "audio/pcm"
        assert answer.headers["ETag"] == f'"{job["audio"]["sha256"]}"'
        assert job["expires_at"] - job["ended_at"] == 7 * 86_400

    asyncio.run(scenario())


def test_a_body_may_be_as_long_as_the_longest_text(tmp_path: Path) -> None:
    """Larger than other requests, and every character escaped."""

    async def scenario() -> None:
        async with api(tmp_path, job_chars=200_000) as (me, _, _):
            text = "\U0001f600" * 199_999 + "a"
            job = await me.job(BODY | {"text": text})
            assert job["chars"] == 200_000
            status, body, _ = await me.ask("POST", "/v1/jobs", BODY | {"text": text + "b"})
            assert (status, body["error"]["code"]) == (413, "text_too_long")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changes", "status", "code", "words"),
    [
        ({"text": ""}, 400, "bad_request", "text"),
        ({"text": "..."}, 400, "bad_request", "letter or digit"),
        ({"voice": "eve"}, 404, "voice_not_found", "ann"),
        ({"language": "zh"}, 400, "bad_request", "en"),
        ({"speed": 9}, 400, "bad_request", "speed"),
        ({"format": "midi"}, 400, "bad_request", "format"),
        ({"webhook": "https://example.org/"}, 400, "bad_request", "webhook"),
        ({"colour": "red"}, 400, "bad_request", "colour"),
        ({"seed": -1}, 400, "bad_request", "seed"),
    ],
)
def test_a_bad_order_names_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], status: int, code: str, words: str
) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, _, _):
            answered, body, _ = await me.ask("POST", "/v1/jobs", BODY | changes)
            assert (answered, body["error"]["code"]) == (status, code)
            assert words in body["error"]["message"]
            assert (await me.ask("GET", "/v1/jobs"))[1] == {"jobs": [], "has_more": False}

    asyncio.run(scenario())


def test_the_same_idempotency_key_is_the_same_job(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, you, _):
            first = await me.job(Idempotency_Key="k-1")
            assert (await me.job(Idempotency_Key="k-1"))["id"] == first["id"]
            assert (await me.job(Idempotency_Key="k-2"))["id"] != first["id"]
            assert (await you.job(Idempotency_Key="k-1"))["id"] != first["id"]
            status, body, _ = await me.ask(
                "POST", "/v1/jobs", BODY | {"speed": 1.5}, Idempotency_Key="k-1"
            )
            assert (status, body["error"]["param"]) == (400, "Idempotency-Key")
            status, _, _ = await me.ask("POST", "/v1/jobs", BODY, Idempotency_Key="k" * 256)
            assert status == 400

    asyncio.run(scenario())


def test_a_caller_reaches_only_its_own_jobs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, you, _):
            job = await me.ended(await me.job())
            one = f"/v1/jobs/{job['id']}"
            for method, path in [
                ("GET", one),
                ("GET", f"{one}/audio"),
                ("POST", f"{one}/cancel"),
                ("DELETE", one),
                ("GET", f"/v1/jobs?after={job['id']}"),
            ]:
                status, body, _ = await you.ask(method, path)
                assert (status, body["error"]["code"]) == (404, "job_not_found")
            assert (await you.ask("GET", "/v1/jobs"))[1]["jobs"] == []
            assert (await me.ask("GET", one))[1] == job

    asyncio.run(scenario())


def test_jobs_come_in_pages_newest_first(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, _, _):
            sent = [(await me.job(BODY | {"text": f"Text {n}."}))["id"] for n in range(5)]
            seen, after = [], ""
            for more in (True, True, False):
                _, page, _ = await me.ask("GET", f"/v1/jobs?limit=2&after={after}")
                seen += [job["id"] for job in page["jobs"]]
                assert page["has_more"] is more
                after = seen[-1]
            assert seen == sent[::-1]
            assert (await me.ask("GET", "/v1/jobs?limit=0"))[0] == 400

    asyncio.run(scenario())


def test_a_full_queue_says_when_to_try_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with api(tmp_path, talker, max_waiting=0) as (me, _, _):
            status, body, answer = await me.ask("POST", "/v1/jobs", BODY)
            assert (status, body["error"]["code"]) == (429, "overloaded")
            assert answer.headers["Retry-After"] == "30"

    asyncio.run(scenario())


def test_a_job_can_be_cancelled_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        talker = Talker(gate=asyncio.Semaphore(0))
        async with api(tmp_path, talker) as (me, _, _):
            job = await me.job()
            one = f"/v1/jobs/{job['id']}"
            status, body, _ = await me.ask("GET", f"{one}/audio")
            assert (status, body["error"]["code"]) == (404, "job_not_found")
            status, job, _ = await me.ask("POST", f"{one}/cancel")
            assert (status, job["state"]) == (200, "cancelled")
            assert (await me.ask("POST", f"{one}/cancel"))[:2] == (200, job)
            assert (await me.ask("DELETE", one))[:2] == (204, b"")
            assert [(await me.ask(method, one))[0] for method in ("GET", "DELETE")] == [404, 404]

    asyncio.run(scenario())


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_ranges_are_given_as_they_are_asked_for(
    tmp_path: Path, where: str, request: pytest.FixtureRequest
) -> None:
    store = {}
    if where == "bucket":
        endpoint, _ = request.getfixturevalue("s3")
        store = {"store": f"s3://{BUCKET}/ranges", "endpoint": endpoint}

    async def scenario() -> None:
        async with api(tmp_path, **store) as (me, _, _):
            job = await me.ended(await me.job())
            path, etag = job["audio"]["url"], f'"{job["audio"]["sha256"]}"'
            whole, size = samples(TEXT), len(samples(TEXT))
            assert (await me.ask("GET", path))[:2] == (200, whole)
            for header, start, end in [
                ("bytes=0-0", 0, 1),
                ("bytes=100-299", 100, 300),
                ("bytes=100-", 100, size),
                ("bytes=-7", size - 7, size),
                (f"bytes=5-{size * 2}", 5, size),
            ]:
                status, content, answer = await me.ask("GET", path, Range=header)
                assert (status, content) == (206, whole[start:end])
                assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
                assert answer.headers["Content-Length"] == str(end - start)
            for header in (f"bytes={size}-", "bytes=-0"):
                status, body, answer = await me.ask("GET", path, Range=header)
                assert (status, body["error"]["code"]) == (416, "range_not_satisfiable")
                assert answer.headers["Content-Range"] == f"bytes */{size}"
            # A part of another file would not fit what the client has.
            status, content, _ = await me.ask("GET", path, Range="bytes=1-2", If_Range='"other"')
            assert (status, content) == (200, whole)
            status, _, _ = await me.ask("GET", path, Range="bytes=1-2", If_Range=etag)
            assert status == 206

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("header", "run"),
    [
        ("", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-50", (2, 10)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-30", (0, 10)),
        ("bytes=-0", (10, 10)),
        ("bytes=10-", (10, 10)),
        ("bytes=99-100", (99, 10)),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=\u0661-", None),
        ("bytes=" + "9" * 100 + "-", None),
        ("lines=1-2", None),
    ],
)
def test_a_range_header_means_a_run_of_bytes_or_all(
    header: str, run: tuple[int, int] | None
) -> None:
    assert byte_range(header, 10) == run


def test_a_file_that_cannot_be_read_is_refused_before_the_answer_begins(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with api(tmp_path) as (me, _, _):
            job = await me.ended(await me.job())
            file = next((tmp_path / "jobs" / "results").iterdir())
            file.unlink()
            status, body, _ = await me.ask("GET", job["audio"]["url"])
            assert (status, body["error"]["code"]) == (404, "job_not_found")
            # It can still be deleted.
            assert (await me.ask("DELETE", f"/v1/jobs/{job['id']}"))[0] == 204

    asyncio.run(scenario())
