"""The OpenAPI 3.1 document of a list of operations.

In: `Operation`s with their pydantic models.  Out: plain values, ready for JSON.  What an operation
does not say and the door does with all of them alike, keys, bounds, deadlines and their errors, is
added here.  Pure; any thread.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from tts.errors import BadRequest, Forbidden, TtsError, Unauthenticated, Unavailable
from tts.servers.failures import (
    BODY_TIMEOUT,
    BODY_TOO_LARGE,
    NOT_FOUND,
    REFUSALS,
    UNSUPPORTED_MEDIA_TYPE,
    error_body,
    refusal,
)
from tts.servers.middlewares import KEY_HEADER, KEY_QUERY, MAX_TIMEOUT_S, TIMEOUT_HEADER
from tts.servers.operations import Answer, Operation
from tts.servers.status import status_of

VERSION = "1.0"
"""Of what is described: the first number changes with what breaks clients."""

_REF = "#/components/schemas/{model}"
_ERROR = {"$ref": "#/components/schemas/Error"}
_DESCRIPTION = (
    "Speech in the voices of this service, for clients of OpenAI's speech API, of GPT-SoVITS' "
    "api_v2, and of its own. Every error is `{error: {code, message, type, param}}`."
)

Schema = dict[str, Any]


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Describe what is documented of `operations`.  Raises `ValueError` for one id given twice."""
    shown = [operation for operation in operations if operation.is_documented]
    ids = [operation.id for operation in shown]
    if len(set(ids)) < len(ids):
        raise ValueError(f"one id twice among {', '.join(sorted(ids))}")
    schemas: dict[str, Schema] = {"Error": _error_schema()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        described = _operation(operation, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley speech service", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in shown)],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _security_schemes()},
    }


def _operation(operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _security(operation),
        "responses": _responses(operation, schemas),
    }
    if parameters := _parameters(operation, schemas):
        described["parameters"] = parameters
    if operation.body is not None:
        schema = _schema(operation.body, "validation", schemas)
        described["requestBody"] = {
            "required": _has_required(operation.body),
            "content": {"application/json": {"schema": schema}},
        }
    elif operation.form is not None:
        schema = _without_null(_schema(operation.form, "validation", schemas, inline=True))
        described["requestBody"] = {
            "required": True,
            "content": {"multipart/form-data": {"schema": schema}},
        }
    return described


def _parameters(operation: Operation, schemas: dict[str, Schema]) -> list[dict[str, Any]]:
    parameters = []
    of_path = _properties(operation.path_fields, schemas)
    for name in re.findall(r"{(\w+)}", operation.path):
        schema, description = _described(of_path.get(name, {"type": "string", "minLength": 1}))
        parameters.append(
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": schema,
                "description": description or f"Which {name.replace('_', ' ')}.",
            }
        )
    required = _required(operation.query)
    for name, whole in _properties(operation.query, schemas).items():
        schema, description = _described(_without_null(whole))
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in required,
                "schema": schema,
                "description": description,
            }
        )
    if not operation.is_open:
        parameters.append(
            {
                "name": TIMEOUT_HEADER,
                "in": "header",
                "required": False,
                "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_S},
                "description": "The caller's own deadline, in seconds from now.",
            }
        )
    return parameters


def _responses(operation: Operation, schemas: dict[str, Schema]) -> dict[str, Any]:
    """By status; where a status has a meaning of the operation's own, the door's comes besides."""
    responses = _failures(operation)
    for status, answer in operation.answers.items():
        described = _answer(answer, schemas)
        own = described.get("content", {}).get("application/json")
        if own is not None and str(status) in responses:
            own["schema"] = {"anyOf": [own["schema"], _ERROR]}
        responses[str(status)] = described
    return dict(sorted(responses.items()))


def _answer(answer: Answer, schemas: dict[str, Schema]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        described["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in answer.headers.items()
        }
    if answer.content:
        described["content"] = {
            kind: _content(kind, model, answer, schemas) for kind, model in answer.content.items()
        }
    if answer.links:
        described["links"] = {
            operation: {"operationId": operation, "parameters": dict(parameters)}
            for operation, parameters in answer.links.items()
        }
    return described


def _content(
    kind: str, model: type[BaseModel] | None, answer: Answer, schemas: dict[str, Schema]
) -> dict[str, Any]:
    if kind == "text/event-stream" and model is not None:
        # OpenAPI 3.1 cannot say what an event is; a reader can follow the name.
        name = _schema(model, "serialization", schemas)["$ref"].rsplit("/", 1)[1]
        said = f"Events, the `data` of each in JSON as the schema `{name}` has it."
        return {"schema": {"type": "string", "description": said}}
    if model is not None:
        content: dict[str, Any] = {"schema": _schema(model, "serialization", schemas)}
        if answer.example is not None:
            content["example"] = answer.example
        return content
    if kind == "application/json":
        return {"schema": {"type": "object"}}
    return {"schema": {"type": "string"}} if kind.startswith("text/") else {}


def _failures(operation: Operation) -> dict[str, Any]:
    """Every way in which it may end badly, by status, with an example for each code."""
    examples: dict[int, dict[str, Any]] = {}
    for cls in dict.fromkeys((*operation.errors, *_door_errors(operation))):
        status = status_of(cls()).http
        shown = _example(cls)
        examples.setdefault(status, {})[cls.code] = {"value": error_body(shown)}
    for code in _door_refusals(operation):
        body = error_body(refusal(code, _MESSAGES[code]))
        examples.setdefault(REFUSALS[code], {})[code] = {"value": body}
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(f'`{code}`' for code in by)}",
            "content": {"application/json": {"schema": _ERROR, "examples": by}},
            **_failure_headers(status),
        }
        for status, by in examples.items()
    }


def _failure_headers(status: int) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {
            "description": "How to send a key.",
            "schema": {"type": "string"},
        }
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = {
            "description": "Seconds until trying again may work, where that is known.",
            "schema": {"type": "integer", "minimum": 0},
        }
    return {"headers": headers} if headers else {}


def _door_errors(operation: Operation) -> Iterable[type[TtsError]]:
    # The door itself is loopback's or has keys; either may refuse a page or a host.
    yield Forbidden
    yield Unavailable
    yield TtsError
    if not operation.is_open:
        yield Unauthenticated
        yield BadRequest
    elif operation.query is not None or operation.body is not None or operation.form is not None:
        yield BadRequest


def _door_refusals(operation: Operation) -> Iterable[str]:
    yield from operation.refusals
    # Any request may have a body, wanted or not.
    yield BODY_TOO_LARGE
    yield UNSUPPORTED_MEDIA_TYPE
    if operation.body is not None or operation.form is not None:
        yield BODY_TIMEOUT


_MESSAGES = {
    NOT_FOUND: "model = 'whisper-9': there are parley",
    BODY_TOO_LARGE: "body of 2000000000 bytes: at most 1048576 are taken",
    UNSUPPORTED_MEDIA_TYPE: "Content-Type 'text/plain': must be application/json",
    BODY_TIMEOUT: "the body did not arrive in time",
}
_EXAMPLES: dict[str, tuple[str, str | None]] = {
    "bad_request": ("speed = 3.0: allowed are 0.5 to 2.0", "speed"),
    "unauthenticated": ("a key is needed, as `Authorization: Bearer KEY`", None),
    "forbidden": ("key 'reader' may not do this: it lacks `may_manage`", None),
    "voice_not_found": ("voice = 'eve': there are anna, hibari", "voice"),
    "text_too_long": ("text has 2500 characters; at most 2000 are allowed", None),
    "internal": ("the service failed; its log says why", None),
}


def _example(cls: type[TtsError]) -> TtsError:
    """An error as it may come: a few by heart, the others with what their class says of itself."""
    said = re.sub(r"\s+", " ", cls.__doc__ or "").strip()
    message, field = _EXAMPLES.get(cls.code, (said, None))
    error = cls(message)
    return error.about(field) if field else error


def _error_schema() -> Schema:
    return {
        "type": "object",
        "description": "What went wrong.",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message", "type", "param"],
                "properties": {
                    "code": {"type": "string", "description": "Stable; told apart by this."},
                    "message": {
                        "type": "string",
                        "description": "Names the field, its value and what is allowed.",
                    },
                    "type": {"type": "string", "description": "As OpenAI's clients know it."},
                    "param": {
                        "type": ["string", "null"],
                        "description": "The field at fault, where it is one.",
                    },
                    "field": {"type": "string", "description": "The same, only where it is one."},
                },
            }
        },
    }


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.is_open:
        return []
    schemes = ["bearer", "header", *(["query"] if operation.key_in_query else [])]
    return [{name: []} for name in schemes]


def _security_schemes() -> dict[str, Any]:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key or a signed token; none where the service has no keys.",
        },
        "header": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
        "query": {"type": "apiKey", "in": "query", "name": KEY_QUERY},
    }


def _schema(
    model: type[BaseModel], mode: str, schemas: dict[str, Schema], *, inline: bool = False
) -> Schema:
    """A model's schema, put among `schemas` and referred to, or as it is."""
    schema = model.model_json_schema(
        ref_template=_REF, mode="validation" if mode == "validation" else "serialization"
    )
    for name, inner in schema.pop("$defs", {}).items():
        _keep(name, _without_idle_defaults(inner), schemas)
    _without_idle_defaults(schema)
    if inline:
        return schema
    _keep(model.__name__, schema, schemas)
    return {"$ref": _REF.format(model=model.__name__)}


def _without_idle_defaults(schema: Schema) -> Schema:
    """The same, without the defaults of fields that must be given.

    A dialect that refuses a missing field in its own words has a model that does not.
    """
    for name in schema.get("required", ()):
        schema["properties"][name].pop("default", None)
    return schema


def _keep(name: str, schema: Schema, schemas: dict[str, Schema]) -> None:
    if schemas.setdefault(name, schema) != schema:
        raise ValueError(f"two different models are called {name}")


def _properties(model: type[BaseModel] | None, schemas: dict[str, Schema]) -> dict[str, Schema]:
    if model is None:
        return {}
    properties: dict[str, Schema] = _schema(model, "validation", schemas, inline=True).get(
        "properties", {}
    )
    return properties


def _required(model: type[BaseModel] | None) -> set[str]:
    return set() if model is None else set(model.model_json_schema().get("required", ()))


def _has_required(model: type[BaseModel]) -> bool:
    return bool(_required(model))


def _described(schema: Mapping[str, Any]) -> tuple[Schema, str]:
    """A field's schema without its words, and those."""
    rest = {key: value for key, value in schema.items() if key not in ("title", "description")}
    return rest, schema.get("description", "")


def _without_null(schema: Any) -> Any:
    """The same for what comes as text, where null cannot be said."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    plain = {key: _without_null(value) for key, value in schema.items()}
    if plain.get("default", 0) is None:
        del plain["default"]
    options = [one for one in plain.get("anyOf", ()) if one != {"type": "null"}]
    if "anyOf" not in plain:
        return plain
    del plain["anyOf"]
    return plain | options[0] if len(options) == 1 else plain | {"anyOf": options}
