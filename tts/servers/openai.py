"""The dialect of OpenAI's clients: speech, and which models there are.

In: the JSON that OpenAI documents for `/v1/audio/speech`, with a few keys more.  Out: a file that
begins before it is finished, or events with parts of it.  Translates for the service and decides
nothing but what its clients leave open: the language, by the text's script, and the voice that a
name of OpenAI's stands for.  On the event loop's thread.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field

from tts.audio.encode import BYTES_PER_SAMPLE, Encoder, content_type
from tts.config import OpenAiConfig, ServiceConfig
from tts.errors import (
    BadRequest,
    DeadlineExceeded,
    EngineFailed,
    Overloaded,
    RateLimited,
    TextTooLong,
    TtsError,
    Unavailable,
    VoiceNotFound,
)
from tts.limits import MAX_SPEED, MIN_SPEED
from tts.servers.delivery import deliver
from tts.servers.failures import NOT_FOUND, error_body, refusal
from tts.servers.middlewares import FAILED
from tts.servers.operations import Answer, Operation
from tts.servers.reading import context_of, json_body
from tts.service import SynthesisService
from tts.text.language_guess import guess
from tts.types import MARK_KINDS, Mark, MarkKind, SpeechChunk, SynthesisRequest, Voice

DOOR = "openai"
MODEL = "parley"
"""What the service calls itself among models."""
PCM_RATE_HZ = 24_000
"""Of `pcm` unless another is asked for: OpenAI's has always this rate, and no header to say so."""
TOKEN_S = 0.05
"""What `usage` counts audio in: OpenAI's models have about 20 tokens a second too."""

VOICE_NAMES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
"""OpenAI's own voices, which its clients offer whatever service they are turned to."""

SPEECH_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


def _allowed(**keywords: Any) -> Any:
    """What the document says of a field, and the service judges."""
    return Field(json_schema_extra=keywords)


class VoiceId(BaseModel):
    """A voice by its id."""

    id: str


class SpeechRequest(BaseModel):
    """What to say, in which voice, in which form.

    Keys that are not listed are ignored, as OpenAI's clients expect.
    """

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        json_schema_extra={
            "example": {"model": MODEL, "input": "Good morning, Ann.", "voice": "alloy"}
        },
    )

    model: str | None = MODEL
    """Any name or none: there is one model, and clients have names of their own."""
    input: Annotated[str, _allowed(minLength=1)]
    """The text; `limits.max_text_chars` bounds it."""
    voice: Annotated[str, _allowed(minLength=1)] | VoiceId
    """A voice's id, a name of `openai.voices`, or one of OpenAI's own names, which mean the first
    voice that speaks the text's language."""
    instructions: str | None = None
    """Accepted, and without effect: choose an `emotion`."""
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = "mp3"
    """`pcm` is mono, 16 bit, little-endian, 24 kHz unless `sample_rate_hz` says otherwise."""
    speed: Annotated[float, _allowed(minimum=MIN_SPEED, maximum=MAX_SPEED)] | None = 1.0
    """OpenAI takes 0.25 to 4; voices here keep sounding like themselves from 0.5 to 2."""
    stream_format: Literal["audio", "sse"] | None = "audio"
    """`audio`: the file itself. `sse`: events with parts of it."""
    language: str | None = None
    """BCP 47 primary language of the text; without: guessed by its script among the voice's."""
    emotion: str | None = ""
    """One of the voice's emotions; empty: its first."""
    marks: list[Annotated[str, _allowed(enum=list(MARK_KINDS))]] | None = None
    """Kinds of marks wanted in events besides those of words."""
    sample_rate_hz: Annotated[int, Field(ge=0, le=96_000)] | None = None
    """Rate of the audio, one that the format has; 0 or none: the voice's own, or the next there is;
    none with `pcm`: 24000."""
    seed: Annotated[int, _allowed(minimum=0, maximum=2**63 - 1)] | None = None
    """The same seed and text give the same audio in a cloned voice."""
    top_k: Annotated[int, _allowed(minimum=1, maximum=1025)] | None = None
    """This and what follows are the cloned voice's own unless given."""
    top_p: Annotated[float, _allowed(minimum=0, maximum=1)] | None = None
    temperature: Annotated[float, _allowed(minimum=0, maximum=5)] | None = None
    repetition_penalty: Annotated[float, _allowed(minimum=0.1, maximum=10)] | None = None


class MarkBody(BaseModel):
    """When a span of the text is spoken."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    text_start: int
    """Index of the span's first character, in Unicode code points."""
    text_end: int
    start_s: float
    """From the beginning of the audio."""
    end_s: float
    kind: MarkKind
    estimated: bool
    """Spread over the audio by length, not read from the engine."""
    label: str
    """The phone's symbol or the viseme's name; empty for a word."""


class SpeechDelta(BaseModel):
    """An event `speech.audio.delta`: audio that was made just now."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: Literal["speech.audio.delta"]
    audio: str
    """The file's next bytes, in Base64; together they are the file."""
    first_sample: int
    """Where in the whole audio this part of it begins, before it was encoded."""
    sample_rate_hz: int
    """What `first_sample` counts in: with `pcm` that of the bytes, else the voice's."""
    is_final: bool
    marks: list[MarkBody]
    """Marks that became known with this part."""
    voice: str
    """Who speaks; under load it may be another than was asked for."""


class Usage(BaseModel):
    """How much was said: a token is a character of the text, or 50 ms of audio."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class SpeechDone(BaseModel):
    """The event `speech.audio.done`: all was sent."""

    type: Literal["speech.audio.done"]
    usage: Usage


class SpeechError(BaseModel):
    """An event `error`: nothing follows, and the audio is not complete."""

    type: Literal["error"]
    error: dict[str, Any]
    """As in the body of a refused request."""


class SpeechEvent(BaseModel):
    """One event; `type` tells which."""

    data: SpeechDelta | SpeechDone | SpeechError


class ModelBody(BaseModel):
    """A model, as OpenAI's clients know them."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models."""

    object: Literal["list"]
    data: list[ModelBody]


class OpenAiApi:
    """The operations of the dialect."""

    def __init__(self, service: SynthesisService, config: ServiceConfig) -> None:
        self._service = service
        self._config = config

    def operations(self) -> list[Operation]:
        """What `HttpDoor` serves."""
        return [
            Operation(
                id="createSpeech",
                method="POST",
                path="/v1/audio/speech",
                tag=DOOR,
                summary="Speak a text.",
                handler=self._speech,
                body=SpeechRequest,
                answers={
                    200: Answer(
                        description="The audio, while it is made.",
                        content={
                            **{content_type(format): None for format in SPEECH_FORMATS},
                            "text/event-stream": SpeechEvent,
                        },
                        headers={
                            "X-Voice": "Who speaks; under load another than was asked for.",
                            "X-Sample-Rate": "Samples a second of the audio.",
                        },
                    )
                },
                errors=(
                    BadRequest,
                    VoiceNotFound,
                    TextTooLong,
                    RateLimited,
                    Overloaded,
                    DeadlineExceeded,
                    Unavailable,
                    EngineFailed,
                ),
            ),
            Operation(
                id="listModels",
                method="GET",
                path="/v1/models",
                tag=DOOR,
                summary="List the models.",
                handler=self._list_models,
                answers={
                    200: Answer(description="All of them.", content={"application/json": ModelList})
                },
            ),
            Operation(
                id="getModel",
                method="GET",
                path="/v1/models/{model}",
                tag=DOOR,
                summary="Describe a model.",
                handler=self._get_model,
                answers={200: Answer(description="It.", content={"application/json": ModelBody})},
                refusals=(NOT_FOUND,),
            ),
        ]

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, SpeechRequest)
        asked = wanted(body, self._service.voices, self._config.openai)
        # Most who ask over HTTP want a file, and nobody can tell who does not.
        context = replace(context_of(request, DOOR), eager=True)
        stream = self._service.stream(asked, context)
        async with aclosing(stream) as chunks:
            try:
                first = await anext(chunks)
            except TtsError as error:
                if error.field == "text":
                    error.about("input")
                raise
            encoder = await asyncio.to_thread(encoder_of, body, first)
            answer = web.StreamResponse()
            answer.headers["X-Voice"] = first.voice
            answer.headers["X-Sample-Rate"] = str(encoder.rate_hz)
            if body.stream_format == "sse":
                answer.content_type = "text/event-stream"
                answer.headers[hdrs.CACHE_CONTROL] = "no-cache"
                parts = events(request, asked.text, first, chunks, encoder)
            else:
                answer.content_type = content_type(body.response_format or "mp3")
                parts = audio(first, chunks, encoder)
            await answer.prepare(request)
            async with aclosing(parts):
                async for part in parts:
                    await deliver(answer.write(part), self._config.limits.reader_idle_s)
        await answer.write_eof()
        return answer

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"object": "list", "data": [_model(MODEL)]})

    async def _get_model(self, request: web.Request) -> web.StreamResponse:
        model = request.match_info["model"]
        if model != MODEL:
            raise refusal(NOT_FOUND, f"model = {model[:80]!r}: there is {MODEL!r} alone")
        return web.json_response(_model(model))


def wanted(body: SpeechRequest, voices: Sequence[Voice], config: OpenAiConfig) -> SynthesisRequest:
    """What a client asks for, in our words; limits are the service's.

    Raises `VoiceNotFound` when there is no voice at all.
    """
    named = body.voice if isinstance(body.voice, str) else body.voice.id
    voice = _voice(named, body, voices, config)
    return SynthesisRequest(
        text=body.input,
        voice=voice.id if voice else config.voices.get(named, named),
        language=body.language or (guess(body.input, voice.languages) if voice else ""),
        speed=1.0 if body.speed is None else body.speed,
        emotion=body.emotion or "",
        marks=tuple(body.marks or ()),
        seed=body.seed,
        top_k=body.top_k,
        top_p=body.top_p,
        temperature=body.temperature,
        repetition_penalty=body.repetition_penalty,
    )


def _voice(
    named: str, body: SpeechRequest, voices: Sequence[Voice], config: OpenAiConfig
) -> Voice | None:
    """The voice that a name stands for; None where there is none such."""
    by_id = {voice.id: voice for voice in voices}
    name = config.voices.get(named, named)
    if name in by_id or name != named or named not in VOICE_NAMES or not voices:
        return by_id.get(name)
    spoken = list(dict.fromkeys(one for voice in voices for one in voice.languages))
    language = body.language or guess(body.input, spoken)
    return next((voice for voice in voices if language in voice.languages), voices[0])


def encoder_of(body: SpeechRequest, first: SpeechChunk) -> Encoder:
    """What makes the file of the audio.  Raises `BadRequest` for a rate that the format lacks."""
    format = body.response_format or "mp3"
    rate_hz = body.sample_rate_hz
    if format == "pcm" and rate_hz is None:
        rate_hz = PCM_RATE_HZ
    try:
        return Encoder(format, from_rate_hz=first.sample_rate_hz, to_rate_hz=rate_hz or None)
    except ValueError as error:
        raise BadRequest(f"sample_rate_hz = {rate_hz}: {error}").about("sample_rate_hz") from None


async def audio(
    first: SpeechChunk, rest: AsyncGenerator[SpeechChunk], encoder: Encoder
) -> AsyncGenerator[bytes]:
    """The file, as it is made."""
    async for _, part in _encoded(first, rest, encoder):
        if part:
            yield part


async def events(
    request: web.Request,
    text: str,
    first: SpeechChunk,
    rest: AsyncGenerator[SpeechChunk],
    encoder: Encoder,
) -> AsyncGenerator[bytes]:
    """The file in events; an error ends them with one that says so."""
    samples = 0
    try:
        async for chunk, part in _encoded(first, rest, encoder):
            yield _event(delta(chunk, part))
            samples += len(chunk.pcm) // BYTES_PER_SAMPLE
    except TtsError as error:
        request[FAILED] = error.code
        yield _event({"type": "error", **error_body(error)})
        return
    said, heard = len(text), round(samples / first.sample_rate_hz / TOKEN_S)
    usage = Usage(input_tokens=said, output_tokens=heard, total_tokens=said + heard)
    yield _event({"type": "speech.audio.done", "usage": usage.model_dump()})


async def _encoded(
    first: SpeechChunk, rest: AsyncGenerator[SpeechChunk], encoder: Encoder
) -> AsyncGenerator[tuple[SpeechChunk, bytes]]:
    """Each chunk with the bytes that it makes certain; the final one with the end of the file."""
    chunk: SpeechChunk | None = first
    while chunk is not None:
        part = await _computed(encoder, chunk)
        yield chunk, part
        chunk = await anext(rest, None)


async def _computed(encoder: Encoder, chunk: SpeechChunk) -> bytes:
    def compute() -> bytes:
        part = encoder.feed(chunk.pcm)
        return part + encoder.flush() if chunk.is_final else part

    return compute() if encoder.is_cheap else await asyncio.to_thread(compute)


def delta(chunk: SpeechChunk, part: bytes) -> dict[str, Any]:
    """The event of a chunk and the bytes it became."""
    return {
        "type": "speech.audio.delta",
        "audio": base64.b64encode(part).decode(),
        "first_sample": chunk.first_sample,
        "sample_rate_hz": chunk.sample_rate_hz,
        "is_final": chunk.is_final,
        "marks": [_mark(mark) for mark in chunk.marks],
        "voice": chunk.voice,
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "text_start": mark.text_start,
        "text_end": mark.text_end,
        "start_s": mark.start_s,
        "end_s": mark.end_s,
        "kind": mark.kind,
        "estimated": mark.estimated,
        "label": mark.label,
    }


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def _model(model: str) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": 0, "owned_by": "parley"}
