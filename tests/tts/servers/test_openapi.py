"""The document says what the door does: every route, and nothing that is none."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.tts.fake_engine import FakeEngine, builders
from tests.tts.servers.http_doors import CONFIG, Echo
from tts.access import Access
from tts.config import GptSovitsConfig, JobsConfig, Secrets, ServiceConfig
from tts.health import Health
from tts.metrics import Metrics
from tts.servers.failures import REFUSALS
from tts.servers.http import HttpDoor
from tts.servers.openapi import document
from tts.servers.rest import Rest
from tts.servers.status import STATUS_OF
from tts.service import SynthesisService


def door() -> HttpDoor:
    return HttpDoor(
        CONFIG,
        Access(CONFIG.access, Secrets()),
        Echo().operations(),
        is_ready=lambda: True,
        metrics=lambda: "",
    )


def served(one: HttpDoor) -> set[tuple[str, str]]:
    """(path, method) of each route."""
    return {
        (route.resource.canonical, route.method.lower())
        for route in one._app("127.0.0.1:0").router.routes()
        if route.resource is not None
    }


def described(path: str, method: str) -> dict[str, Any]:
    return document(door().operations)["paths"][path][method]


def test_it_is_valid_and_fits_json() -> None:
    found = document(door().operations)
    validate(json.loads(json.dumps(found)))
    assert found["openapi"] == "3.1.0"


def test_every_route_stands_in_it_and_the_other_way_round() -> None:
    one = door()
    shown = {
        (path, method)
        for path, methods in document(one.operations)["paths"].items()
        for method in methods
    }
    assert served(one) == shown
    assert ("/things/{thing}", "delete") in shown


def test_a_query_is_parameters_with_their_types() -> None:
    found = {one["name"]: one for one in described("/query", "get")["parameters"]}
    assert set(found) == {"text", "count", "tag", "X-Request-Timeout"}
    assert found["count"]["schema"]["type"] == "integer"
    assert found["count"]["required"] is False
    assert found["tag"]["schema"]["items"] == {"type": "string"}
    assert found["X-Request-Timeout"]["in"] == "header"


def test_a_field_in_the_path_is_a_required_parameter() -> None:
    parameters = described("/things/{thing}", "delete")["parameters"]
    assert (parameters[0]["name"], parameters[0]["in"], parameters[0]["required"]) == (
        "thing",
        "path",
        True,
    )


def test_a_body_is_referred_to_and_required_where_one_field_is() -> None:
    found = document(door().operations)
    body = found["paths"]["/echo"]["post"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/EchoBody"
    }
    assert found["components"]["schemas"]["EchoBody"]["required"] == ["text"]


def test_the_file_of_a_form_is_binary() -> None:
    body = described("/form", "post")["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["clip"] == {"type": "string", "format": "binary", "title": "Clip"}
    assert body["required"] == ["text", "clip"]


def test_every_way_to_fail_stands_there_with_its_codes_and_an_example() -> None:
    busy = described("/busy", "get")["responses"]
    assert {"200", "400", "401", "403", "413", "415", "429", "500", "503"} == set(busy)
    examples = busy["429"]["content"]["application/json"]["examples"]
    assert examples["overloaded"]["value"]["error"]["type"] == "rate_limit_error"
    assert "Retry-After" in busy["429"]["headers"]
    echo = described("/echo", "post")["responses"]
    assert "`body_timeout`" in echo["408"]["description"]


def test_keys_are_asked_for_but_where_none_is_needed() -> None:
    assert described("/healthz", "get")["security"] == []
    assert described("/busy", "get")["security"] == [{"bearer": []}, {"header": []}]
    assert {"query": []} in described("/query", "get")["security"]
    schemes = document(door().operations)["components"]["securitySchemes"]
    assert set(schemes) == {"bearer", "header", "query"}


def test_one_id_for_two_operations_is_a_mistake() -> None:
    one = Echo().operations()
    with pytest.raises(ValueError, match="twice"):
        document([*one, one[0]])


def test_no_code_of_http_is_one_of_ours() -> None:
    assert set(REFUSALS) & {cls.code for cls in STATUS_OF} == set()


def test_the_document_of_the_whole_service_is_valid_and_has_each_of_its_routes(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        config = ServiceConfig(
            gpt_sovits=GptSovitsConfig(voices_dir=tmp_path, pretrained_dir=tmp_path),
            jobs=JobsConfig(dir=tmp_path / "jobs"),
        )
        service, metrics = SynthesisService(config, builders(FakeEngine())), Metrics()
        access, health = Access(config.access, Secrets()), Health(service, config.health)
        http = Rest(config, Secrets(), access, service, health, metrics)._http
        found = document(http.operations)
        validate(json.loads(json.dumps(found)))
        shown = {(path, method) for path, ways in found["paths"].items() for method in ways}
        unshown = {one.path for one in http.operations if not one.is_documented}
        assert served(http) == shown | {(path, "get") for path in unshown}
        for path in ("/v1/audio/speech", "/v1/voices", "/v1/jobs", "/tts", "/metrics"):
            assert path in found["paths"]
        await service.stop()

    asyncio.run(scenario())
