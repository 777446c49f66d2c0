"""`parley tts serve`: what its document says of transcriptions."""

import json
from pathlib import Path

from openapi_spec_validator import validate

from agent.config import SttConfig
from agent.speech_service import transcribing
from agent.stt.whisper import WhisperStt
from tts.servers.openapi import document


def test_a_transcription_is_described_with_the_file_it_needs(tmp_path: Path) -> None:
    found = document([transcribing(WhisperStt(SttConfig(), cache_dir=tmp_path))])
    validate(json.loads(json.dumps(found)))
    (operation,) = found["paths"]["/v1/audio/transcriptions"].values()
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["format"] == "binary"
    assert "file" in form["required"]
    assert {"language", "response_format"} <= set(form["properties"])
