"""The exposition text, of one worker and of all."""

import re

from prometheus_client.parser import text_string_to_metric_families

from agent.metrics import Metrics, merge
from tests import virtual_time


def samples(text: str) -> dict[tuple[str, str], float]:
    """Value by (name, labels), less the times of creation."""
    return {
        (sample.name, ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_what_happens_in_calls_is_counted() -> None:
    metrics = Metrics(worker=3)
    metrics.call_started()
    metrics.call_started()
    metrics.call_ended("hung up")
    metrics.barge_in()
    metrics.turn()
    metrics.error("llm")
    metrics.offer_refused("full")
    metrics.underrun(2)
    metrics.stage("stt", 0.12)
    found = samples(metrics.render())
    assert found["parley_calls_started_total", "worker=3"] == 2
    assert found["parley_calls_ended_total", "reason=hung up,worker=3"] == 1
    assert found["parley_calls_in_progress", "worker=3"] == 1
    assert found["parley_barge_ins_total", "worker=3"] == 1
    assert found["parley_turns_total", "worker=3"] == 1
    assert found["parley_errors_total", "part=llm,worker=3"] == 1
    assert found["parley_offers_refused_total", "code=full,worker=3"] == 1
    assert found["parley_audio_underruns_total", "worker=3"] == 2
    assert found["parley_stage_seconds_bucket", "le=0.1,stage=stt,worker=3"] == 0
    assert found["parley_stage_seconds_bucket", "le=0.15,stage=stt,worker=3"] == 1
    assert found["parley_stage_seconds_sum", "stage=stt,worker=3"] == 0.12


def test_answers_begun_early_are_counted_with_what_nobody_needed_of_them() -> None:
    metrics = Metrics(worker=2)
    for _ in range(3):
        metrics.draft_began()
    metrics.draft_adopted()
    metrics.draft_dropped("said more", 12, 1.5)
    metrics.draft_dropped("said more", 3, 0.0)
    text = metrics.render()
    assert 'parley_drafts_begun_total{worker="2"} 3.0' in text
    assert 'parley_drafts_adopted_total{worker="2"} 1.0' in text
    assert 'parley_drafts_dropped_total{reason="said more",worker="2"} 2.0' in text
    assert 'parley_drafts_wasted_tokens_total{worker="2"} 15.0' in text
    assert 'parley_drafts_wasted_audio_seconds_total{worker="2"} 1.5' in text


def test_workers_join_into_one_text_with_each_family_once() -> None:
    first, second = Metrics(worker=0), Metrics(worker=1)
    first.call_started()
    second.stage("stt", 0.2)
    text = merge([first.render(), second.render()])
    headers = re.findall(r"^# TYPE (\S+)", text, flags=re.MULTILINE)
    assert sorted(headers) == sorted(set(headers))
    found = samples(text)
    assert found["parley_calls_started_total", "worker=0"] == 1
    assert found["parley_calls_started_total", "worker=1"] == 0
    assert found["parley_stage_seconds_count", "stage=stt,worker=1"] == 1


def test_the_loops_lag_is_measured_every_tenth_of_a_second() -> None:
    import asyncio

    metrics = Metrics()

    async def scenario() -> None:
        watch = asyncio.create_task(metrics.watch_loop())
        await asyncio.sleep(1.05)
        watch.cancel()
        await asyncio.wait({watch})

    virtual_time.run(scenario())
    assert samples(metrics.render())["parley_loop_lag_seconds_count", "worker=0"] == 10
