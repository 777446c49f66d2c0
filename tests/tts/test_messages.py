"""What crosses the wire comes back as it was."""

from typing import get_args

import pytest

from tts.errors import BadRequest, TextTooLong
from tts.servers.messages import (
    MAX_WIRE_CHARS,
    chunk_from_wire,
    chunk_to_wire,
    request_from_wire,
    request_to_wire,
    text_to_wire,
)
from tts.servers.proto import tts_pb2
from tts.types import Mark, MarkKind, SpeechChunk, SynthesisRequest

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
