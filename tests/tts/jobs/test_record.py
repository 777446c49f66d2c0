"""A job's record: what is written is what is read, and nothing else is."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.jobs.record import (
    DamagedRecord,
    Failure,
    Job,
    Result,
    Spoken,
    Webhook,
    from_json,
    is_id,
    lost,
    new_id,
    to_json,
)
from tts.types import SynthesisRequest

REQUEST = SynthesisRequest("", "ann", "en", speed=1.25, emotion="calm", seed=7, top_p=0.5)
QUEUED = Job(
    id=new_id(),
    owner="me",
    request=REQUEST,
    chars=10,
    format="mp3",
    created_s=1000.5,
    idempotency_key="k",
    fingerprint="f",
    webhook=Webhook("https://example.org/x"),
)
RUNNING = dataclasses.replace(
    QUEUED, state="running", started_s=1001.0, attempts=2, spoken=Spoken(4, 96, 24_000, "v1")
)
DONE = dataclasses.replace(
    RUNNING, state="done", ended_s=1002.0, result=Result("audio/mpeg", 9, 0.002, "ab")
)
FAILED = dataclasses.replace(
    RUNNING, state="failed", ended_s=1002.0, failure=Failure("engine_failed", "why")
)
CANCELLED = dataclasses.replace(RUNNING, state="cancelled", ended_s=1002.0)


@pytest.mark.parametrize("job", [QUEUED, RUNNING, DONE, FAILED, CANCELLED], ids=lambda j: j.state)
def test_what_is_written_is_what_is_read(job: Job) -> None:
    assert from_json(job.id, to_json(job)) == job


def test_ids_name_folders_and_are_not_guessed() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(is_id(one) for one in ids)
    assert [name for name in ("", "job_", "..", "job_/../../etc/passwd.aaaa", "results")] == [
        name
        for name in ("", "job_", "..", "job_/../../etc/passwd.aaaa", "results")
        if not is_id(name)
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2000), st.binary(max_size=3))
def test_a_record_that_was_cut_or_changed_is_damaged_or_still_a_job(at: int, new: bytes) -> None:
    kept = to_json(DONE)
    damaged = kept[: min(at, len(kept))] + new
    try:
        assert isinstance(from_json(DONE.id, damaged), Job)
    except DamagedRecord:
        pass


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200) | st.text().map(lambda text: json.dumps(text).encode()))
def test_anything_else_is_damaged(kept: bytes) -> None:
    with pytest.raises(DamagedRecord):
        from_json(QUEUED.id, kept)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": new_id()}, "another job"),
        ({"spoken": {"chars": 11}}, "11 of 10 characters"),
        ({"state": "done"}, "result"),
        ({"state": "failed"}, "error"),
        ({"state": "cancelled"}, "end"),
        ({"ended_s": 5.0}, "end"),
        ({"chars": -1}, "cannot be read"),
        ({"layout": 2}, "cannot be read"),
        ({"format": None}, "cannot be read"),
    ],
)
def test_a_record_that_contradicts_itself_is_damaged(
    changes: dict[str, object], words: str
) -> None:
    values = json.loads(to_json(QUEUED)) | changes
    with pytest.raises(DamagedRecord, match=words):
        from_json(QUEUED.id, json.dumps(values).encode())


def test_a_lost_job_has_failed_and_says_why() -> None:
    job = lost(QUEUED.id, "it is empty", 5.0)
    assert (job.state, job.owner, job.ended) == ("failed", None, True)
    assert job.failure == Failure("internal", "the record of this job is damaged: it is empty")
    assert from_json(job.id, to_json(job)) == job


def test_the_length_of_audio_is_that_of_its_samples() -> None:
    assert Spoken(5, 48_000, 24_000).audio_s == 1.0
    assert Spoken().audio_s == 0.0
