from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SynthesizeRequest(_message.Message):
    __slots__ = ("text", "voice", "language", "speed", "emotion", "marks", "seed", "top_k", "top_p", "temperature", "repetition_penalty")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    REPETITION_PENALTY_FIELD_NUMBER: _ClassVar[int]
    text: str
    voice: str
    language: str
    speed: float
    emotion: str
    marks: _containers.RepeatedScalarFieldContainer[Mark.Kind]
    seed: int
    top_k: int
    top_p: float
    temperature: float
    repetition_penalty: float
    def __init__(self, text: _Optional[str] = ..., voice: _Optional[str] = ..., language: _Optional[str] = ..., speed: _Optional[float] = ..., emotion: _Optional[str] = ..., marks: _Optional[_Iterable[_Union[Mark.Kind, str]]] = ..., seed: _Optional[int] = ..., top_k: _Optional[int] = ..., top_p: _Optional[float] = ..., temperature: _Optional[float] = ..., repetition_penalty: _Optional[float] = ...) -> None: ...

class TextMessage(_message.Message):
    __slots__ = ("request", "text", "end", "cancel")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    request: SynthesizeRequest
    text: str
    end: bool
    cancel: bool
    def __init__(self, request: _Optional[_Union[SynthesizeRequest, _Mapping]] = ..., text: _Optional[str] = ..., end: _Optional[bool] = ..., cancel: _Optional[bool] = ...) -> None: ...

class SpeechChunk(_message.Message):
    __slots__ = ("pcm", "sample_rate_hz", "first_sample", "marks", "is_final", "voice", "cached", "is_cancelled")
    PCM_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FIRST_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    IS_CANCELLED_FIELD_NUMBER: _ClassVar[int]
    pcm: bytes
    sample_rate_hz: int
    first_sample: int
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    is_final: bool
    voice: str
    cached: bool
    is_cancelled: bool
    def __init__(self, pcm: _Optional[bytes] = ..., sample_rate_hz: _Optional[int] = ..., first_sample: _Optional[int] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., is_final: _Optional[bool] = ..., voice: _Optional[str] = ..., cached: _Optional[bool] = ..., is_cancelled: _Optional[bool] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("kind", "text_start", "text_end", "start_s", "end_s", "estimated", "label")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Mark.Kind]
        KIND_WORD: _ClassVar[Mark.Kind]
        KIND_PHONE: _ClassVar[Mark.Kind]
        KIND_VISEME: _ClassVar[Mark.Kind]
    KIND_UNSPECIFIED: Mark.Kind
    KIND_WORD: Mark.Kind
    KIND_PHONE: Mark.Kind
    KIND_VISEME: Mark.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_START_FIELD_NUMBER: _ClassVar[int]
    TEXT_END_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    kind: Mark.Kind
    text_start: int
    text_end: int
    start_s: float
    end_s: float
    estimated: bool
    label: str
    def __init__(self, kind: _Optional[_Union[Mark.Kind, str]] = ..., text_start: _Optional[int] = ..., text_end: _Optional[int] = ..., start_s: _Optional[float] = ..., end_s: _Optional[float] = ..., estimated: _Optional[bool] = ..., label: _Optional[str] = ...) -> None: ...

class ListVoicesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListVoicesResponse(_message.Message):
    __slots__ = ("voices",)
    VOICES_FIELD_NUMBER: _ClassVar[int]
    voices: _containers.RepeatedCompositeFieldContainer[Voice]
    def __init__(self, voices: _Optional[_Iterable[_Union[Voice, _Mapping]]] = ...) -> None: ...

class Voice(_message.Message):
    __slots__ = ("id", "languages", "sample_rate_hz", "engine", "description", "emotions")
    ID_FIELD_NUMBER: _ClassVar[int]
    LANGUAGES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EMOTIONS_FIELD_NUMBER: _ClassVar[int]
    id: str
    languages: _containers.RepeatedScalarFieldContainer[str]
    sample_rate_hz: int
    engine: str
    description: str
    emotions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., languages: _Optional[_Iterable[str]] = ..., sample_rate_hz: _Optional[int] = ..., engine: _Optional[str] = ..., description: _Optional[str] = ..., emotions: _Optional[_Iterable[str]] = ...) -> None: ...
