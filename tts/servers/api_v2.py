"""The dialect of GPT-SoVITS' own server, api_v2.py: its clients switch by changing an address.

In: requests as that file takes them, and GET /speakers and POST / as a much used fork of it has
them.  Out: audio, or errors in that file's form, {"message", "Exception"?}.  Names of files mean
voices, or files in folders that are meant for it, and never anything else.  What differs stands in
docs/protocols/api-v2.md.  On the event loop's thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from tts.audio.encode import Encoder, wav_header
from tts.config import ServiceConfig
from tts.context import CallContext, Caller
from tts.errors import BadRequest, Forbidden, TtsError, VoiceNotFound
from tts.limits import check_length
from tts.pretrained.official import PREFIX, WEIGHTS
from tts.servers.api_v2_fields import TtsFields, language_of, problem, to_request
from tts.servers.delivery import deliver
from tts.servers.failures import status_and_headers
from tts.servers.middlewares import FAILED
from tts.servers.operations import Answer, Operation
from tts.servers.reading import context_of, json_body
from tts.service import SynthesisService
from tts.types import SpeechChunk, SynthesisRequest, Voice
from tts.voices.adding import check_weights
from tts.voices.allowed import file_inside
from tts.voices.clip_voices import ClipVoices
from tts.voices.errors import ManifestError, VoiceError
from tts.voices.manifest import Language, load_manifest
from tts.voices.naming import Named, OwnClip, named
from tts.voices.store import voice_folders

DOOR = "api_v2"
DEFAULT_WEIGHTS = f"{PREFIX}v2Pro"
_CLIP_LANGUAGES: tuple[Language, ...] = ("zh", "en", "ja", "ko", "yue")
_STATUS_OF_FAILURE = 400
"""What upstream ends every failed request with."""
_LATER = (429, 500, 503, 504)
"""What ends one that was right."""


class Message(BaseModel):
    """How upstream says that something went well, or did not."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    message: str
    Exception: str = ""
    """Why; not always given."""


class Speaker(BaseModel):
    """A voice, as the fork lists them."""

    name: str
    voice_id: str


class Speakers(RootModel[list[Speaker]]):
    """All voices, and their further emotions as "voice/emotion"."""


class Problems(BaseModel):
    """What is wrong with values, as FastAPI says it."""

    detail: list[dict[str, Any]]


class WeightsQuery(BaseModel):
    """Weights for the clips that are named from now on."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"required": ["weights_path"]}
    )

    weights_path: Annotated[str, Field(json_schema_extra={"minLength": 1})] = ""
    """Any path that ends in the name of an official file; or a file in `api_v2.weights_dir`."""


class ReferenceQuery(BaseModel):
    """A clip, to see whether it can be used."""

    refer_audio_path: str = ""


class CommandQuery(BaseModel):
    """Upstream's commands to its process."""

    command: str = ""


class _Values(RootModel[dict[str, Any]]):
    """A JSON object."""


class ApiV2:
    """The operations of the dialect."""

    def __init__(
        self, service: SynthesisService, config: ServiceConfig, clip_voices: ClipVoices
    ) -> None:
        self._service = service
        self._config = config
        self._clip_voices = clip_voices
        # Everybody's, as upstream's are; the service's start forgets what was chosen.
        self._weights = {"t2s": DEFAULT_WEIGHTS, "sovits": DEFAULT_WEIGHTS}
        self._clips: tuple[OwnClip, ...] = ()
        self._clips_of: tuple[tuple[str, str], ...] | None = None

    def operations(self) -> list[Operation]:
        """For the HTTP door."""
        failed = Answer(description="It did not.", content={"application/json": Message})
        spoken = {
            200: Answer(
                description="The audio.",
                content={f"audio/{name}": None for name in ("wav", "raw", "ogg", "aac")},
            ),
            422: Answer(description="A value is none.", content={"application/json": Problems}),
            **{status: failed for status in _LATER},
        }
        done = {200: Answer(description="It worked.", content={"application/json": Message})}
        speakers = {200: Answer(description="All.", content={"application/json": Speakers})}
        speak: list[tuple[str, str, str, Any]] = [
            ("speakAsApiV2", "POST", "/tts", self._post),
            ("speakAsApiV2Fork", "POST", "/", self._post),
        ]
        return [
            *(
                _operation(
                    one, method, path, "Speak a text.", handler, answers=spoken, body=TtsFields
                )
                for one, method, path, handler in speak
            ),
            _operation(
                "speakAsApiV2Get",
                "GET",
                "/tts",
                "Speak a text.",
                self._get,
                answers=spoken,
                query=TtsFields,
            ),
            _operation(
                "listSpeakers", "GET", "/speakers", "List voices.", self._speakers, answers=speakers
            ),
            _operation(
                "setGptWeights",
                "GET",
                "/set_gpt_weights",
                "Choose the T2S weights for clips.",
                self._set_gpt,
                answers=done,
                query=WeightsQuery,
                manages=True,
            ),
            _operation(
                "setSovitsWeights",
                "GET",
                "/set_sovits_weights",
                "Choose the SoVITS weights for clips.",
                self._set_sovits,
                answers=done,
                query=WeightsQuery,
                manages=True,
            ),
            _operation(
                "setReferAudio",
                "GET",
                "/set_refer_audio",
                "See whether a clip can be used.",
                self._set_reference,
                answers=done,
                query=ReferenceQuery,
            ),
            *(
                _operation(
                    f"control{method.title()}",
                    method,
                    "/control",
                    "Refused: whoever runs the service restarts it.",
                    self._control,
                    answers={403: failed},
                    query=CommandQuery,
                )
                for method in ("GET", "POST")
            ),
        ]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        return await self._tts(request, request.query, "query")

    async def _post(self, request: web.Request) -> web.StreamResponse:
        try:
            values = (await json_body(request, _Values)).root
        except BadRequest as error:
            return _invalid(request, [{"type": "json_invalid", "loc": ["body"], "msg": str(error)}])
        return await self._tts(request, values, "body")

    async def _tts(
        self, request: web.Request, values: Mapping[str, Any], place: Literal["query", "body"]
    ) -> web.StreamResponse:
        try:
            # As upstream does, which takes "1" for a number, too.
            fields = TtsFields.model_validate(dict(values))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            return _invalid(request, [{**one, "loc": [place, *one["loc"]]} for one in problems])
        wrong = problem(fields)
        if wrong:
            return _lacking(request, wrong)
        context = context_of(request, DOOR)
        answer: web.StreamResponse | None = None
        try:
            asked = await self._request(fields, context.caller)
            if not fields.streams:
                return await self._whole(fields.media_type, asked, _terms(context, asked, fields))
            stream = self._service.stream(asked, _terms(context, asked, fields))
            async with aclosing(stream) as chunks:
                first = await anext(chunks)
                answer = web.StreamResponse()
                answer.content_type = f"audio/{fields.media_type}"
                await answer.prepare(request)
                file = _File(fields.media_type, first.sample_rate_hz)
                await self._deliver(answer, await file.part(first))
                async for chunk in chunks:
                    await self._deliver(answer, await file.part(chunk))
            await answer.write_eof()
            return answer
        except TtsError as error:
            if answer is not None:
                raise
            return _failed(request, "tts failed", error)

    async def _whole(
        self, media_type: str, asked: SynthesisRequest, context: CallContext
    ) -> web.Response:
        chunk = await self._service.synthesize(asked, context)
        if media_type == "wav":
            body = wav_header(chunk.sample_rate_hz, len(chunk.pcm) // 2) + chunk.pcm
        else:
            body = await _File(media_type, chunk.sample_rate_hz).part(chunk)
        return web.Response(body=body, content_type=f"audio/{media_type}")

    async def _deliver(self, answer: web.StreamResponse, part: bytes) -> None:
        if part:
            await deliver(answer.write(part), self._config.limits.reader_idle_s)

    async def _request(self, fields: TtsFields, caller: Caller) -> SynthesisRequest:
        """What is to be said, in which voice.  Raises a `TtsError`."""
        limit = self._config.limits.max_text_chars
        check_length(len(fields.text), limit)
        found = await self._voice_named(fields.ref_audio_path)
        if found is None:
            found = Named(await self._voice_of_clip(fields, caller))
        voice = self._service.find_voice(found.voice)
        if voice is None:
            raise VoiceNotFound(f"ref_audio_path = {fields.ref_audio_path[:200]!r}: it is gone")
        return to_request(fields, voice, found.emotion, max_text_chars=limit)

    async def _voice_named(self, path: str) -> Named | None:
        """The voice that a path means, if it means one."""
        voices = self._service.voices
        states = tuple((voice.id, voice.state) for voice in voices)
        if states != self._clips_of:
            self._clips = await asyncio.to_thread(_clips_of_voices, self._config)
            self._clips_of = states
        return named(path, voices, self._clips)

    async def _voice_of_clip(self, fields: TtsFields, caller: Caller) -> str:
        """The hidden voice of a file in the folder for clips, compiled if it is new."""
        clip = await asyncio.to_thread(self._clip, fields.ref_audio_path)
        text = fields.prompt_text.strip()
        if not text:
            raise BadRequest("prompt_text: it is needed for a clip that is no voice's")
        language = language_of(fields.prompt_lang, text, _CLIP_LANGUAGES)
        voice_id = await self._clip_voices.voice_of(
            clip, text, language, **self._weights, may_compile=caller.may_manage
        )
        if self._service.find_voice(voice_id) is None:
            await self._service.refresh_voices()
        return voice_id

    def _clip(self, path: str) -> Path:
        """A file in the folder for clips.  Raises `BadRequest` for anything else; blocking."""
        folder = self._config.api_v2.clips_dir
        known = ", ".join(voice.id for voice in self._service.voices)
        try:
            return file_inside(folder, _name_in(folder, path), field="ref_audio_path")
        except BadRequest as error:
            raise BadRequest(f"{error}; nor is it a voice: there are {known}") from error

    async def _speakers(self, request: web.Request) -> web.StreamResponse:
        """Voices, and each of their further emotions."""
        found = [name for voice in self._service.voices for name in _names(voice)]
        return web.json_response([{"name": name, "voice_id": name} for name in found])

    async def _set_gpt(self, request: web.Request) -> web.StreamResponse:
        return await self._set_weights(request, "t2s", "gpt")

    async def _set_sovits(self, request: web.Request) -> web.StreamResponse:
        return await self._set_weights(request, "sovits", "sovits")

    async def _set_weights(
        self, request: web.Request, kind: Literal["t2s", "sovits"], shown: str
    ) -> web.StreamResponse:
        path = request.query.get("weights_path", "")
        if not path:
            return _lacking(request, f"{shown} weight path is required")
        try:
            self._weights[kind] = await asyncio.to_thread(self._weights_named, kind, path)
        except TtsError as error:
            return _failed(request, f"change {shown} weight failed", error)
        return web.json_response({"message": "success"})

    def _weights_named(self, kind: Literal["t2s", "sovits"], path: str) -> str:
        """An official name, or the whole path of an allowed file.  Raises a `TtsError`."""
        name = PurePosixPath(path.replace("\\", "/")).name
        for version, files in WEIGHTS.items():
            if (
                path in (version, PREFIX + version)
                or name == PurePosixPath(getattr(files, kind)).name
            ):
                return PREFIX + version
        folder = self._config.api_v2.weights_dir
        file = file_inside(folder, _name_in(folder, path), field="weights_path")
        check_weights(kind, str(file.absolute()))
        return str(file.absolute())

    async def _set_reference(self, request: web.Request) -> web.StreamResponse:
        path = request.query.get("refer_audio_path", "")
        try:
            if await self._voice_named(path) is None:
                await asyncio.to_thread(self._clip, path)
        except TtsError as error:
            return _failed(request, "set refer audio failed", error)
        return web.json_response({"message": "success"})

    async def _control(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET" and "command" not in request.query:
            return _lacking(request, "command is required")
        request[FAILED] = Forbidden.code
        why = "control is not served: whoever runs the service stops and restarts it"
        return web.json_response({"message": why}, status=403)


class _File:
    """A file that is sent while it is made; upstream's streamed WAV claims to hold nothing."""

    def __init__(self, media_type: str, rate_hz: int) -> None:
        plain = media_type in ("wav", "raw")
        self._header = wav_header(rate_hz, 0) if media_type == "wav" else b""
        self._encoder = Encoder("pcm" if plain else media_type, from_rate_hz=rate_hz)

    async def part(self, chunk: SpeechChunk) -> bytes:
        """What becomes certain with one more chunk; with the final one, all of it."""
        header, self._header = self._header, b""
        if self._encoder.is_cheap:
            return header + self._encoded(chunk)
        return await asyncio.to_thread(self._encoded, chunk)

    def _encoded(self, chunk: SpeechChunk) -> bytes:
        part = self._encoder.feed(chunk.pcm)
        return part + self._encoder.flush() if chunk.is_final else part


def _operation(
    id: str,
    method: str,
    path: str,
    summary: str,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    **others: Any,
) -> Operation:
    answers = {
        **others.pop("answers"),
        400: Answer(description="It did not.", content={"application/json": Message}),
    }
    return Operation(
        id=id,
        method=method,
        path=path,
        tag=DOOR,
        summary=summary,
        handler=handler,
        answers=answers,
        **others,
    )


def _terms(context: CallContext, asked: SynthesisRequest, fields: TtsFields) -> CallContext:
    """What was drawn by chance comes never again: it is not worth keeping."""
    by_chance = asked.seed is not None and fields.seed == -1
    return replace(context, eager=True, keep=not by_chance)


def _names(voice: Voice) -> list[str]:
    return [voice.id, *(f"{voice.id}/{emotion}" for emotion in voice.emotions[1:])]


def _name_in(folder: Path | None, path: str) -> str:
    """A path as a name in a folder: clients may have the whole path of a file there."""
    path = path.strip()
    if folder is not None:
        path = path.removeprefix(f"{folder.absolute()}/").removeprefix(f"{folder}/")
    return path.removeprefix("./")


def _clips_of_voices(config: ServiceConfig) -> tuple[OwnClip, ...]:
    """The clips of all voices; blocking."""
    found: list[OwnClip] = []
    for folder in voice_folders(config.gpt_sovits.voices_dir):
        try:
            references = load_manifest(folder).reference
        except ManifestError:
            continue  # it cannot be spoken in either
        for one in references:
            paths = (str((folder / name).absolute()) for name in (one.audio, *one.also))
            found += [OwnClip(folder.name, one.emotion, path) for path in paths]
    return tuple(found)


def _failed(request: web.Request, message: str, error: TtsError) -> web.Response:
    """Upstream's form of a failure.  Where trying again may work, the status says so as through
    every other door; upstream, which has no limits, says 400."""
    request[FAILED] = error.code
    status, headers = status_and_headers(error)
    if isinstance(error, VoiceError) or status not in _LATER:
        status = _STATUS_OF_FAILURE
    body = {"message": message, "Exception": str(error)}
    return web.json_response(body, status=status, headers=headers)


def _lacking(request: web.Request, message: str) -> web.Response:
    """Upstream's answer to what it checks itself."""
    request[FAILED] = BadRequest.code
    return web.json_response({"message": message}, status=_STATUS_OF_FAILURE)


def _invalid(request: web.Request, problems: list[dict[str, Any]]) -> web.Response:
    """FastAPI's answer to values that are none, which upstream leaves to it."""
    request[FAILED] = BadRequest.code
    return web.json_response({"detail": problems}, status=422)
