"""Tools the language model may use: plain async functions with type hints and a docstring.

In: a `ToolCall` as the model wrote it.  Out: a `ToolResult`, always: whatever goes wrong is told
to the model in words it can act on, and nothing is raised but cancellation.  Knows nothing of
endpoints, speech or pipelines.  Used from the event loop's thread; a tool must not block it.

A tool is written like this and added with `ToolRegistry.add`:

    async def order_status(context: ToolContext, order: int) -> str:
        '''Look up an order.

        Args:
            order: Number of the order, for example 4711.
        '''
"""

import asyncio
import difflib
import inspect
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agent.llm.types import ToolCall

_log = logging.getLogger(__name__)

DEFAULT_TIMEOUT_S = 15.0
MAX_RESULT_CHARS = 4000


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know of the call it runs in."""

    call_id: str
    language: str
    """Language of the persona; results are read by the model, or spoken, in it."""
    now: Callable[[], datetime] = lambda: datetime.now().astimezone()
    """The present, with a time zone."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool gives back."""

    content: str
    """For the model."""
    ok: bool = True
    ends_call: bool = False
    """The call ends once the agent's reply has been played."""
    timed_out: bool = False
    """The tool took longer than it may."""


class ToolError(Exception):
    """Raised by a tool to tell the model, in the message, what to do differently."""


ToolFunction = Callable[..., Awaitable[str | ToolResult]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with what the model is told of it."""

    name: str
    function: ToolFunction
    description: str
    arguments: type[BaseModel]
    timeout_s: float = DEFAULT_TIMEOUT_S
    filler: str = "tool_filler"
    """Occasion (see `agent.phrases`) spoken when the tool takes long."""

    @property
    def spec(self) -> Mapping[str, Any]:
        """The tool as the chat API wants it described."""
        schema = self.arguments.model_json_schema()
        schema.pop("title", None)
        for field in schema.get("properties", {}).values():
            field.pop("title", None)
        function = {"name": self.name, "description": self.description, "parameters": schema}
        return {"type": "function", "function": function}


class ToolRegistry:
    """Every tool there is, by name; filled at start-up and read only afterwards."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    @property
    def names(self) -> list[str]:
        """Names of all tools, in alphabetical order."""
        return sorted(self._tools)

    def add(
        self,
        function: ToolFunction,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        filler: str = "tool_filler",
    ) -> None:
        """Add a function as a tool.  Raises `ValueError` when it cannot be described."""
        name = function.__name__
        if name in self._tools:
            raise ValueError(f"a tool named {name!r} exists already")
        description, docs = _read_docstring(inspect.getdoc(function) or "")
        if not description:
            raise ValueError(f"tool {name!r} needs a docstring: the model chooses by it")
        self._tools[name] = Tool(
            name, function, description, _arguments_model(function, docs), timeout_s, filler
        )

    def toolbox(self, names: Iterable[str], context: ToolContext) -> "Toolbox":
        """Return the tools one call may use.  Raises `KeyError` for an unknown name."""
        return Toolbox([self._tools[name] for name in names], context)


class Toolbox:
    """The tools of one call."""

    def __init__(self, tools: Sequence[Tool], context: ToolContext) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._context = context
        self.specs: Sequence[Mapping[str, Any]] = tuple(tool.spec for tool in tools)
        """The tools as the chat API wants them described."""

    def filler(self, call: ToolCall) -> str:
        """Return the occasion of the phrase that covers a long wait for this call."""
        tool = self._tools.get(call.name)
        return tool.filler if tool else "tool_filler"

    async def call(self, call: ToolCall) -> ToolResult:
        """Run a tool.  Cancelling cancels the tool; what it had done by then stays done."""
        tool = self._tools.get(call.name)
        if tool is None:
            return _refusal(f"there is no tool {call.name!r}", _nearest(call.name, self._tools))
        try:
            arguments = _parse_arguments(tool.arguments, call.arguments)
            async with asyncio.timeout(tool.timeout_s):
                result = await tool.function(self._context, **arguments)
        except ToolError as error:
            return _refusal(str(error))
        except TimeoutError:
            refusal = _refusal(f"{tool.name} took longer than {tool.timeout_s:g} seconds")
            return replace(refusal, timed_out=True)
        except Exception as error:  # a tool's bug must not end the call
            _log.exception("tool %s failed", tool.name)
            return _refusal(f"{tool.name} failed: {type(error).__name__}")
        if isinstance(result, ToolResult):
            return result
        return ToolResult(str(result)[:MAX_RESULT_CHARS])


def _arguments_model(function: ToolFunction, docs: Mapping[str, str]) -> type[BaseModel]:
    """Describe the parameters after the context as a strict model."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    parameters = list(inspect.signature(function).parameters.values())[1:]
    for parameter in parameters:
        if parameter.name not in hints:
            raise ValueError(f"{function.__name__}: parameter {parameter.name!r} needs a type")
        default = ... if parameter.default is parameter.empty else parameter.default
        description = docs.get(parameter.name)
        fields[parameter.name] = (hints[parameter.name], Field(default, description=description))
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def _parse_arguments(model: type[BaseModel], text: str) -> dict[str, Any]:
    """Check what the model wrote.  Raises `ToolError` in words it can act on."""
    try:
        data = json.loads(text) if text.strip() else {}
    except ValueError:
        raise ToolError("the arguments are not valid JSON") from None
    if not isinstance(data, dict):
        raise ToolError("the arguments must be a JSON object")
    try:
        checked = model.model_validate(data)
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise ToolError("; ".join(problems)) from None
    return {name: getattr(checked, name) for name in model.model_fields}


def _read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its description and the descriptions of its arguments."""
    description, _, arguments = text.partition("\nArgs:\n")
    docs: dict[str, str] = {}
    name = ""
    for line in arguments.splitlines():
        if head := re.match(r"\s{4}(\w+): (.*)", line):
            name = head[1]
            docs[name] = head[2]
        elif name and line.strip():
            docs[name] += " " + line.strip()
    return " ".join(description.split()), docs


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else ""


def _refusal(*reasons: str) -> ToolResult:
    message = "; ".join(reason for reason in reasons if reason)
    return ToolResult(json.dumps({"error": message}, ensure_ascii=False), ok=False)
