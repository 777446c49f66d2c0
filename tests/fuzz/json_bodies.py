"""JSON bodies of the REST doors: the first byte chooses the operation's model, the rest is a body.

Must hold: a body is one, or is explained, in words that name something.
"""

import json

import atheris

with atheris.instrument_imports(include=["tts.servers.openai", "tts.servers.jobs", "tts.config"]):
    from tts.config import explain
    from tts.servers.api_v2_fields import TtsFields
    from tts.servers.jobs import NewJob
    from tts.servers.openai import SpeechRequest

from pydantic import BaseModel, ValidationError

from tests.fuzz.running import run

MODELS: list[type[BaseModel]] = [SpeechRequest, NewJob, TtsFields]
WORDS = sorted({f'"{name}"' for model in MODELS for name in model.model_fields})
SEEDS = [
    b'\x00{"model":"tts-1","input":"Hi.","voice":"alloy","response_format":"mp3","speed":1.5}',
    b'\x00{"model":"m","input":"Hi.","voice":{"id":"v"},"stream_format":"sse","marks":["phone"]}',
    b'\x01{"text":"Hi.","voice":"v","language":"en","webhook":"https://a.example/x"}',
    b'\x02{"text":"Hi.","text_lang":"en","ref_audio_path":"a.wav","prompt_lang":"en",'
    b'"streaming_mode":true,"media_type":"wav","top_k":5,"aux_ref_audio_paths":["b.wav"]}',
]


def target(data: bytes) -> None:
    if not data:
        return
    model = MODELS[data[0] % len(MODELS)]
    try:
        read = model.model_validate_json(data[1:], strict=True)
    except ValidationError as error:
        lines = explain(error, model)
        assert lines
        assert all(lines)
        json.dumps(lines)
    else:
        read.model_dump_json()


if __name__ == "__main__":
    run(target, SEEDS, WORDS)
