"""Listening to a sample: what is drawn, heard and dropped.  The ear is a scripted process."""

import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from loguru import logger
from prometheus_client.parser import text_string_to_metric_families

from tests.tts.test_contract import until
from tts import quality
from tts.config import QualityConfig
from tts.metrics import Metrics
from tts.quality import LONGEST_S, MAX_WAITING, QualityMonitor, Sample
from tts.types import SpeechChunk

RATE_HZ = 24_000
# Says how many samples it heard, once there is a file to let it, or dies when told to.
EAR = """
import pathlib, struct, sys, time
folder, dies = pathlib.Path(sys.argv[1]), sys.argv[2] == "dies"
(folder / "began").open("a").write("x")
while header := sys.stdin.buffer.read(4):
    (count,) = struct.unpack("<I", header)
    sys.stdin.buffer.read(4 * count)
    (folder / "asked").open("a").write("x")
    if dies:
        sys.exit(3)
    while not (folder / "open").exists():
        time.sleep(0.01)
    sys.stdout.buffer.write(struct.pack("<3f", count / 16000, 4.0, 3.0))
    sys.stdout.buffer.flush()
"""


def ear(folder: Path, *, dies: bool = False) -> Sequence[str]:
    return sys.executable, "-c", EAR, str(folder), "dies" if dies else "lives"


def chunk(length_s: float, rate_hz: int = RATE_HZ) -> SpeechChunk:
    return SpeechChunk(bytes(2 * round(length_s * rate_hz)), rate_hz, 0, (), True)


def sample(length_s: float) -> Sample:
    one = Sample()
    one.add(chunk(length_s))
    return one


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(metrics.render()):
        for one in family.samples:
            if (one.name, one.labels) == (name, labels):
                return one.value
    return None


def test_nothing_is_drawn_and_nothing_runs_unless_it_is_asked_for(tmp_path: Path) -> None:
    async def scenario() -> None:
        monitor = QualityMonitor(QualityConfig(), Metrics(), command=ear(tmp_path))
        await monitor.start()
        assert monitor.sample() is None
        monitor.take("hibari", sample(3.0))
        await monitor.stop()
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert "tts-quality" not in names
        assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240

    asyncio.run(scenario())


def test_the_share_of_requests_that_is_asked_for_is_drawn() -> None:
    async def scenario() -> None:
        draw = random.Random(7)
        monitor = QualityMonitor(QualityConfig(share=0.25), Metrics(), draw=draw)
        await monitor.start()
        drawn = sum(monitor.sample() is not None for _ in range(4000))
        await monitor.stop()
        assert 900 < drawn < 1100

    asyncio.run(scenario())


def test_long_audio_is_heard_from_its_beginning_at_the_models_rate() -> None:
    one = Sample()
    for _ in range(200):
        one.add(chunk(0.2))
    assert len(one.samples()) == LONGEST_S * 16_000
    assert sum(len(pcm) for pcm in one.pcm) <= 2 * RATE_HZ * (LONGEST_S + 0.2)
    loud = SpeechChunk(np.full(RATE_HZ, -32768, "<i2").tobytes(), RATE_HZ, 0, (), True)
    one = Sample()
    one.add(loud)
    assert (one.samples().min(), one.samples().dtype) == (-1.0, np.float32)


@pytest.mark.real
def test_marks_come_into_the_metrics_and_the_log_by_engine(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = []

    async def scenario() -> None:
        metrics = Metrics()
        monitor = QualityMonitor(QualityConfig(share=1), metrics, command=ear(tmp_path))
        await monitor.start()
        (tmp_path / "open").touch()
        monitor.take("hibari", sample(2.0))
        monitor.take("hibari", sample(0.5))  # says too little
        monitor.take("kokoro", sample(3.0))
        await until(lambda: bool(value(metrics, MARKS, engine="kokoro", scale="ovr")))
        await monitor.stop()
        assert value(metrics, MARKS, engine="hibari", scale="sig") == 1
        assert value(metrics, SUM, engine="hibari", scale="sig") == 2.0
        assert value(metrics, SUM, engine="kokoro", scale="sig") == 3.0
        assert value(metrics, SUM, engine="kokoro", scale="bak") == 4.0
        assert value(metrics, "parley_tts_quality_dropped_total") == 0
        assert (tmp_path / "began").read_text() == "x"

    sink = logger.add(lambda line: lines.append(dict(line.record["extra"])), level="DEBUG")  # type: ignore[attr-defined]
    try:
        asyncio.run(scenario())
    finally:
        logger.remove(sink)
    assert lines == [
        {"engine": "hibari", "sig": 2.0, "bak": 4.0, "ovr": 3.0},
        {"engine": "kokoro", "sig": 3.0, "bak": 4.0, "ovr": 3.0},
    ]


MARKS, SUM = "parley_tts_quality_mos_count", "parley_tts_quality_mos_sum"


@pytest.mark.real
def test_what_comes_while_it_is_busy_is_dropped_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        metrics = Metrics()
        monitor = QualityMonitor(QualityConfig(share=1), metrics, command=ear(tmp_path))
        await monitor.start()
        monitor.take("hibari", sample(2.0))
        await until(lambda: (tmp_path / "asked").exists())
        for _ in range(MAX_WAITING + 3):
            monitor.take("hibari", sample(2.0))
        assert value(metrics, "parley_tts_quality_dropped_total") == 3
        (tmp_path / "open").touch()
        await until(lambda: value(metrics, MARKS, engine="hibari", scale="ovr") == 1 + MAX_WAITING)
        await monitor.stop()
        await monitor.stop()

    asyncio.run(scenario())


@pytest.mark.real
def test_an_ear_that_dies_costs_its_sample_and_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(quality, "RESTART_AFTER_S", 0.0)
        metrics = Metrics()
        monitor = QualityMonitor(QualityConfig(share=1), metrics, command=ear(tmp_path, dies=True))
        await monitor.start()
        monitor.take("hibari", sample(2.0))
        monitor.take("hibari", sample(2.0))
        await until(lambda: value(metrics, "parley_tts_quality_dropped_total") == 2)
        await monitor.stop()
        assert (tmp_path / "began").read_text() == "xx"
        assert value(metrics, MARKS, engine="hibari", scale="ovr") is None

    asyncio.run(scenario())


@pytest.mark.real
def test_an_ear_that_cannot_be_started_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        metrics = Metrics()
        monitor = QualityMonitor(QualityConfig(share=1), metrics, command=("/nowhere/ear",))
        await monitor.start()
        monitor.take("hibari", sample(2.0))
        await until(lambda: value(metrics, "parley_tts_quality_dropped_total") == 1)
        await monitor.stop()

    asyncio.run(scenario())


def test_without_the_models_package_the_log_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []

    async def scenario() -> None:
        monkeypatch.setattr("tts.carriers.find", lambda package: None)
        monitor = QualityMonitor(QualityConfig(share=1), Metrics())
        await monitor.start()
        assert monitor.sample() is None
        await monitor.stop()

    sink = logger.add(lambda line: lines.append(str(line)), format="{message} {extra}")
    try:
        asyncio.run(scenario())
    finally:
        logger.remove(sink)
    assert lines == ["quality is not watched, a package is missing {'package': 'speechmos'}\n"]
