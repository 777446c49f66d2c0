"""docs/configuration.md, written from the schema: every table, key, bound and default.

In: the pydantic models.  Out: Markdown.  Pure.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.config import ENVIRONMENT, Config
from agent.persona import Persona
from agent.tables import describe

PATH = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

Written from the schema by `make docs`; edit the docstrings in `agent/config.py` and
`agent/persona.py` instead.

`parley serve` reads `agent.toml` in the working folder, or the file named by `--config` or by
`PARLEY_CONFIG`. Every key may be left out. Unknown keys are errors. `--set table.key=value`
overrides one key, for example `--set stt.model=tiny.en` for the fastest English recognition.
`parley check` tells whether everything fits, without opening anything.
"""

_PERSONAS = """\
## Personas

One file a persona in the folder `calls.personas_dir`; the file's name without `.toml` is its id.
"""


def render() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, "## agent.toml\n"]
    schema = Config.model_json_schema()
    for name in Config.model_fields:
        parts += _sections(name, schema["properties"][name], schema)
    persona = Persona.model_json_schema()
    persona["properties"].pop("id")
    parts += [_PERSONAS, _keys(persona, persona)]
    for key, field in persona["properties"].items():
        if _is_table(field, persona):
            parts.append(_section(f"[{key}]", persona["$defs"][_target(field)], persona))
    parts += ["## Environment\n", "| variable | meaning |\n|---|---|"]
    parts += [f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items()]
    return "\n".join(parts) + "\n"


def _sections(name: str, field: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """The section of a table, then those of the tables in it."""
    table = root["$defs"][_target(field)]
    yield _section(f"[{name}]", table, root, prefix=f"{name}.")
    for key, inner in table["properties"].items():
        if _is_table(inner, root):
            yield from _sections(f"{name}.{key}", inner, root)
        elif "$ref" in inner.get("items", {}):
            yield _section(f"[[{name}.{key}]]", root["$defs"][_target(inner["items"])], root)


def _section(heading: str, table: dict[str, Any], root: dict[str, Any], prefix: str = "") -> str:
    return f"### {heading}\n\n{table['description']}\n\n{_keys(table, root, prefix)}"


def _keys(table: dict[str, Any], root: dict[str, Any], prefix: str = "") -> str:
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = table.get("required", [])
    for key, field in table["properties"].items():
        default = "required" if key in required else _default(field.get("default"))
        meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        if _is_table(field, root):
            meaning, default = f"See [{prefix}{key}] below.", ""
        lines.append(f"| `{key}` | {describe(field, root)} | {default} | {meaning} |")
    return "\n".join(lines) + "\n"


def _is_table(field: dict[str, Any], root: dict[str, Any]) -> bool:
    return "$ref" in field and "properties" in root["$defs"][_target(field)]


def _target(field: dict[str, Any]) -> str:
    reference: str = field["$ref"]
    return reference.rsplit("/", 1)[1]


def _default(value: object) -> str:
    return "unset" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
