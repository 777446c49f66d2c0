"""A real voice over gRPC: what is asked for again is the same, also after a kill."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tts.test_contract import collect
from tests.tts.test_process_real import ROOT, client_of, command, until_ready
from tts.types import Mark, SpeechChunk, SynthesisRequest

pytestmark = pytest.mark.real

REQUEST = SynthesisRequest("Your call is important to us. Please hold the line.", "heart", "en")


@contextmanager
def server(folder: Path, log: Path, **cache: object) -> Iterator[subprocess.Popen[bytes]]:
    settings = json.dumps({"engines": ["hibari"], "cache": cache})
    with (
        log.open("wb") as lines,
        subprocess.Popen(
            command(folder, "--settings", settings), cwd=ROOT, stderr=lines
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def joined(chunks: list[SpeechChunk]) -> tuple[bytes, list[Mark]]:
    return (
        b"".join(chunk.pcm for chunk in chunks),
        [mark for chunk in chunks for mark in chunk.marks],
    )


def lines(log: Path, message: str) -> list[str]:
    return [line for line in log.read_text(encoding="utf-8").splitlines() if message in line]


def served_by(log: Path) -> list[bool]:
    """Of every stream that ended: whether the cache spoke."""
    return ["'engine': 'cache'" in line for line in lines(log, "stream ended")]


def whole_files(folder: Path) -> int:
    return len(list(folder.glob("*.speech")))


def test_the_second_time_it_is_the_same_to_the_byte_also_after_a_kill(tmp_path: Path) -> None:
    kept, log = tmp_path / "kept", tmp_path / "log"

    async def scenario() -> None:
        client = client_of(tmp_path)
        try:
            with server(tmp_path, log, dir=str(kept)):
                await until_ready(client)
                first = await collect(client.stream(REQUEST))
                again = await collect(client.stream(REQUEST))
                whole = await client.synthesize(REQUEST)
                faster = await client.synthesize(replace(REQUEST, speed=1.1))
                async with asyncio.timeout(10):
                    while whole_files(kept) < 2:  # noqa: ASYNC110 - another process writes
                        await asyncio.sleep(0.01)
            assert joined(again) == joined(first) == joined([whole])
            assert len(faster.pcm) < len(whole.pcm)
            assert served_by(log) == [False, True, True, False]
            with server(tmp_path, log, dir=str(kept)):
                await until_ready(client)
                assert joined(await collect(client.stream(REQUEST))) == joined(first)
            assert served_by(log) == [True]
        finally:
            await client.close()

    asyncio.run(scenario())


def test_phrases_are_made_after_the_start_and_then_come_from_the_cache(tmp_path: Path) -> None:
    phrases, log = tmp_path / "phrases.jsonl", tmp_path / "log"
    phrases.write_text(
        json.dumps({"text": REQUEST.text, "voice": REQUEST.voice, "language": "en"})
        + '\n{"text": "Hola.", "voice": "heart", "language": "es"}\n',
        encoding="utf-8",
    )

    async def scenario() -> None:
        client = client_of(tmp_path)
        try:
            with server(tmp_path, log, phrases=str(phrases)):
                await until_ready(client)
                async with asyncio.timeout(10):
                    while not lines(log, "phrases prepared"):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                await client.synthesize(REQUEST)
        finally:
            await client.close()

    asyncio.run(scenario())
    (prepared,) = lines(log, "phrases prepared")
    assert "{'made': 1, 'there_already': 0, 'left_out': 1}" in prepared
    (left_out,) = lines(log, "phrase left out")
    assert "'line': 2" in left_out and "language = 'es'" in left_out
    assert served_by(log) == [True]


def test_a_file_of_phrases_with_mistakes_is_a_configuration_refused(tmp_path: Path) -> None:
    phrases, log = tmp_path / "phrases.jsonl", tmp_path / "log"
    phrases.write_text('{"text": "Hello."}\n', encoding="utf-8")
    with server(tmp_path, log, phrases=str(phrases)) as process:
        assert process.wait(30) == 2
    (refused,) = lines(log, "configuration refused")
    assert "line 1: voice: missing; language: missing" in refused
