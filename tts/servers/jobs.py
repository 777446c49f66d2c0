"""REST: long texts as jobs, and the audio that became of them.

In: orders as JSON.  Out: jobs as JSON, audio as bytes, any run of them.  Translates for
`tts.jobs.runner` and decides nothing; a caller sees only its own jobs.  On the event loop's thread.
"""

import re
from contextlib import aclosing
from typing import Annotated, get_args

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from tts.audio.encode import AudioFormat, content_type
from tts.config import ServiceConfig
from tts.errors import (
    BadRequest,
    JobNotFound,
    Overloaded,
    RateLimited,
    TextTooLong,
    Unavailable,
    VoiceNotFound,
)
from tts.jobs.public import JobInfo
from tts.jobs.record import Job
from tts.jobs.runner import JobRunner, Order
from tts.jobs.webhook import MAX_URL_CHARS
from tts.limits import MAX_SPEED, MIN_SPEED
from tts.quotas import Quotas
from tts.servers.delivery import deliver
from tts.servers.failures import RANGE_NOT_SATISFIABLE, refusal
from tts.servers.operations import Answer, Operation
from tts.servers.reading import context_of, json_body, query_of
from tts.types import SynthesisRequest

DOOR = "jobs"
KEY_HEADER = "Idempotency-Key"
MAX_KEY_CHARS = 255

BYTES_PER_CHAR = 12
"""What a character takes in JSON at most: two escapes, each as \\uXXXX."""
MAX_OTHER_BYTES = 65_536
"""What a body may have besides the text."""

_TAG = "jobs"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class NewJob(BaseModel):
    """A text to speak, how to speak it, and whom to tell."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    text: Annotated[str, Field(min_length=1)]
    """At most `jobs.max_text_chars` characters."""
    voice: str
    """Id of the voice."""
    language: str
    """BCP 47 primary language of the text: "en", "zh", "ja", ..."""
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)] = 1.0
    """Relative to the voice's own."""
    emotion: str = ""
    """One of the voice's emotions; empty: its first."""
    seed: int | None = None
    """The same seed and text give the same audio. This and what follows are for cloned voices;
    null: the voice's own."""
    top_k: int | None = None
    """Tokens that the next one is chosen from."""
    top_p: float | None = None
    """Share of the probability that it is chosen from."""
    temperature: float | None = None
    """Above 1 is livelier, below 1 steadier."""
    repetition_penalty: float | None = None
    """What the logits of earlier tokens are divided by."""
    format: AudioFormat = "mp3"
    """Format of the file."""
    webhook: Annotated[str, Field(max_length=MAX_URL_CHARS)] = ""
    """URL that is called when the job has ended; empty: none. Its host must be one of
    `jobs.webhook_hosts`."""

    def order(self, idempotency_key: str) -> Order:
        """As the runner takes it."""
        request = SynthesisRequest(
            text=self.text,
            voice=self.voice,
            language=self.language,
            speed=self.speed,
            emotion=self.emotion,
            seed=self.seed,
            top_k=self.top_k,
            top_p=self.top_p,
            temperature=self.temperature,
            repetition_penalty=self.repetition_penalty,
        )
        return Order(request, self.format, self.webhook, idempotency_key)


class Page(BaseModel):
    """Which jobs to list."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    """How many at most."""
    after: str = ""
    """The last job of the page before; empty: the newest jobs."""


class JobList(BaseModel):
    """A page of the caller's jobs, the newest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    jobs: list[JobInfo]
    has_more: bool
    """Whether there are older ones: ask again with the last one's id as `after`."""


class JobsApi:
    """The operations on jobs."""

    def __init__(self, runner: JobRunner, config: ServiceConfig, quotas: Quotas) -> None:
        self._runner = runner
        self._quotas = quotas
        self._keep_days = config.jobs.keep_days
        self._max_body_bytes = max(
            config.http.max_body_bytes,
            config.jobs.max_text_chars * BYTES_PER_CHAR + MAX_OTHER_BYTES,
        )
        self._reader_idle_s = config.limits.reader_idle_s

    def operations(self) -> list[Operation]:
        """For the HTTP door."""
        one = {"application/json": JobInfo}
        audio = dict.fromkeys((content_type(name) for name in get_args(AudioFormat)), None)
        return [
            Operation(
                id="createJob",
                method="POST",
                path="/v1/jobs",
                tag=_TAG,
                summary="Have a long text spoken into a file.",
                handler=self._create,
                body=NewJob,
                answers={
                    202: Answer(
                        description="It was taken, and will be spoken; the header "
                        f"{KEY_HEADER} makes sending it again safe.",
                        content=one,
                        headers={hdrs.LOCATION: "Where to ask what became of it."},
                        links={
                            operation: {"job": "$response.body#/id"}
                            for operation in ("getJob", "getJobAudio", "cancelJob", "deleteJob")
                        },
                    )
                },
                errors=(
                    BadRequest,
                    TextTooLong,
                    VoiceNotFound,
                    RateLimited,
                    Overloaded,
                    Unavailable,
                ),
                max_body_bytes=self._max_body_bytes,
            ),
            Operation(
                id="listJobs",
                method="GET",
                path="/v1/jobs",
                tag=_TAG,
                summary="List the caller's jobs, the newest first.",
                handler=self._list,
                query=Page,
                answers={200: Answer(description="A page.", content={"application/json": JobList})},
                errors=(BadRequest, JobNotFound, Unavailable),
            ),
            Operation(
                id="getJob",
                method="GET",
                path="/v1/jobs/{job}",
                tag=_TAG,
                summary="Show what became of a job.",
                handler=self._show,
                answers={200: Answer(description="It.", content=one)},
                errors=(JobNotFound, Unavailable),
            ),
            Operation(
                id="getJobAudio",
                method="GET",
                path="/v1/jobs/{job}/audio",
                tag=_TAG,
                summary="Give the audio of a job that is done, or a range of it.",
                handler=self._audio,
                answers={
                    200: Answer(description="The file.", content=audio),
                    206: Answer(description="The bytes of the header Range.", content=audio),
                    416: Answer(
                        description="The file has no byte of that range.",
                        content={"application/json": None},
                        headers={hdrs.CONTENT_RANGE: "How long the file is."},
                    ),
                },
                errors=(JobNotFound, Unavailable),
            ),
            Operation(
                id="cancelJob",
                method="POST",
                path="/v1/jobs/{job}/cancel",
                tag=_TAG,
                summary="End a job; one that has ended stays as it is.",
                handler=self._cancel,
                answers={200: Answer(description="It, as it is now.", content=one)},
                errors=(JobNotFound, Unavailable),
            ),
            Operation(
                id="deleteJob",
                method="DELETE",
                path="/v1/jobs/{job}",
                tag=_TAG,
                summary="Forget a job and its audio, whatever it is doing.",
                handler=self._delete,
                answers={204: Answer(description="It is gone.")},
                errors=(JobNotFound, Unavailable),
            ),
        ]

    async def _create(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get(KEY_HEADER, "")
        if len(key) > MAX_KEY_CHARS:
            raise BadRequest(
                f"{KEY_HEADER} has {len(key)} characters; at most {MAX_KEY_CHARS} are allowed"
            ).about(KEY_HEADER)
        new = await json_body(request, NewJob)
        self._quotas.count(context_of(request, DOOR).caller)
        job = await self._runner.submit(_owner(request), new.order(key))
        response = self._json(job, status=202)
        response.headers[hdrs.LOCATION] = f"/v1/jobs/{job.id}"
        return response

    async def _list(self, request: web.Request) -> web.StreamResponse:
        page, owner = query_of(request, Page), _owner(request)
        jobs = self._runner.list(owner)
        if page.after:
            last = self._runner.find(owner, page.after)
            jobs = jobs[jobs.index(last) + 1 :] if last in jobs else []
        body = JobList(
            jobs=[self._info(job) for job in jobs[: page.limit]], has_more=len(jobs) > page.limit
        )
        return web.json_response(text=body.model_dump_json())

    async def _show(self, request: web.Request) -> web.StreamResponse:
        return self._json(self._find(request))

    async def _cancel(self, request: web.Request) -> web.StreamResponse:
        return self._json(await self._runner.cancel(_owner(request), request.match_info["job"]))

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        await self._runner.remove(_owner(request), request.match_info["job"])
        return web.Response(status=204)

    async def _audio(self, request: web.Request) -> web.StreamResponse:
        job = self._find(request)
        result = job.result
        if result is None:
            raise JobNotFound(f"the job is {job.state}: it has no audio")
        if not await self._runner.has_audio(job):
            raise JobNotFound("the audio of this job is not kept any more")
        size_bytes, etag = result.size_bytes, f'"{result.sha256}"'
        headers = {
            hdrs.CONTENT_TYPE: result.content_type,
            hdrs.ACCEPT_RANGES: "bytes",
            hdrs.ETAG: etag,
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{job.key}"',
        }
        wanted = None
        # A range of a file that is not the one that the client has a part of would not fit it.
        if request.headers.get(hdrs.IF_RANGE, etag) == etag:
            wanted = byte_range(request.headers.get(hdrs.RANGE, ""), size_bytes)
        start, end = wanted or (0, size_bytes)
        if start >= end:
            raise refusal(
                RANGE_NOT_SATISFIABLE,
                f"the file has {size_bytes} bytes, and none of that range",
                headers={hdrs.CONTENT_RANGE: f"bytes */{size_bytes}"},
            )
        if wanted:
            headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{size_bytes}"
        response = web.StreamResponse(status=206 if wanted else 200, headers=headers)
        response.content_length = end - start
        async with aclosing(self._runner.audio(job, start, end)) as blocks:
            # What cannot be read at all is refused before the answer begins.
            block = await anext(blocks)
            await response.prepare(request)
            await deliver(response.write(block), self._reader_idle_s)
            async for block in blocks:
                await deliver(response.write(block), self._reader_idle_s)
        await response.write_eof()
        return response

    def _find(self, request: web.Request) -> Job:
        return self._runner.find(_owner(request), request.match_info["job"])

    def _info(self, job: Job) -> JobInfo:
        return JobInfo.of(job, self._keep_days)

    def _json(self, job: Job, *, status: int = 200) -> web.Response:
        return web.json_response(text=self._info(job).model_dump_json(), status=status)


def byte_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """The run of bytes that a Range header asks for, start and one past the end (RFC 9110, 14.1.2).

    None: all; so is what has another unit, several ranges, or no meaning.  A run without a byte is
    one that cannot be satisfied.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None:
        return None
    first, last = found.groups()
    if first:
        if last and int(last) < int(first):
            return None
        return int(first), min(int(last) + 1, size_bytes) if last else size_bytes
    if not last:
        return None
    return max(size_bytes - int(last), 0), size_bytes


def _owner(request: web.Request) -> str:
    return context_of(request, DOOR).caller.name
