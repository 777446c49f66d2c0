"""A job as data: a long text that is spoken into a file while nobody waits for it.

In and out: `Job`, a value that never changes, and the JSON that it is kept as.  Knows nothing of
folders, clocks or voices; any thread.
"""

import re
import secrets
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from tts.types import SynthesisRequest

State = Literal["queued", "running", "done", "failed", "cancelled"]
"""What becomes of a job: it waits, is spoken, and ends in one of three ways."""
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

BYTES_PER_SAMPLE = 2

_ID = re.compile(r"job_[A-Za-z0-9_-]{22}")
_Count = Annotated[int, Field(ge=0)]


class DamagedRecord(Exception):
    """What was kept of a job cannot be read."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What of a job's audio is kept for good: that of its first `chars` characters."""

    chars: _Count = 0
    pcm_bytes: _Count = 0
    """Its length: mono signed 16-bit PCM."""
    sample_rate_hz: _Count = 0
    """0 before there is any."""
    voice_state: str = ""
    """`Voice.state` of the voice that spoke it: a job is spoken in one voice, not in two."""

    @property
    def audio_s(self) -> float:
        """Seconds of audio."""
        if not self.sample_rate_hz:
            return 0.0
        return self.pcm_bytes / BYTES_PER_SAMPLE / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job has no result: an error of `tts.errors`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """The finished file."""

    content_type: str
    size_bytes: _Count
    duration_s: float
    sha256: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told how a job ended, and how far that has got.  Times are seconds since 1970."""

    url: str
    attempts: _Count = 0
    next_s: float | None = None
    """When it is tried next; None before the job's end, and when there is nothing more to do."""
    delivered_s: float | None = None
    error: str = ""
    """Why the last attempt failed; empty when none did."""


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that is kept of a job but its text.  Times are seconds since 1970."""

    id: str
    owner: str | None
    """Name of the caller who sent it; None where that cannot be read any more."""
    request: SynthesisRequest
    """How it is spoken; without the text."""
    chars: _Count
    """Length of the text."""
    format: str
    """One of `tts.audio.encode.AUDIO_FORMATS`."""
    created_s: float
    idempotency_key: str = ""
    """What the caller calls its sending: the same again is the same job.  Empty: nothing."""
    fingerprint: str = ""
    """Tells whether the same key came with the same job."""
    webhook: Webhook | None = None
    state: State = "queued"
    started_s: float | None = None
    ended_s: float | None = None
    spoken: Spoken = field(default_factory=Spoken)
    attempts: _Count = 0
    """How often speaking began: once, and again after each end of the service."""
    fruitless: _Count = 0
    """How many of the last of them kept nothing."""
    failure: Failure | None = None
    result: Result | None = None
    layout: Literal[1] = 1
    """Of the JSON; a record of another one counts as damaged."""

    @property
    def key(self) -> str:
        """Name of its file in the store of results."""
        return f"{self.id}.{self.format}"

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED


_RECORD: TypeAdapter[Job] = TypeAdapter(Job)


def new_id() -> str:
    """An id that nobody can guess."""
    return f"job_{secrets.token_urlsafe(16)}"


def is_id(name: str) -> bool:
    """Whether it has the form of an id: then it can name a folder."""
    return _ID.fullmatch(name) is not None


def to_json(job: Job) -> bytes:
    """What `from_json` reads."""
    return _RECORD.dump_json(job, indent=1)


def from_json(job_id: str, kept: bytes) -> Job:
    """Read a job's record.  Raises `DamagedRecord` for anything that `to_json` never wrote."""
    try:
        job = _RECORD.validate_json(kept)
    except (ValidationError, UnicodeDecodeError) as error:
        raise DamagedRecord(f"it cannot be read: {type(error).__name__}") from error
    if job.id != job_id:
        raise DamagedRecord(f"it is that of another job, {job.id!r:.40}")
    if job.spoken.chars > job.chars:
        raise DamagedRecord(f"{job.spoken.chars} of {job.chars} characters are spoken")
    if (job.state == "done") != (job.result is not None):
        raise DamagedRecord(f"it is {job.state!r}, which does not fit its result")
    if (job.state == "failed") != (job.failure is not None):
        raise DamagedRecord(f"it is {job.state!r}, which does not fit its error")
    if job.ended != (job.ended_s is not None):
        raise DamagedRecord(f"it is {job.state!r}, which does not fit its end")
    return job


def lost(job_id: str, reason: str, found_s: float) -> Job:
    """What is told of a job whose record is damaged: that it failed, and why."""
    return Job(
        id=job_id,
        owner=None,
        request=SynthesisRequest("", "", ""),
        chars=0,
        format="",
        created_s=found_s,
        state="failed",
        ended_s=found_s,
        failure=Failure("internal", f"the record of this job is damaged: {reason}"),
    )
