"""Where files are kept: whole or not at all, in a folder and in a bucket."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tts.jobs.bucket import BUCKET, bucket
from tests.tts.jobs.talker import Talker, audio, config, ended, order, running, samples
from tts.config import ConfigError, JobsConfig
from tts.errors import Unavailable
from tts.jobs.results import PART_BYTES, BucketResults, FolderResults, ResultStore, result_store

CONTENT = bytes(range(256)) * 5000
"""1.28 MB: more than is read at once."""


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Any]]:
    with bucket() as served:
        yield served


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.real)])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> ResultStore:
    if request.param == "folder":
        return FolderResults(tmp_path / "results")
    endpoint, _ = request.getfixturevalue("s3")
    return BucketResults(
        JobsConfig(store=f"s3://{BUCKET}/{tmp_path.name}", endpoint=endpoint, dir=tmp_path)
    )


async def blocks(content: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(store: ResultStore, key: str, start: int, end: int) -> bytes:
    return b"".join([block async for block in store.read(key, start, end)])


def test_what_was_put_is_read_whole_and_in_any_run(results: ResultStore) -> None:
    async def scenario() -> None:
        await results.start()
        await results.put("a.mp3", "audio/mpeg", blocks(CONTENT))
        assert await results.size_bytes("a.mp3") == len(CONTENT)
        assert await read(results, "a.mp3", 0, len(CONTENT)) == CONTENT
        assert await read(results, "a.mp3", 300_001, 900_002) == CONTENT[300_001:900_002]
        assert await read(results, "a.mp3", len(CONTENT) - 1, len(CONTENT)) == CONTENT[-1:]

    asyncio.run(scenario())


def test_a_second_file_of_a_name_replaces_the_first(results: ResultStore) -> None:
    async def scenario() -> None:
        await results.start()
        await results.put("a.mp3", "audio/mpeg", blocks(CONTENT))
        await results.put("a.mp3", "audio/mpeg", blocks(b"short"))
        assert await results.size_bytes("a.mp3") == 5
        assert await read(results, "a.mp3", 0, 5) == b"short"

    asyncio.run(scenario())


def test_what_was_deleted_is_gone_and_deleting_twice_is_no_error(results: ResultStore) -> None:
    async def scenario() -> None:
        await results.start()
        await results.put("a.mp3", "audio/mpeg", blocks(b"short"))
        await results.delete("a.mp3")
        await results.delete("a.mp3")
        assert await results.size_bytes("a.mp3") is None
        with pytest.raises(Unavailable):
            await read(results, "a.mp3", 0, 5)

    asyncio.run(scenario())


def test_a_file_whose_making_fails_is_not_there(results: ResultStore) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(1000)
        raise KeyError("the encoder broke")

    async def scenario() -> None:
        await results.start()
        with pytest.raises(KeyError):
            await results.put("a.mp3", "audio/mpeg", breaking())
        assert await results.size_bytes("a.mp3") is None

    asyncio.run(scenario())


def test_cancelling_leaves_no_file(results: ResultStore) -> None:
    async def scenario() -> None:
        await results.start()
        begun = asyncio.Event()

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(100_000)
                begun.set()
                await asyncio.sleep(0.001)

        task = asyncio.create_task(results.put("a.mp3", "audio/mpeg", endless()), name="put")
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await results.size_bytes("a.mp3") is None

    asyncio.run(scenario())


def test_a_folder_keeps_nothing_of_what_was_not_finished(tmp_path: Path) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield bytes(1000)
        raise KeyError("the encoder broke")

    async def scenario() -> None:
        results = FolderResults(tmp_path / "results")
        await results.start()
        with pytest.raises(KeyError):
            await results.put("a.mp3", "audio/mpeg", breaking())
        assert list((tmp_path / "results").iterdir()) == []

    asyncio.run(scenario())


@pytest.mark.real
def test_an_upload_goes_out_in_parts_while_it_is_made_and_tells_its_type(
    s3: tuple[str, Any], tmp_path: Path
) -> None:
    endpoint, client = s3
    seen: list[int] = []

    def uploads() -> int:
        found = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return sum(upload["Key"] == "parts/a.wav" for upload in found)

    async def counted() -> AsyncIterator[bytes]:
        for number in range(60):
            # What the store has taken before the file is whole.
            seen.append(uploads())
            yield bytes([number]) * (PART_BYTES // 10)

    async def scenario() -> None:
        results = BucketResults(JobsConfig(store=f"s3://{BUCKET}/parts", endpoint=endpoint))
        await results.put("a.wav", "audio/wav", counted())

    asyncio.run(scenario())
    assert max(seen) == 1
    kept = client.get_object(Bucket=BUCKET, Key="parts/a.wav")
    assert kept["ContentType"] == "audio/wav"
    assert kept["Body"].read() == b"".join(bytes([n]) * (PART_BYTES // 10) for n in range(60))
    assert uploads() == 0


@pytest.mark.real
def test_a_job_ends_in_the_bucket_and_goes_with_it(s3: tuple[str, Any], tmp_path: Path) -> None:
    endpoint, client = s3

    async def scenario() -> None:
        settings = config(tmp_path, store=f"s3://{BUCKET}/jobs/of/mine", endpoint=endpoint)
        async with running(Talker(), settings) as runner:
            job = await ended(runner, await runner.submit("me", order("Text. " * 500)))
            assert await audio(runner, job) == samples("Text. " * 500)
            kept = client.get_object(Bucket=BUCKET, Key=f"jobs/of/mine/{job.key}")
            assert kept["Body"].read() == samples("Text. " * 500)
            await runner.remove("me", job.id)
        assert "Contents" not in client.list_objects_v2(Bucket=BUCKET, Prefix="jobs/of/mine")

    asyncio.run(scenario())


@pytest.mark.real
def test_a_bucket_that_does_not_answer_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tts.jobs.results._RETRY", {"max_retries": 0})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    async def scenario() -> None:
        results = BucketResults(JobsConfig(store="s3://bucket", endpoint="http://127.0.0.1:9"))
        with pytest.raises(Unavailable):
            await results.put("a", "audio/wav", blocks(b"short"))
        with pytest.raises(Unavailable):
            await results.size_bytes("a")
        with pytest.raises(Unavailable):
            await results.delete("a")
        with pytest.raises(Unavailable):
            await read(results, "a", 0, 5)

    asyncio.run(scenario())


@pytest.mark.parametrize("store", ["bucket", "gs://bucket", "s3://", "s3://bucket/x?y=1", "/tmp"])
def test_a_store_that_is_none_is_refused_with_what_is_allowed(store: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="s3://bucket/path"):
        result_store(JobsConfig(dir=tmp_path, store=store))
