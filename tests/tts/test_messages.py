"""What crosses the wire comes back as it was."""

from typing import get_args

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tts.properties import quick
from tts.errors import BadRequest, TextTooLong, TtsError
from tts.limits import check
from tts.servers.messages import (
    MAX_WIRE_CHARS,
    chunk_from_wire,
    chunk_to_wire,
    request_from_wire,
    request_to_wire,
    text_to_wire,
)
from tts.servers.proto import tts_pb2
from tts.servers.status import to_status
from tts.types import Mark, MarkKind, SpeechChunk, SynthesisRequest, Voice

MARKS = (
    Mark(0, 5, 0.0, 0.25),
    Mark(0, 5, 0.0, 0.1, "phone", label="HH"),
    Mark(0, 5, 0.0, 0.1, "viseme", estimated=True, label="aa"),
)


def test_a_chunk_comes_back_with_every_kind_of_mark() -> None:
    chunk = SpeechChunk(b"\x01\x02", 32_000, 7, MARKS, True, "ann")
    data = chunk_to_wire(chunk).SerializeToString()
    assert chunk_from_wire(tts_pb2.SpeechChunk.FromString(data)) == chunk
    assert {mark.kind for mark in MARKS} == set(get_args(MarkKind))


def test_a_mark_of_a_kind_from_the_future_is_left_out() -> None:
    marks = [tts_pb2.Mark(kind=99, label="x"), tts_pb2.Mark(text_end=2)]
    assert chunk_from_wire(tts_pb2.SpeechChunk(marks=marks)).marks == (Mark(0, 2, 0.0, 0.0),)


def test_a_request_comes_back_and_an_unset_speed_is_one() -> None:
    request = SynthesisRequest("Hi 你好", "ann", "en", 1.5, "happy", ("phone", "viseme"))
    assert request_from_wire(request_to_wire(request)) == request
    assert request_from_wire(tts_pb2.SynthesizeRequest()).speed == 1.0


def test_how_a_request_is_sampled_comes_back_and_what_is_unset_stays_the_voices_own() -> None:
    request = SynthesisRequest(
        "Hi",
        "ann",
        "en",
        seed=0,
        top_k=1,
        top_p=0.0,
        temperature=0.0,
        repetition_penalty=0.1,
    )
    assert request_from_wire(request_to_wire(request)) == request
    bare = request_from_wire(tts_pb2.SynthesizeRequest())
    assert (bare.seed, bare.top_k, bare.top_p) == (None, None, None)
    assert (bare.temperature, bare.repetition_penalty) == (None, None)


def test_a_seed_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(BadRequest, match="cannot be encoded"):
        request_to_wire(SynthesisRequest("Hi", "ann", "en", seed=2**63))


def test_wanted_marks_of_a_kind_from_the_future_are_for_the_service_to_refuse() -> None:
    assert request_from_wire(tts_pb2.SynthesizeRequest(marks=[99, 1])).marks == ("99", "word")


def test_a_piece_of_text_is_carried_as_it_is() -> None:
    message = tts_pb2.TextMessage.FromString(text_to_wire(" 好\x00").SerializeToString())
    assert (message.WhichOneof("message"), message.text) == ("text", " 好\x00")
    assert text_to_wire("").WhichOneof("message") == "text"


def test_a_piece_that_no_message_can_carry_is_refused() -> None:
    with pytest.raises(BadRequest, match="cannot be encoded"):
        text_to_wire("\ud800")
    with pytest.raises(TextTooLong, match=f"{MAX_WIRE_CHARS + 1} characters"):
        text_to_wire("a" * (MAX_WIRE_CHARS + 1))


numbers = st.floats() | st.integers(-(2**63), 2**63 - 1).map(float)
requests = st.builds(
    tts_pb2.SynthesizeRequest,
    text=st.text(),
    voice=st.just("ann") | st.text(),
    language=st.just("en") | st.text(),
    speed=st.sampled_from([0.0, 0.5, 2.0]) | numbers,
    emotion=st.just("") | st.text(),
    marks=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    top_k=st.none() | st.integers(-(2**31), 2**31 - 1),
    top_p=st.none() | numbers,
)
messages = st.one_of(
    st.builds(tts_pb2.TextMessage, request=requests),
    st.builds(tts_pb2.TextMessage, text=st.text()),
    st.builds(tts_pb2.TextMessage, end=st.booleans()),
    st.builds(tts_pb2.TextMessage, cancel=st.booleans()),
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A message with a run of its bytes replaced by others."""
    data = draw(messages).SerializeToString()
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, len(data)))
    return data[:start] + draw(st.binary(max_size=8)) + data[end:]


@given(st.binary() | damaged())
@settings(quick, max_examples=150)
def test_any_bytes_are_a_request_or_refused(data: bytes) -> None:
    """Of a `SynthesizeRequest` or `TextMessage` that can be parsed, the limits make `BadRequest` or
    another refusal, or it is one that can be spoken."""
    for kind in (tts_pb2.SynthesizeRequest, tts_pb2.TextMessage):
        try:
            message = kind.FromString(data)
        except DecodeError:
            continue
        if kind is tts_pb2.TextMessage:
            if message.WhichOneof("message") != "request":
                assert isinstance(message.text, str)
                continue
            message = message.request
        request = request_from_wire(message)
        voices = {"ann": Voice("ann", ("en",), 16_000, "fake")}
        try:
            check(request, voices, 1000)
        except TtsError as error:
            status, said, _ = to_status(error)
            assert (status is not grpc.StatusCode.UNKNOWN, bool(said)) == (True, True)
        else:
            assert request_from_wire(request_to_wire(request)) == request


@given(requests)
@settings(quick)
def test_a_request_of_known_marks_crosses_the_wire_both_ways(
    message: tts_pb2.SynthesizeRequest,
) -> None:
    request = request_from_wire(message)
    try:
        again = request_from_wire(request_to_wire(request))
    except BadRequest as error:
        assert "marks" in str(error)  # a kind from the future, which only this side may not send
    else:
        assert repr(again) == repr(request)  # NaN is not equal to itself


@given(st.binary())
@settings(quick)
def test_a_client_reads_any_chunk_that_can_be_parsed(data: bytes) -> None:
    try:
        message = tts_pb2.SpeechChunk.FromString(data)
    except DecodeError:
        return
    chunk = chunk_from_wire(message)
    assert chunk_from_wire(chunk_to_wire(chunk)) == chunk or "nan" in repr(chunk)
