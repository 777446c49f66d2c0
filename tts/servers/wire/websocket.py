"""The messages of the WebSocket door: text of a client -> message or refusal; event -> frame.

JSON in text frames, told apart by `type`; audio in binary frames with a header.  Knows nothing of
sockets, sessions or the service, and never raises on what a client sends.  Any thread.  For people:
docs/protocols/websocket.md.
"""

import difflib
import json
import re
import struct
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts.audio.encode import AudioFormat
from tts.config import explain
from tts.errors import TtsError
from tts.types import Mark, SynthesisRequest, Voice

SUBPROTOCOL = "parley.tts.v1"

HEADER = struct.Struct("<BBHIQ")
"""Before the audio of a binary frame: version, flags, handle of the request, number of the frame,
and what of the request's audio came before it (samples of PCM, else bytes)."""
VERSION = 1
FINAL = 0x01
"""Flag of a request's last audio."""

MAX_ID_CHARS = 64
MIN_CHUNK_MS, MAX_CHUNK_MS = 10, 1000
"""As in the table `chunks` of the configuration."""
MAX_NUMBER = 2**32 - 1
"""Highest number of a frame."""

_ID = rf"[\x21-\x7e]{{1,{MAX_ID_CHARS}}}"
Id = Annotated[str, Field(pattern=f"^{_ID}$")]


class Message(BaseModel):
    """What a client sends; an unknown field is refused, for it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Spoken(Message):
    """How a text is to be spoken; what cannot be is refused by the service."""

    id: Id
    voice: str
    language: str
    speed: float = 1.0
    emotion: str = ""
    marks: list[str] = Field([], max_length=16)
    seed: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    format: AudioFormat = "pcm"
    chunk_ms: Annotated[int | None, Field(ge=MIN_CHUNK_MS, le=MAX_CHUNK_MS)] = None
    timeout_s: Annotated[float | None, Field(gt=0, le=86_400)] = None
    resumable: bool = False
    traceparent: str = Field("", max_length=128)

    def request(self) -> SynthesisRequest:
        """The same for the service."""
        return SynthesisRequest(
            text=getattr(self, "text", ""),
            voice=self.voice,
            language=self.language,
            speed=self.speed,
            emotion=self.emotion,
            marks=tuple(self.marks),
            seed=self.seed,
            top_k=self.top_k,
            top_p=self.top_p,
            temperature=self.temperature,
            repetition_penalty=self.repetition_penalty,
        )


class Synthesize(_Spoken):
    """Speak a text."""

    type: Literal["synthesize"]
    text: str


class Start(_Spoken):
    """Speak a text that is being written; `text` is its beginning."""

    type: Literal["start"]
    text: str = ""


class Text(Message):
    """More of a text."""

    type: Literal["text"]
    id: Id
    text: str


class End(Message):
    """A text is complete."""

    type: Literal["end"]
    id: Id


class Cancel(Message):
    """Say no more of it."""

    type: Literal["cancel"]
    id: Id


class Ack(Message):
    """Every frame of a request up to this number has come."""

    type: Literal["ack"]
    id: Id
    seq: Annotated[int, Field(ge=0, le=MAX_NUMBER)]


class Resume(Message):
    """Go on with a session whose connection was lost."""

    type: Literal["resume"]
    session: Annotated[str, Field(max_length=128)]
    received: Annotated[
        dict[Id, Annotated[int, Field(ge=-1, le=MAX_NUMBER)]], Field(max_length=256)
    ]
    """By request: the number of its last frame that has come, -1 for none.  Requests that are not
    named are cancelled."""


class Ping(Message):
    """Asks for a `pong` with the same `t`."""

    type: Literal["ping"]
    t: float | Annotated[str, Field(max_length=64)] | None = None


class ListVoices(Message):
    """Asks for the voices there are."""

    type: Literal["voices"]


ClientMessage = Synthesize | Start | Text | End | Cancel | Ack | Resume | Ping | ListVoices

_CLASS_OF_TYPE: dict[str, type[ClientMessage]] = {
    "synthesize": Synthesize,
    "start": Start,
    "text": Text,
    "end": End,
    "cancel": Cancel,
    "ack": Ack,
    "resume": Resume,
    "ping": Ping,
    "voices": ListVoices,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a client sent and cannot be taken."""

    message: str
    about: str | None = None
    """Id of the request that the message would have begun or gone on with."""


def parse(text: str) -> ClientMessage | Refusal:
    """Read one text frame of a client."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Refusal(f"the message is not JSON: {str(error)[:100]}")
    if not isinstance(data, dict):
        return Refusal(f"a message is a JSON object with a `type`, not {type(data).__name__}")
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in _CLASS_OF_TYPE:
        return Refusal(f"type = {_short(kind)}: {_hint(kind)}")
    cls = _CLASS_OF_TYPE[kind]
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        about = _about(data) if kind in ("synthesize", "start", "text", "end") else None
        return Refusal("; ".join(explain(error, cls)), about)


def _about(data: dict[str, Any]) -> str | None:
    """The id that a message has, if it is one."""
    id = data.get("id")
    return id if isinstance(id, str) and re.fullmatch(_ID, id) else None


def _hint(kind: object) -> str:
    near = difflib.get_close_matches(str(kind)[:64], _CLASS_OF_TYPE, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_CLASS_OF_TYPE)}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "…"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request is being spoken, by this voice; binary frames name it by its handle."""

    voice: str
    sample_rate_hz: int
    format: str


@dataclass(frozen=True, slots=True)
class Audio:
    """Some of a request's audio."""

    data: bytes
    offset: int
    """Samples of PCM, or bytes of another format, that came before."""
    is_final: bool


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks that became known with the audio frame that comes next."""

    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How much has been sent: characters whose words are in the audio, and its length."""

    chars: int
    audio_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """All of a request has been sent."""

    samples: int
    audio_s: float
    first_packet_ms: float
    cached: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A request has ended as its client asked."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A request has ended with an error."""

    error: TtsError


Event = Accepted | Audio | Marks | Progress | Done | Cancelled | Failed
"""What happens to one request; each becomes one numbered frame."""
Frame = str | bytes


def encode(event: Event, *, id: str, handle: int, seq: int) -> Frame:
    """The frame of an event."""
    match event:
        case Audio(data, offset, is_final):
            flags = FINAL if is_final else 0
            return HEADER.pack(VERSION, flags, handle, seq, offset) + data
        case Accepted(voice, sample_rate_hz, format):
            fields: dict[str, Any] = {
                "handle": handle,
                "voice": voice,
                "sample_rate_hz": sample_rate_hz,
                "format": format,
            }
            return _json("accepted", id=id, seq=seq, **fields)
        case Marks(marks):
            return _json("marks", id=id, seq=seq, marks=[_mark(mark) for mark in marks])
        case Progress(chars, audio_s):
            return _json("progress", id=id, seq=seq, chars=chars, audio_s=round(audio_s, 3))
        case Done(samples, audio_s, first_packet_ms, cached):
            return _json(
                "done",
                id=id,
                seq=seq,
                samples=samples,
                audio_s=round(audio_s, 3),
                first_packet_ms=round(first_packet_ms, 1),
                cached=cached,
            )
        case Cancelled():
            return _json("cancelled", id=id, seq=seq)
        case Failed(error):
            return _json("error", id=id, seq=seq, **_error_fields(error))


def error_frame(error: TtsError, *, id: str | None = None) -> str:
    """An error outside the numbered frames: with an id that request has ended or never begun,
    without one nothing has changed."""
    about = {} if id is None else {"id": id}
    return _json("error", **about, **_error_fields(error))


def session_frame(session: str, *, resume_within_s: float, keep_bytes: int, at_once: int) -> str:
    """The first frame of a connection."""
    return _json(
        "session",
        session=session,
        resume_within_s=resume_within_s,
        keep_bytes=keep_bytes,
        requests_at_once=at_once,
    )


def resumed_frame(session: str, requests: dict[str, tuple[int, bool]]) -> str:
    """A session goes on.  `requests`: by id, the characters of its text that have come, and whether
    it is complete."""
    listed = {id: {"text_chars": chars, "ended": ended} for id, (chars, ended) in requests.items()}
    return _json("resumed", session=session, requests=listed)


def pong_frame(ping: Ping) -> str:
    """The answer to a ping."""
    return _json("pong", **({} if ping.t is None else {"t": ping.t}))


def voices_frame(voices: tuple[Voice, ...]) -> str:
    """The voices there are."""
    listed = [
        {
            "id": voice.id,
            "languages": voice.languages,
            "sample_rate_hz": voice.sample_rate_hz,
            "engine": voice.engine,
            "description": voice.description,
            "emotions": voice.emotions,
        }
        for voice in voices
    ]
    return _json("voices", voices=listed)


def _json(type_: str, **fields: Any) -> str:
    # Escaped to ASCII: a lone surrogate that a client sent has no UTF-8.
    return json.dumps({"type": type_, **fields}, separators=(",", ":"), allow_nan=False)


def _error_fields(error: TtsError) -> dict[str, Any]:
    fields: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.field is not None:
        fields["field"] = error.field
    if error.retry_after_s is not None:
        fields["retry_after_s"] = error.retry_after_s
    return fields


def _mark(mark: Mark) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kind": mark.kind,
        "text_start": mark.text_start,
        "text_end": mark.text_end,
        "start_s": mark.start_s,
        "end_s": mark.end_s,
    }
    if mark.estimated:
        fields["estimated"] = True
    if mark.label:
        fields["label"] = mark.label
    return fields
