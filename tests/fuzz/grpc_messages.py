"""The gRPC door's messages: the first byte chooses one, the rest are its bytes.

Must hold: what protobuf can read is translated, and judged with nothing but our errors; what is
translated there and back is the same.
"""

import atheris

with atheris.instrument_imports(include=["tts.servers.messages", "tts.limits", "tts.text"]):
    from tts.limits import check
    from tts.servers.messages import (
        chunk_from_wire,
        chunk_to_wire,
        request_from_wire,
        request_to_wire,
        voice_from_wire,
        voice_to_wire,
    )
    from tts.text.clean import clean_text

from google.protobuf.message import DecodeError

from tests.fuzz.running import run
from tts.errors import BadRequest, TtsError
from tts.servers.proto import tts_pb2
from tts.types import Mark, SpeechChunk, SynthesisRequest, Voice

VOICES = {"v": Voice("v", ("en", "zh"), 24_000, "fake", emotions=("calm", "happy"))}
REQUEST = SynthesisRequest("Hi 你好.", "v", "en", 1.2, "happy", ("phone",), 7, 5, 0.5, 0.8, 1.1)
CHUNK = SpeechChunk(b"\x01\x02", 24_000, 3, (Mark(0, 2, 0.0, 0.5, "phone", True, "AH"),), True, "v")


def request(data: bytes) -> None:
    read = request_from_wire(tts_pb2.SynthesizeRequest.FromString(data))
    try:
        check(read, VOICES, 100)
    except TtsError as error:
        assert str(error)
    else:
        assert len(clean_text(read.text)) == len(read.text)
    try:
        again = request_from_wire(request_to_wire(read))
    except BadRequest:
        return  # a kind of marks that there is not
    assert repr(again) == repr(read)  # a speed may be no number, which equals nothing


def text(data: bytes) -> None:
    message = tts_pb2.TextMessage.FromString(data)
    if message.WhichOneof("message") == "request":
        request_from_wire(message.request)


def chunk(data: bytes) -> None:
    read = chunk_from_wire(tts_pb2.SpeechChunk.FromString(data))
    chunk_from_wire(chunk_to_wire(read))


def voice(data: bytes) -> None:
    read = voice_from_wire(tts_pb2.Voice.FromString(data))
    assert voice_from_wire(voice_to_wire(read)) == read


KINDS = [request, text, chunk, voice]
SEEDS = [
    b"\x00" + request_to_wire(REQUEST).SerializeToString(),
    b"\x01" + tts_pb2.TextMessage(request=request_to_wire(REQUEST)).SerializeToString(),
    b"\x01" + tts_pb2.TextMessage(text="more").SerializeToString(),
    b"\x02" + chunk_to_wire(CHUNK).SerializeToString(),
    b"\x03" + voice_to_wire(VOICES["v"]).SerializeToString(),
]


def target(data: bytes) -> None:
    if not data:
        return
    try:
        KINDS[data[0] % len(KINDS)](data[1:])
    except DecodeError:
        pass


if __name__ == "__main__":
    run(target, SEEDS)
