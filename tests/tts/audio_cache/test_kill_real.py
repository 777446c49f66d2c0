"""kill -9 at any moment of a write: what is served afterwards is whole and what was made."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tts.audio_cache.writing import KEYS, MOST_BYTES, disk, made, request, service
from tts.types import SpeechChunk

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]


class Writers:
    """Processes that write, one after the other."""

    def __init__(self, forker: "subprocess.Popen[str]") -> None:
        assert forker.stdin is not None and forker.stdout is not None
        self._ask, self._answers = forker.stdin, forker.stdout
        self._running = 0

    def start(self) -> None:
        self._ask.write("\n")
        self._ask.flush()
        self._running = int(self._answers.readline())

    def kill(self) -> None:
        os.kill(self._running, signal.SIGKILL)
        assert self._answers.readline() == "gone\n"

    def end(self) -> None:
        self._ask.close()


@contextmanager
def writers(kind: str, folder: Path) -> Iterator[Writers]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.tts.audio_cache.writing", kind, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as forker:
        running = Writers(forker)
        try:
            yield running
        finally:
            running.end()
            assert forker.wait(10) == 0


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_no_kill_leaves_an_entry_that_is_not_whole_or_a_scratch_file(tmp_path: Path) -> None:
    moments = random.Random(1)
    left, served = 0, 0
    with writers("disk", tmp_path) as writer:
        for _ in range(60):
            writer.start()
            time.sleep(moments.uniform(0.001, 0.06))
            writer.kill()
            left += len([name for name in names(tmp_path) if name.endswith(".part")])
            cache = disk(tmp_path)
            cache.sweep()
            assert [name for name in names(tmp_path) if not name.endswith(".speech")] == []
            for number, key in enumerate(KEYS):
                found = cache.read(key)
                assert found is None or found == made(number)
                served += found is not None
            # No file was thrown away that a kill had left: none was half.
            assert (cache.damaged, cache.size_bytes <= MOST_BYTES) == (0, True)
    # The kills did come in the middle of writes, and what was written before was kept.
    assert left > 0
    assert served > 60


def test_a_service_that_is_killed_serves_what_it_kept_and_makes_the_rest_again(
    tmp_path: Path,
) -> None:
    moments = random.Random(2)

    async def plain() -> SpeechChunk:
        """What the engine gives for any request, but for the marks."""
        speaks = service(None)
        await speaks.start()
        try:
            return await speaks.synthesize(request(0))
        finally:
            await speaks.stop()

    async def look(first: int, pcm: bytes) -> int:
        speaks = service(tmp_path)
        await speaks.start()
        try:
            hits = 0
            for number in range(first, first + 20):
                chunk = await speaks.synthesize(request(number))
                text = request(number).text
                assert (chunk.pcm, chunk.is_final) == (pcm, True)
                assert [text[mark.text_start : mark.text_end] for mark in chunk.marks] == (
                    text.removesuffix(".").split()
                )
                hits += chunk.cached
            assert speaks.cache.counts.damaged == 0
            return hits
        finally:
            await speaks.stop()

    pcm = asyncio.run(plain()).pcm
    hits = 0
    with writers("service", tmp_path) as writer:
        for kill in range(12):
            writer.start()
            time.sleep(moments.uniform(0.05, 0.3))
            writer.kill()
            hits += asyncio.run(look(1000 * kill, pcm))
            assert [name for name in names(tmp_path) if not name.endswith(".speech")] == []
    assert hits > 12


def test_a_process_that_may_write_no_large_files_keeps_the_small_ones(tmp_path: Path) -> None:
    """As a full disk does, but for this process only: writing fails in the middle of a file."""
    program = f"""
import json, resource, sys
from pathlib import Path
from loguru import logger
from tests.tts.audio_cache.writing import KEYS, disk, made
lines = []
logger.remove()
logger.add(lambda line: lines.append(line.record["message"]))
resource.setrlimit(resource.RLIMIT_FSIZE, (45_000, 45_000))
cache = disk(Path({str(tmp_path)!r}))
cache.write(KEYS[0], made(0))
for _ in range(3):
    cache.write(KEYS[1], made(1))
kept = [cache.read(KEYS[0]) == made(0), cache.read(KEYS[1]) is None]
print(json.dumps([lines, kept, cache.writes, cache.damaged]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(ended.stdout) == [["audio is not kept on disk for now"], [True, True], 1, 0]
    assert names(tmp_path) == [f"{KEYS[0]}.speech"]


def test_processes_that_share_a_folder_do_each_other_no_harm(tmp_path: Path) -> None:
    served = 0
    with writers("disk", tmp_path) as one, writers("disk", tmp_path) as other:
        one.start()
        other.start()
        cache = disk(tmp_path)
        ends_s = time.monotonic() + 1.5
        while time.monotonic() < ends_s:
            for number, key in enumerate(KEYS):
                found = cache.read(key)
                assert found is None or found == made(number)
                served += found is not None
            cache.sweep()
        one.kill()
        other.kill()
    cache.sweep()
    assert (cache.damaged, cache.size_bytes <= MOST_BYTES) == (0, True)
    assert [name for name in names(tmp_path) if not name.endswith(".speech")] == []
    assert served > len(KEYS)
