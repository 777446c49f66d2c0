"""docs/configuration.md, written from the schema: every table, key, bound and default.

In: the pydantic models.  Out: Markdown.  Pure.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

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
        parts.append(_table(schema["$defs"][_target(schema["properties"][name])], schema, name))
    parts += [_PERSONAS, _table(_without_id(Persona), Persona.model_json_schema(), None)]
    persona = Persona.model_json_schema()
    parts.append(_table(persona["$defs"]["TurnTemperament"], persona, "turns"))
    parts += ["## Environment\n", "| variable | meaning |\n|---|---|"]
    parts += [f"| `{name}` | {meaning} |" for name, meaning in ENVIRONMENT.items()]
    return "\n".join(parts) + "\n"


def _table(table: dict[str, Any], root: dict[str, Any], name: str | None) -> str:
    lines = []
    if name is not None:
        lines += [f"### [{name}]\n", table["description"] + "\n"]
    lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
    required = table.get("required", [])
    nested = []
    for key, field in table["properties"].items():
        default = "required" if key in required else _default(field.get("default"))
        meaning = field.get("description", "").replace("\n", " ").replace("|", "\\|")
        if _is_table(field, root):
            meaning, default = f"See [{key}] below.", ""
        lines.append(f"| `{key}` | {describe(field, root)} | {default} | {meaning} |")
        item = field.get("items", {})
        if "$ref" in item:
            nested.append((f"[{name}.{key}]", root["$defs"][_target(item)]))
    for heading, entry in nested:
        lines += ["", _table(entry, root, heading.strip("[]")).replace("### [", "### [[", 1)]
        lines[-1] = lines[-1].replace("]\n", "]]\n", 1)
    return "\n".join(lines) + "\n"


def _without_id(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema["properties"].pop("id")
    return schema


def _is_table(field: dict[str, Any], root: dict[str, Any]) -> bool:
    return "$ref" in field and "properties" in root["$defs"][_target(field)]


def _target(field: dict[str, Any]) -> str:
    reference: str = field["$ref"]
    return reference.rsplit("/", 1)[1]


def _default(value: object) -> str:
    return "unset" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
