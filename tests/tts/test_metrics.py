"""What the exposition says of engines, GPUs and the process."""

import asyncio
import sys
from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.tts.fake_engine import builders
from tests.tts.working_engine import WorkingEngine
from tts.config import CacheConfig, ServiceConfig
from tts.metrics import Metrics
from tts.service import SynthesisService
from tts.types import SynthesisRequest


def samples(metrics: Metrics) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.render())
        for sample in family.samples
    }


def test_an_engines_batches_tokens_and_steps_are_counted() -> None:
    async def scenario() -> None:
        engine = WorkingEngine(piece_samples=(100, 100), tokens=3)
        service = SynthesisService(
            ServiceConfig(cache=CacheConfig(memory_mb=0)),
            builders(engine),  # type: ignore[arg-type]
        )
        await service.start(trial=False)
        try:
            await service.synthesize(SynthesisRequest("Hello.", "ann", "en"))
            found = samples(service.metrics)
        finally:
            await service.stop()
        ran = {len(texts) for _, texts in engine.entered}
        assert ran == {1}
        kinds = [kind for kind, _ in engine.entered]
        for kind, times in (("prefill", 1), ("token", 6), ("sound", 2)):
            assert kinds.count(kind) == times
            labels = (("engine", "working"), ("kind", kind))
            assert found["parley_tts_batch_size_count", labels] == times
            assert found["parley_tts_batch_size_sum", labels] == times
            bucket = "parley_tts_batch_size_bucket"
            assert found[bucket, (*labels, ("le", "1.0"))] == times
            assert found[bucket, (*labels, ("le", "+Inf"))] == times
        working = (("engine", "working"),)
        assert found["parley_tts_tokens_total", working] == 6
        # Each work and each piece is what a step gave.
        assert found["parley_tts_steps_total", working] == 9 + 2
        assert found["parley_tts_engine_busy_seconds_total", working] > 0
        assert found["parley_tts_underruns_total", working] == 0

    asyncio.run(scenario())


def test_a_family_is_there_before_anything_has_happened() -> None:
    families = {family.name for family in text_string_to_metric_families(Metrics().render())}
    assert {
        "parley_tts_requests",
        "parley_tts_batch_size",
        "parley_tts_gpu_memory_used_bytes",
        "parley_tts_cache_requests",
        "parley_tts_jobs",
        "parley_tts_quality_mos",
        "parley_tts_process_resident_memory_bytes",
    } <= families
    assert [name for name in families if not name.startswith("parley_tts_")] == []


def test_jobs_are_counted_by_state_when_somebody_asks() -> None:
    metrics = Metrics()
    states = {"queued": 3, "running": 1}
    metrics.watch_jobs(lambda: states)
    metrics.job_ended("ok")
    found = samples(metrics)
    assert found["parley_tts_jobs", (("state", "queued"),)] == 3
    assert found["parley_tts_jobs", (("state", "running"),)] == 1
    assert found["parley_tts_jobs_ended_total", (("code", "ok"),)] == 1


def fake_torch(*, utilization: object) -> SimpleNamespace:
    """Two GPUs, of which one holds tensors."""

    def use(index: int) -> int:
        if isinstance(utilization, Exception):
            raise utilization
        assert isinstance(utilization, int)
        return utilization

    def memory(index: int) -> tuple[int, int]:
        assert index == 1, "a GPU that is not used must not be opened"
        return 6_000, 80_000

    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_initialized=lambda: True,
            device_count=lambda: 2,
            memory_reserved=lambda index: 512 * index,
            mem_get_info=memory,
            utilization=use,
        )
    )


@pytest.mark.parametrize("use", [73, ModuleNotFoundError("pynvml"), RuntimeError("driver")])
def test_only_gpus_that_are_used_are_asked(use: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(utilization=use))
    found = samples(Metrics())
    told = {(name, labels): value for (name, labels), value in found.items() if "_gpu_" in name}
    label = (("gpu", "1"),)
    assert told.pop(("parley_tts_gpu_memory_used_bytes", label)) == 74_000
    assert told.pop(("parley_tts_gpu_memory_total_bytes", label)) == 80_000
    assert told == ({("parley_tts_gpu_use_ratio", label): 0.73} if use == 73 else {})


def test_a_process_that_has_touched_no_gpu_asks_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda: False))
    for torch in (asleep, SimpleNamespace(), None):
        monkeypatch.setitem(sys.modules, "torch", torch)
        assert [name for name, _ in samples(Metrics()) if "_gpu_" in name] == []


def test_the_loops_lag_is_measured_while_somebody_watches() -> None:
    async def scenario() -> None:
        metrics = Metrics()
        watching = asyncio.create_task(metrics.watch_loop(), name="lag")
        async with asyncio.timeout(10):
            while samples(metrics)["parley_tts_loop_lag_seconds_count", ()] < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert samples(metrics)["parley_tts_loop_lag_seconds_sum", ()] >= 0

    asyncio.run(scenario())
