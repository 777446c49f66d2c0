"""Translation between the types of `tts.types` and the messages of `tts.proto`, both ways.

Knows nothing of servers or clients; safe to use from any thread.  What comes from the wire is
translated, not judged: limits are the service's.
"""

from typing import Any

from tts.errors import BadRequest, TextTooLong
from tts.servers.proto import tts_pb2
from tts.types import MARK_KINDS, Mark, MarkKind, SpeechChunk, SynthesisRequest, Voice

MAX_WIRE_CHARS = 1_000_000
"""Text that always fits gRPC's 4 MiB message, whatever its characters."""

_KIND_TO_WIRE: dict[str, Any] = {
    "word": tts_pb2.Mark.KIND_WORD,
    "phone": tts_pb2.Mark.KIND_PHONE,
    "viseme": tts_pb2.Mark.KIND_VISEME,
}
_KIND_FROM_WIRE: dict[Any, MarkKind] = {
    tts_pb2.Mark.KIND_UNSPECIFIED: "word",
    **{_KIND_TO_WIRE[kind]: kind for kind in MARK_KINDS},
}


def request_to_wire(request: SynthesisRequest) -> tts_pb2.SynthesizeRequest:
    """Raises `TextTooLong` or `BadRequest` for what no message can carry."""
    if len(request.text) > MAX_WIRE_CHARS:
        raise TextTooLong(
            f"text has {len(request.text)} characters; a request carries at most {MAX_WIRE_CHARS}"
        )
    try:
        return tts_pb2.SynthesizeRequest(
            text=request.text,
            voice=request.voice,
            language=request.language,
            speed=request.speed,
            emotion=request.emotion,
            marks=[_kind_to_wire(kind) for kind in request.marks],
            seed=request.seed,
            top_k=request.top_k,
            top_p=request.top_p,
            temperature=request.temperature,
            repetition_penalty=request.repetition_penalty,
        )
    except (TypeError, ValueError) as error:  # for example a lone surrogate
        raise BadRequest(f"request cannot be encoded: {error}") from error


def request_from_wire(message: tts_pb2.SynthesizeRequest) -> SynthesisRequest:
    """An unset speed is 1, and what else is unset is the voice's own."""
    return SynthesisRequest(
        text=message.text,
        voice=message.voice,
        language=message.language,
        speed=message.speed or 1.0,
        emotion=message.emotion,
        marks=tuple(_KIND_FROM_WIRE.get(kind, str(kind)) for kind in message.marks),
        seed=_if_set(message, "seed"),
        top_k=_if_set(message, "top_k"),
        top_p=_if_set(message, "top_p"),
        temperature=_if_set(message, "temperature"),
        repetition_penalty=_if_set(message, "repetition_penalty"),
    )


def text_to_wire(text: str) -> tts_pb2.TextMessage:
    """A piece of a text.  Raises `TextTooLong` or `BadRequest` for what no message can carry."""
    if len(text) > MAX_WIRE_CHARS:
        raise TextTooLong(
            f"a piece of text has {len(text)} characters; a message carries at most "
            f"{MAX_WIRE_CHARS}"
        )
    try:
        return tts_pb2.TextMessage(text=text)
    except ValueError as error:
        raise BadRequest(f"text cannot be encoded: {error}") from error


def chunk_to_wire(chunk: SpeechChunk) -> tts_pb2.SpeechChunk:
    """Marks keep their order."""
    return tts_pb2.SpeechChunk(
        pcm=chunk.pcm,
        sample_rate_hz=chunk.sample_rate_hz,
        first_sample=chunk.first_sample,
        marks=[_mark_to_wire(mark) for mark in chunk.marks],
        is_final=chunk.is_final,
        voice=chunk.voice,
        cached=chunk.cached,
        is_cancelled=chunk.is_cancelled,
    )


def chunk_from_wire(message: tts_pb2.SpeechChunk) -> SpeechChunk:
    """Marks keep their order; those of a kind that a newer service knows are left out."""
    return SpeechChunk(
        pcm=message.pcm,
        sample_rate_hz=message.sample_rate_hz,
        first_sample=message.first_sample,
        marks=tuple(
            _mark_from_wire(mark) for mark in message.marks if mark.kind in _KIND_FROM_WIRE
        ),
        is_final=message.is_final,
        voice=message.voice,
        cached=message.cached,
        is_cancelled=message.is_cancelled,
    )


def voice_to_wire(voice: Voice) -> tts_pb2.Voice:
    """Field by field."""
    return tts_pb2.Voice(
        id=voice.id,
        languages=voice.languages,
        sample_rate_hz=voice.sample_rate_hz,
        engine=voice.engine,
        description=voice.description,
        emotions=voice.emotions,
    )


def voice_from_wire(message: tts_pb2.Voice) -> Voice:
    """Field by field."""
    return Voice(
        id=message.id,
        languages=tuple(message.languages),
        sample_rate_hz=message.sample_rate_hz,
        engine=message.engine,
        description=message.description,
        emotions=tuple(message.emotions),
    )


def _if_set(message: tts_pb2.SynthesizeRequest, field: str) -> Any:
    return getattr(message, field) if message.HasField(field) else None


def _kind_to_wire(kind: str) -> Any:
    if kind not in _KIND_TO_WIRE:
        raise BadRequest(f"marks = {kind!r} cannot be encoded: there are {', '.join(MARK_KINDS)}")
    return _KIND_TO_WIRE[kind]


def _mark_to_wire(mark: Mark) -> tts_pb2.Mark:
    return tts_pb2.Mark(
        kind=_KIND_TO_WIRE[mark.kind],
        text_start=mark.text_start,
        text_end=mark.text_end,
        start_s=mark.start_s,
        end_s=mark.end_s,
        estimated=mark.estimated,
        label=mark.label,
    )


def _mark_from_wire(message: tts_pb2.Mark) -> Mark:
    return Mark(
        text_start=message.text_start,
        text_end=message.text_end,
        start_s=message.start_s,
        end_s=message.end_s,
        kind=_KIND_FROM_WIRE[message.kind],
        estimated=message.estimated,
        label=message.label,
    )
