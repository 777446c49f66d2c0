"""OpenAI's endpoint for transcriptions of recordings, on the recogniser of the calls.

In: a multipart form with a recording in any format that FFmpeg reads.  Out: text, JSON, subtitles,
or events while the recording is being heard.  Refuses with errors of `tts.errors`; the door it is
put into translates them.  Loop's thread; decoding runs on another.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import numpy as np
from aiohttp import BodyPartReader, hdrs, web
from faster_whisper.transcribe import Segment, TranscriptionInfo
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.stt.decoder import Wanted
from agent.stt.types import SAMPLE_RATE_HZ, SttFailed
from tts.errors import BadRequest, EngineFailed, Overloaded

PATH = "/v1/audio/transcriptions"
MAX_FILE_BYTES = 25 << 20
"""What OpenAI takes, too."""
MAX_FILE_S = 1800.0
MAX_FIELD_BYTES = 16 << 10
MAX_WAITING = 4
"""Recordings that wait for the one that is heard; one more is refused."""
BODY_TIMEOUT_S = 120.0
_GRANULARITIES = "timestamp_granularities"  # with "[]" in OpenAI's forms: a list

Events = AsyncGenerator[TranscriptionInfo | Segment]
Transcribe = Callable[[NDArray[np.float32], Wanted], Events]
"""Mono samples [N] at 16 kHz -> what is known of them, then segments; raises `SttFailed`."""


class TranscriptionForm(BaseModel):
    """The fields beside the recording."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="ignore")

    model: str = "whisper-1"
    """Any name: there is one recogniser."""
    language: Annotated[str | None, Field(pattern=r"^[a-z]{2,3}$")] = None
    """ISO 639-1; without: as it sounds."""
    prompt: Annotated[str, Field(max_length=4000)] = ""
    """Text in the style and with the names that are expected."""
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    """What to answer with."""
    temperature: Annotated[float | None, Field(ge=0, le=1)] = None
    """Of the recogniser's sampling; 0: none, and more where it does not believe itself."""
    timestamp_granularities: list[Literal["word", "segment"]] = ["segment"]
    """Which times stand in verbose_json."""
    stream: bool = False
    """Server-sent events while the recording is being heard."""


class Transcription(BaseModel):
    """A transcript as JSON; what stands behind `usage` is for verbose_json."""

    text: str
    usage: dict[str, Any]
    """What OpenAI would bill."""
    task: Literal["transcribe"] = "transcribe"
    language: str = ""
    """ISO 639-1."""
    duration: float = 0.0
    """Of the recording, in seconds."""
    segments: list[dict[str, Any]] = []
    """Runs of text with their times and how sure the recogniser was."""
    words: list[dict[str, Any]] = []
    """Words with their times."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole transcript."""

    about: TranscriptionInfo
    segments: list[Segment]

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(one.text for one in self.segments).strip()

    @property
    def usage(self) -> dict[str, Any]:
        """What OpenAI would bill."""
        return {"type": "duration", "seconds": round(self.about.duration)}


class Transcriptions:
    """The endpoint."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe = transcribe
        self._inside = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request.  Raises `BadRequest`, `Overloaded` or `EngineFailed`."""
        if self._inside > MAX_WAITING:
            raise Overloaded(
                f"{MAX_WAITING} recordings are waiting, which is the limit", retry_after_s=10
            )
        self._inside += 1
        try:
            with tempfile.TemporaryDirectory(prefix="parley-upload-") as folder:
                path = Path(folder) / "recording"
                form = await _received(request, path)
                audio = await asyncio.to_thread(decoded, path)
            wanted = Wanted(
                language=form.language,
                prompt=form.prompt,
                temperature=form.temperature or None,
                words="word" in form.timestamp_granularities,
            )
            async with aclosing(_failing_plainly(self._transcribe(audio, wanted))) as events:
                if form.stream:
                    return await _streamed(request, events)
                return _answer(await _whole(events), form)
        finally:
            self._inside -= 1


async def _failing_plainly(events: Events) -> Events:
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except SttFailed as error:
        raise EngineFailed(f"the recording cannot be transcribed: {error}") from error


async def _whole(events: Events, tell: Callable[[Segment], Awaitable[None]] | None = None) -> Heard:
    """All that is heard; each segment is told as it comes."""
    about: TranscriptionInfo | None = None
    segments: list[Segment] = []
    async for event in events:
        if isinstance(event, TranscriptionInfo):
            about = event
            continue
        segments.append(event)
        if tell is not None:
            await tell(event)
    assert about is not None
    return Heard(about, segments)


async def _streamed(request: web.Request, events: Events) -> web.StreamResponse:
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream"})
    response.headers[hdrs.CACHE_CONTROL] = "no-cache"
    await response.prepare(request)

    async def tell(segment: Segment) -> None:
        await response.write(_event({"type": "transcript.text.delta", "delta": segment.text}))

    whole = await _whole(events, tell)
    done = {"type": "transcript.text.done", "text": whole.text, "usage": whole.usage}
    await response.write(_event(done))
    await response.write_eof()
    return response


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _answer(heard: Heard, form: TranscriptionForm) -> web.Response:
    match form.response_format:
        case "json":
            return web.json_response({"text": heard.text, "usage": heard.usage})
        case "text":
            return web.Response(text=heard.text + "\n")
        case "srt":
            return web.Response(text=srt(heard.segments), content_type="application/x-subrip")
        case "vtt":
            return web.Response(text=vtt(heard.segments), content_type="text/vtt")
        case "verbose_json":
            return web.json_response(_verbose(heard, form))


def _verbose(heard: Heard, form: TranscriptionForm) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": heard.about.language,
        "duration": heard.about.duration,
        "text": heard.text,
        "usage": heard.usage,
    }
    if "segment" in form.timestamp_granularities:
        body["segments"] = [
            {
                "id": index,
                "seek": one.seek,
                "start": one.start,
                "end": one.end,
                "text": one.text,
                "tokens": one.tokens,
                "temperature": one.temperature or 0.0,
                "avg_logprob": one.avg_logprob,
                "compression_ratio": one.compression_ratio,
                "no_speech_prob": one.no_speech_prob,
            }
            for index, one in enumerate(heard.segments)
        ]
    if "word" in form.timestamp_granularities:
        body["words"] = [
            {"word": word.word.strip(), "start": float(word.start), "end": float(word.end)}
            for one in heard.segments
            for word in one.words or ()
        ]
    return body


def srt(segments: list[Segment]) -> str:
    """Subtitles in SubRip's form."""
    return "".join(
        f"{index}\n{_clock(one.start, ',')} --> {_clock(one.end, ',')}\n{one.text.strip()}\n\n"
        for index, one in enumerate(segments, 1)
    )


def vtt(segments: list[Segment]) -> str:
    """Subtitles in the form of WebVTT (W3C)."""
    cues = (
        f"{_clock(one.start, '.')} --> {_clock(one.end, '.')}\n{one.text.strip()}\n\n"
        for one in segments
    )
    return "WEBVTT\n\n" + "".join(cues)


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"


async def _received(request: web.Request, path: Path) -> TranscriptionForm:
    """Write the recording to `path`; return the other fields.  Raises `BadRequest`."""
    if request.content_type != "multipart/form-data":
        raise BadRequest(f'content type "{request.content_type}": must be "multipart/form-data"')
    fields: dict[str, Any] = {}
    has_file = False
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            reader = await request.multipart()
            while (part := await reader.next()) is not None:
                if not isinstance(part, BodyPartReader) or part.name is None:
                    raise BadRequest("each part of the form needs a name")
                if part.name == "file":
                    await _save(part, path)
                    has_file = True
                elif (name := part.name.removesuffix("[]")) == _GRANULARITIES:
                    fields.setdefault(name, []).append(await _field(part))
                else:
                    fields[part.name] = await _field(part)
    except TimeoutError:
        raise BadRequest("the body did not arrive in time") from None
    except (ValueError, AssertionError, RuntimeError) as error:
        # What aiohttp's reader raises for a broken body.
        raise BadRequest(f"the body is no multipart form: {str(error)[:200]}") from None
    if not has_file:
        raise BadRequest("file: missing; it must be a recording")
    try:
        return TranscriptionForm.model_validate({k: v for k, v in fields.items() if v != ""})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise BadRequest(f"{key} = {str(first['input'])[:60]!r}: {first['msg']}") from None


async def _save(part: BodyPartReader, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        while data := await part.read_chunk(1 << 16):
            size += len(data)
            if size > MAX_FILE_BYTES:
                raise BadRequest(
                    f"file: larger than {MAX_FILE_BYTES >> 20} MiB, which is the limit"
                )
            await asyncio.to_thread(file.write, data)


async def _field(part: BodyPartReader) -> str:
    data = b""
    while chunk := await part.read_chunk(4096):
        data += chunk
        if len(data) > MAX_FIELD_BYTES:
            raise BadRequest(f"{part.name}: longer than {MAX_FIELD_BYTES} bytes")
    return data.decode("utf-8", "replace")


def decoded(path: Path) -> NDArray[np.float32]:
    """A recording as mono samples [N] at 16 kHz in -1..1.  Blocking, any thread.

    No more than `MAX_FILE_S` are ever decoded.  Raises `BadRequest`.
    """
    pieces: list[NDArray[np.float32]] = []
    samples = 0
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadRequest("file: there is no sound in it")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
            for frame in chain(container.decode(audio=0), (None,)):
                for made in resampler.resample(frame):
                    pieces.append(made.to_ndarray().reshape(-1).astype(np.float32))
                    samples += len(pieces[-1])
                if samples > MAX_FILE_S * SAMPLE_RATE_HZ:
                    raise BadRequest(f"file: longer than {MAX_FILE_S:.0f} s, which is the limit")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadRequest(f"file: not a recording that can be read ({error})") from None
    if samples == 0:
        raise BadRequest("file: there is no sound in it")
    return np.concatenate(pieces)
