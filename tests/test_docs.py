"""What the pages show can be used as it stands there."""

import re
import time
import tomllib
from pathlib import Path
from typing import Any

import jwt
import pytest
from google.protobuf import json_format

from agent.persona import Persona
from agent.tables import fit
from tts.access import Access
from tts.cli import _parser
from tts.config import AccessConfig, JwtConfig, KeyConfig, Secrets, checked
from tts.context import Caller
from tts.servers.messages import request_from_wire
from tts.servers.proto import tts_pb2
from tts.servers.status import STATUS_OF
from tts.text.visemes import VISEMES
from tts.types import Mark, SpeechChunk
from tts.voices.manifest import Manifest, parse_manifest

ROOT = Path(__file__).parents[1]
TTS = (ROOT / "docs" / "protocols" / "tts.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "protocols" / "errors.md").read_text(encoding="utf-8")
VOICES = (ROOT / "docs" / "voices.md").read_text(encoding="utf-8")
MARKS = (ROOT / "docs" / "marks.md").read_text(encoding="utf-8")
ACCESS = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def test_the_persona_on_the_page_about_voices_is_one() -> None:
    persona, _ = blocks(VOICES, "toml")
    assert fit(Persona, {"id": "anna", **tomllib.loads(persona)}, "page").voice == "anna"


def test_the_voice_on_the_page_about_voices_shows_every_table() -> None:
    _, voice = blocks(VOICES, "toml")
    manifest = parse_manifest(voice)
    assert manifest.model_fields_set == set(Manifest.model_fields)
    assert manifest.manner == type(manifest.manner)()


@pytest.mark.parametrize(
    "line", [line for block in blocks(VOICES, "") for line in block.splitlines()]
)
def test_every_command_on_the_page_about_voices_is_understood(line: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', line.split("#")[0])
    if words[0] != ".venv/bin/parley" or words[1] == "serve":
        assert words[0] == "make" or words[2] == "--set"
        return
    if words[1:3] == ["voices", "add"]:
        # The agent's command line writes down what the clip says.
        words += ["--text", "Hello.", "--language", "en"]
    _parser().parse_args([word.strip('"') for word in words[1:]])


def test_the_tables_on_the_page_about_access_are_the_services() -> None:
    key, tokens = (tomllib.loads(block)["tts"]["service"] for block in blocks(ACCESS, "toml"))
    (anna,) = checked(key).access.keys
    assert anna.model_fields_set == set(KeyConfig.model_fields)
    assert checked(tokens).access.jwt.model_fields_set == set(JwtConfig.model_fields)


def test_the_claims_on_the_page_about_access_are_a_token() -> None:
    (source,) = blocks(ACCESS, "python")
    claims = eval(source, {"now": time.time()})
    secret = "a secret of at least thirty-two bytes"
    jwt_config = JwtConfig(algorithm="HS256", issuer=claims["iss"], audience=claims["aud"])
    access = Access(AccessConfig(jwt=jwt_config), Secrets(jwt_secret=secret))
    caller = access.caller(jwt.encode(claims, secret, algorithm="HS256"))
    assert caller == Caller("jwt:anna", 120, 4, may_manage=False)


def test_both_tables_on_the_page_about_marks_have_every_viseme() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", MARKS, flags=re.MULTILINE)
    assert rows == [*VISEMES, *VISEMES]


def test_the_face_on_the_page_about_marks_shows_what_is_heard() -> None:
    (program,) = blocks(MARKS, "python")
    made: dict[str, Any] = {}
    exec(program, made)
    face = made["Face"]()
    marks = (
        Mark(0, 2, 0.0, 0.1, "viseme", label="PP"),
        Mark(0, 2, 0.0, 0.3),
        Mark(0, 2, 0.1, 0.3, "viseme", label="aa"),
    )
    face.feed(SpeechChunk(b"", 32_000, 0, marks, True))
    assert [face.at(played_s) for played_s in (0.05, 0.1, 0.29, 0.3)] == ["PP", "aa", "aa", "sil"]


def test_the_page_about_errors_is_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \|", ERRORS, flags=re.MULTILINE)
    assert rows == [(cls.code, one.grpc.name, str(one.http)) for cls, one in STATUS_OF.items()]


def test_the_page_about_the_speech_service_has_every_call() -> None:
    calls = re.findall(r"^\| `([A-Z]\w+)` \|", TTS, flags=re.MULTILINE)
    service = tts_pb2.DESCRIPTOR.services_by_name["TextToSpeech"]
    assert calls == [method.name for method in service.methods]


def test_what_the_page_about_the_speech_service_asks_with_grpcurl_is_there() -> None:
    (shown,) = [block for block in blocks(TTS, "") if "grpcurl" in block]
    symbols = re.findall(r"parley\.tts\.v1\.(\w+)(?:/(\w+))?", shown)
    assert symbols
    for name, method in symbols:
        if method:
            assert method in tts_pb2.DESCRIPTOR.services_by_name[name].methods_by_name
        else:
            assert name in tts_pb2.DESCRIPTOR.message_types_by_name
    (said,) = re.findall(r"-d '(.*?)'", shown)
    request = request_from_wire(json_format.Parse(said, tts_pb2.SynthesizeRequest()))
    assert (request.text, request.voice, request.language) == ("Good morning.", "heart", "en")
