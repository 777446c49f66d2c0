"""Reading TOML files into frozen tables, with errors that teach.

In: the text of a file and the pydantic model it must fit.  Out: an instance, or one `ConfigError`
with every problem found: key path, bad value, what is allowed, the nearest valid name.  Knows
nothing of which tables there are.  Pure apart from reading the one file; callable from any thread.
"""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)
Schema = Mapping[str, Any]

MAX_SHOWN_CHARS = 60
"""A bad value is quoted up to this length."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, at which key, and what to do about it."""

    source: str
    """The file's name, "--set" or "environment"."""
    key: str
    """Dotted key path, "" for the file as a whole."""
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.key, self.message) if part)


class ConfigError(Exception):
    """The configuration cannot be used; `problems` lists every reason, `str()` one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; raises `ConfigError` when it is missing, unreadable or malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8: byte {error.start}"
    except tomllib.TOMLDecodeError as error:
        reason = f"is not valid TOML: {error}"
    raise ConfigError([Problem(str(path), "", reason)])


def fit(model: type[Model], data: Mapping[str, Any], source: str) -> Model:
    """Validate `data` against `model`; raises `ConfigError` with every problem.

    The check is strict: "7860" is no integer and 1 is no boolean.  TOML's types are JSON's, and
    pydantic's strict JSON mode is the one that still takes a string for a path.
    """
    try:
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        schema = model.model_json_schema()
        raise ConfigError(
            _translate(dict(details), schema, source) for details in error.errors(include_url=False)
        ) from None


def nearest(name: str, names: Iterable[str]) -> str:
    """Return '; did you mean "x"?' for the nearest of `names`, else ""."""
    originals = {known.lower(): known for known in names}
    matches = difflib.get_close_matches(name.lower(), originals, n=1, cutoff=0.5)
    return f'; did you mean "{originals[matches[0]]}"?' if matches else ""


def unknown(name: str, kind: str, names: Sequence[str]) -> str:
    """Say that `name` is no known `kind`, with the nearest and all that are."""
    return f'unknown {kind} "{name}"{nearest(name, names)} (allowed: {", ".join(names)})'


def describe(schema: Schema, root: Schema) -> str:
    """Say in words which values a JSON schema allows: "an integer from 0 to 65535"."""
    schema = _resolve(schema, root)
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(describe(option, root) for option in options)
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"])
    match schema.get("type"):
        case "integer":
            return "an integer" + _bounds(schema)
        case "number":
            return "a number" + _bounds(schema)
        case "boolean":
            return "true or false"
        case "array":
            return _describe_array(schema, root)
        case "object":
            return _describe_object(schema, root)
        case "string":
            kind = "a path" if schema.get("format") == "path" else "a string"
            return kind + _bounds(schema, unit=" characters")
    return "any value"


def _describe_array(schema: Schema, root: Schema) -> str:
    if "prefixItems" in schema:
        items = ", ".join(describe(item, root) for item in schema["prefixItems"])
        return f"a list [{items}]"
    items = describe(schema.get("items", {}), root)
    return f"a list, each {items}"


def _describe_object(schema: Schema, root: Schema) -> str:
    if schema.get("properties"):
        return "a table with " + ", ".join(schema["properties"])
    extra = schema.get("additionalProperties")
    if not isinstance(extra, Mapping):
        return "a table"
    return f"a table, each value {describe(extra, root)}"


def _bounds(schema: Schema, unit: str = "") -> str:
    low = schema.get("minimum", schema.get("minLength"))
    high = schema.get("maximum", schema.get("maxLength"))
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f" from {low} to {high}{unit}"
    parts = [
        f" {word} {bound}"
        for word, bound in (("from", low), ("above", above), ("below", below), ("up to", high))
        if bound is not None
    ]
    return " and".join(parts) + (unit if parts else "")


def _resolve(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _at(root: Schema, location: Sequence[str | int]) -> Schema:
    """Return the schema at a location, as far as it is known."""
    schema = _resolve(root, root)
    for step in location:
        for option in schema.get("anyOf", ()):
            if option.get("type") != "null":
                schema = _resolve(option, root)
        if isinstance(step, int):
            items = schema.get("prefixItems")
            schema = items[step] if items and step < len(items) else schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(step) or schema.get(
                "additionalProperties", {}
            )
        schema = _resolve(schema, root) if isinstance(schema, Mapping) else {}
    return schema


def _translate(details: Mapping[str, Any], root: Schema, source: str) -> Problem:
    location = details["loc"]
    key = _dotted(location)
    if details["type"] == "extra_forbidden":
        *table, name = location
        names = list(_at(root, table).get("properties", {}))
        kind = "table" if not table and isinstance(details["input"], dict) else "key"
        return Problem(source, key, unknown(str(name), kind, names))
    allowed = describe(_at(root, location), root)
    if details["type"] == "missing":
        return Problem(source, key, f"is required: {allowed}")
    if details["type"] == "value_error":
        return Problem(source, key, f"{_shown(details['input'])}: {details['ctx']['error']}")
    return Problem(source, key, f"{_shown(details['input'])} is not allowed; must be {allowed}")


def _dotted(location: Sequence[str | int]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "..."
