"""A job as its owner sees it: the JSON of the REST door and of call-backs.

In: a `Job`.  Out: a `JobInfo`, whose field descriptions are those of the OpenAPI document.  Pure.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from tts.jobs.record import Failure, Job, Result, State, Webhook

_DAY_S = 86_400.0

_Seconds = Annotated[int, Field(description="Seconds since 1970.")]


class JobFailure(BaseModel):
    """Why a job has no audio."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    code: str
    """One of the codes of docs/protocols/errors.md."""
    message: str
    """What went wrong, for people."""

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """As it is kept."""
        return cls(code=failure.code, message=failure.message)


class JobAudio(BaseModel):
    """The finished file."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    url: str
    """Path of the file at this service."""
    content_type: str
    """What HTTP calls its format."""
    size_bytes: int
    """Its length."""
    duration_s: float
    """Seconds of audio."""
    sha256: str
    """Its hash, in hexadecimal."""

    @classmethod
    def of(cls, job_id: str, result: Result) -> Self:
        """As it is kept."""
        return cls(
            url=f"/v1/jobs/{job_id}/audio",
            content_type=result.content_type,
            size_bytes=result.size_bytes,
            duration_s=round(result.duration_s, 3),
            sha256=result.sha256,
        )


class JobWebhook(BaseModel):
    """Who is told how the job ended."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    url: str
    """Where to."""
    attempts: int
    """How often it was tried."""
    delivered_at: _Seconds | None
    """When it was taken; null: not yet."""
    next_at: _Seconds | None
    """When it is tried next; null before the job's end, and when nothing more will be tried."""
    error: str
    """Why the last attempt failed; empty: it did not."""

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """As it is kept."""
        return cls(
            url=webhook.url,
            attempts=webhook.attempts,
            delivered_at=_whole(webhook.delivered_s),
            next_at=_whole(webhook.next_s),
            error=webhook.error,
        )


class JobInfo(BaseModel):
    """A job and what has become of it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Names the job; nobody can guess it."""
    state: State
    """`queued`, `running`, and then one of `done`, `failed`, `cancelled`."""
    voice: str
    """Voice that speaks it."""
    language: str
    """Language of the text."""
    format: str
    """Format of the file."""
    chars: int
    """Length of the text in Unicode code points."""
    spoken_chars: int
    """How many of them are spoken and kept, whatever happens."""
    audio_s: float
    """Seconds of audio that are kept."""
    attempts: int
    """How often speaking began: once, and again after each end of the service."""
    created_at: _Seconds
    started_at: _Seconds | None
    """When speaking first began."""
    ended_at: _Seconds | None
    expires_at: _Seconds | None
    """When the job and its audio will be removed; null before its end."""
    error: JobFailure | None
    """Why it failed; null: it did not."""
    audio: JobAudio | None
    """The file; null before the job is done."""
    webhook: JobWebhook | None
    """Who is told; null: nobody.  Not part of what is sent there."""

    @classmethod
    def of(cls, job: Job, keep_days: float) -> Self:
        """`keep_days` is `jobs.keep_days`."""
        expires_s = None if job.ended_s is None else job.ended_s + keep_days * _DAY_S
        return cls(
            id=job.id,
            state=job.state,
            voice=job.request.voice,
            language=job.request.language,
            format=job.format,
            chars=job.chars,
            spoken_chars=job.spoken.chars,
            audio_s=round(job.spoken.audio_s, 3),
            attempts=job.attempts,
            created_at=int(job.created_s),
            started_at=_whole(job.started_s),
            ended_at=_whole(job.ended_s),
            expires_at=_whole(expires_s),
            error=JobFailure.of(job.failure) if job.failure else None,
            audio=JobAudio.of(job.id, job.result) if job.result else None,
            webhook=JobWebhook.of(job.webhook) if job.webhook else None,
        )


def message(job: Job, keep_days: float) -> bytes:
    """The body of a call-back."""
    return JobInfo.of(job, keep_days).model_dump_json(exclude={"webhook"}).encode()


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
