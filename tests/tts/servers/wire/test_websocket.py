"""Messages of the WebSocket door: every text of a client is one or is refused, and events are
frames."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.config import ChunksConfig
from tts.errors import BadRequest, EngineFailed, Overloaded
from tts.servers.wire.websocket import (
    HEADER,
    MAX_CHUNK_MS,
    MAX_ID_CHARS,
    MIN_CHUNK_MS,
    Ack,
    Audio,
    Cancel,
    Done,
    End,
    Event,
    Failed,
    ListVoices,
    Marks,
    Message,
    Ping,
    Progress,
    Refusal,
    Resume,
    Start,
    Synthesize,
    Text,
    encode,
    error_frame,
    parse,
    pong_frame,
    session_frame,
)
from tts.types import Mark, SynthesisRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "seq", "text", "type"]) | st.text(), inside)
    ),
    max_leaves=8,
)
TYPES = ["synthesize", "start", "text", "end", "cancel", "ack", "resume", "ping", "voices", "x"]
FIELDS = list(Synthesize.model_fields) + ["seq", "session", "received", "t"]
NEARLY = st.dictionaries(st.sampled_from(FIELDS), JSON | st.just("a")).flatmap(
    lambda fields: st.sampled_from(TYPES).map(lambda kind: json.dumps({**fields, "type": kind}))
)


@settings(max_examples=80, deadline=None)
@given(st.text() | JSON.map(json.dumps) | NEARLY)
def test_whatever_comes_is_a_message_or_a_refusal_that_can_be_sent(text: str) -> None:
    result = parse(text)
    assert isinstance(result, Message | Refusal)
    if isinstance(result, Refusal):
        answer = json.loads(error_frame(BadRequest(result.message), id=result.about))
        assert answer["code"] == "bad_request"
        assert answer["message"]
    elif isinstance(result, Ping):
        assert json.loads(pong_frame(result))["type"] == "pong"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 100_000,
        '{"type":"ping","t":1e999}',
        '{"type":"ping","t":NaN}',
        '{"type":"ack","id":"a","seq":' + "9" * 5000 + "}",
        '{"type":"ping","t":' + "9" * 4000 + "}",
        '{"type":"synthesize","id":"a","text":"hi","voice":"v","language":"en","speed":-Infinity}',
        '{"type":["synthesize"]}',
        '{"type":"resume","session":"s","received":{"a":-2}}',
        '{"type":"resume","session":"s","received":{"":1}}',
        '{"type":"cancel","id":"a\\n"}',
        '{"type":"cancel","id":"\\ud800"}',
    ],
)
def test_what_cannot_be_is_refused(text: str) -> None:
    result = parse(text)
    assert isinstance(result, Refusal)
    json.loads(error_frame(BadRequest(result.message)))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"type": "text", "id": "a", "text": "x"}, Text(type="text", id="a", text="x")),
        ({"type": "end", "id": "a"}, End(type="end", id="a")),
        ({"type": "cancel", "id": "a"}, Cancel(type="cancel", id="a")),
        ({"type": "ack", "id": "a", "seq": 0}, Ack(type="ack", id="a", seq=0)),
        ({"type": "ping", "t": 1}, Ping(type="ping", t=1)),
        ({"type": "voices"}, ListVoices(type="voices")),
        (
            {"type": "start", "id": "a", "voice": "v", "language": "en"},
            Start(type="start", id="a", voice="v", language="en"),
        ),
        (
            {"type": "resume", "session": "s", "received": {"a": -1}},
            Resume(type="resume", session="s", received={"a": -1}),
        ),
    ],
)
def test_each_message_is_read(message: dict[str, object], expected: Message) -> None:
    assert parse(json.dumps(message)) == expected


def test_a_request_for_the_service_has_every_field_of_the_message() -> None:
    fields = {
        "text": "Hi \u4f60\u597d",
        "voice": "v",
        "language": "zh",
        "speed": 1.5,
        "emotion": "happy",
        "marks": ["phone"],
        "seed": 7,
        "top_k": 5,
        "top_p": 0.5,
        "temperature": 0.8,
        "repetition_penalty": 1.2,
    }
    message = parse(json.dumps({"type": "synthesize", "id": "a", **fields}))
    assert isinstance(message, Synthesize)
    assert message.request() == SynthesisRequest(**{**fields, "marks": ("phone",)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message", "words", "about"),
    [
        ({"type": "sythesize", "id": "a"}, ["'sythesize'", "'synthesize'"], None),
        ({"type": "zzz"}, ["'zzz'", "voices"], None),
        ({}, ["None", "synthesize"], None),
        ({"type": "start", "id": "a", "voice": "v"}, ["language", "missing"], "a"),
        (
            {"type": "start", "id": "a", "voice": "v", "language": "en", "emotoin": "sad"},
            ["emotoin", "'emotion'"],
            "a",
        ),
        (
            {"type": "start", "id": "a", "voice": "v", "language": "en", "chunk_ms": 5},
            ["chunk_ms = 5", "10"],
            "a",
        ),
        (
            {"type": "start", "id": "a", "voice": "v", "language": "en", "format": "mp4"},
            ["format = 'mp4'", "'mp3'"],
            "a",
        ),
        ({"type": "text", "id": "a", "text": 5}, ["text = 5", "string"], "a"),
        ({"type": "text", "id": "a b", "text": "x"}, ["id = 'a b'"], None),
        ({"type": "text", "id": "a" * (MAX_ID_CHARS + 1), "text": "x"}, ["id ="], None),
        ({"type": "ack", "id": "a", "seq": "3"}, ["seq = '3'", "integer"], None),
    ],
)
def test_a_refusal_names_field_value_and_what_is_allowed(
    message: dict[str, object], words: list[str], about: str | None
) -> None:
    refusal = parse(json.dumps(message))
    assert isinstance(refusal, Refusal)
    assert [word for word in words if word not in refusal.message] == []
    assert refusal.about == about


def test_a_request_may_have_the_chunks_that_the_configuration_may() -> None:
    bounds = {
        name: value
        for rule in ChunksConfig.model_fields["next_ms"].metadata
        for name, value in [(type(rule).__name__, getattr(rule, "ge", getattr(rule, "le", None)))]
    }
    assert bounds == {"Ge": MIN_CHUNK_MS, "Le": MAX_CHUNK_MS}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            Marks((Mark(0, 2, 0.5, 1.0), Mark(3, 4, 1.0, 1.5, "phone", True, "AH"))),
            {
                "type": "marks",
                "marks": [
                    {"kind": "word", "text_start": 0, "text_end": 2, "start_s": 0.5, "end_s": 1.0},
                    {
                        "kind": "phone",
                        "text_start": 3,
                        "text_end": 4,
                        "start_s": 1.0,
                        "end_s": 1.5,
                        "estimated": True,
                        "label": "AH",
                    },
                ],
            },
        ),
        (Progress(7, 0.12345), {"type": "progress", "chars": 7, "audio_s": 0.123}),
        (
            Done(24_000, 1.0, 12.34, True),
            {
                "type": "done",
                "samples": 24_000,
                "audio_s": 1.0,
                "first_packet_ms": 12.3,
                "cached": True,
            },
        ),
        (
            Failed(EngineFailed("scripted")),
            {"type": "error", "code": "engine_failed", "message": "scripted"},
        ),
        (
            Failed(Overloaded("busy", retry_after_s=2.0)),
            {"type": "error", "code": "overloaded", "message": "busy", "retry_after_s": 2.0},
        ),
    ],
)
def test_an_event_is_a_numbered_frame(event: Event, expected: dict[str, object]) -> None:
    frame = encode(event, id="a", handle=3, seq=9)
    assert isinstance(frame, str)
    assert json.loads(frame) == {**expected, "id": "a", "seq": 9}


def test_audio_is_a_binary_frame_with_a_header() -> None:
    frame = encode(Audio(b"\x01\x02", 2**40, True), id="a", handle=65_535, seq=2**32 - 1)
    assert frame == bytes.fromhex("01 01 ffff ffffffff 0000000000010000 0102")
    assert HEADER.size == 16


def test_an_error_outside_the_frames_has_no_number() -> None:
    assert json.loads(error_frame(EngineFailed("x"), id="a")) == {
        "type": "error",
        "id": "a",
        "code": "engine_failed",
        "message": "x",
    }
    assert "id" not in json.loads(error_frame(BadRequest("x")))


def test_a_session_says_its_bounds() -> None:
    frame = session_frame("s", resume_within_s=30.0, keep_bytes=5, at_once=2)
    assert json.loads(frame) == {
        "type": "session",
        "session": "s",
        "resume_within_s": 30.0,
        "keep_bytes": 5,
        "requests_at_once": 2,
    }
