"""What the speech service makes before anybody waits for it."""

from pathlib import Path

import pytest

from agent.config import Config
from agent.persona import Persona
from agent.prepared import at_once, with_phrases_of_personas
from agent.tables import ConfigError
from tts.audio_cache.phrases import read_phrases
from tts.config import ServiceConfig
from tts.types import SynthesisRequest

ANNA = 'name = "Anna"\nlanguage = "en"\nvoice = "heart"\nprompt = "Be kind."\n'


def persona(**fields: object) -> Persona:
    values = {"id": "p", "name": "P", "language": "en", "voice": "heart", "prompt": "x"}
    return Persona.model_validate({**values, **fields})


def config(folder: Path, **tables: object) -> Config:
    personas = folder / "personas"
    personas.mkdir()
    (personas / "anna.toml").write_text(ANNA)
    (personas / "bea.toml").write_text(ANNA.replace("Anna", "Bea").replace("heart", "alto"))
    calls = {"personas_dir": personas, "default_persona": "bea"}
    return Config.model_validate({"calls": calls, **tables})


def prepared(service: ServiceConfig) -> list[SynthesisRequest]:
    assert service.cache.phrases
    return [phrase.request for phrase in read_phrases(service.cache.phrases)]


def test_openers_are_asked_for_in_the_very_words_and_manner_of_the_persona() -> None:
    anna = persona(
        speed=0.9, emotion="calm", phrases={"opener_question": "Let me look.", "murmur": "Aha."}
    )
    request = anna.request("Let me look.")
    assert (request.voice, request.speed, request.emotion) == ("heart", 0.9, "calm")
    requests = at_once([anna], openers=True)
    assert request in requests
    assert "Let me see." not in [request.text for request in requests]


def test_only_what_a_persona_may_need_is_made() -> None:
    def texts(**fields: object) -> set[str]:
        return {request.text for request in at_once([persona(**fields)], openers=False)}

    plain = texts()
    assert plain == {"Sure, take your time.", "Of course, no rush."}
    assert "One moment, let me check." in texts(tools=["tell_time"]) - plain
    assert texts(turns={"murmurs": True}) - plain == {"Mm-hm.", "Uh-huh."}


def test_the_default_persona_comes_first_and_nothing_twice(tmp_path: Path) -> None:
    service = ServiceConfig.model_validate({"cache": {"dir": tmp_path / "cache"}})
    requests = prepared(with_phrases_of_personas(config(tmp_path), service, tmp_path))
    voices = [request.voice for request in requests]
    assert voices == sorted(voices, key=["alto", "heart"].index)
    assert set(voices) == {"alto", "heart"}
    assert len(set(requests)) == len(requests) > 10


def test_what_a_restart_forgets_is_made_for_the_default_persona_alone(tmp_path: Path) -> None:
    requests = prepared(with_phrases_of_personas(config(tmp_path), ServiceConfig(), tmp_path))
    assert {request.voice for request in requests} == {"alto"}


def test_the_operators_own_phrases_are_made_before_those_of_personas(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text('{"text": "We are closed.", "voice": "heart", "language": "en"}\n')
    service = ServiceConfig.model_validate({"cache": {"phrases": own}})
    requests = prepared(with_phrases_of_personas(config(tmp_path), service, tmp_path))
    assert requests[0] == SynthesisRequest("We are closed.", "heart", "en")
    assert len(requests) > 10
    assert own.read_text().count("\n") == 1


def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text("{}\n")
    service = ServiceConfig.model_validate({"cache": {"phrases": own}})
    with pytest.raises(ConfigError, match="own.jsonl: line 1: text: missing"):
        with_phrases_of_personas(config(tmp_path), service, tmp_path)


def test_a_service_that_keeps_nothing_makes_nothing(tmp_path: Path) -> None:
    service = ServiceConfig.model_validate({"cache": {"memory_mb": 0}})
    assert with_phrases_of_personas(config(tmp_path), service, tmp_path) == service


def test_without_openers_none_are_made(tmp_path: Path) -> None:
    without = config(tmp_path, turns={"openers": {"enabled": False}})
    requests = prepared(with_phrases_of_personas(without, ServiceConfig(), tmp_path))
    assert "Let me see." not in [request.text for request in requests]
