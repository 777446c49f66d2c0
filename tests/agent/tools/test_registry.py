import asyncio
import json

import pytest

from agent.llm.types import ToolCall
from agent.tools.registry import Toolbox, ToolContext, ToolError, ToolRegistry, ToolResult
from tests.virtual_time import run

CONTEXT = ToolContext("call-1", "en")


async def order_status(context: ToolContext, order: int, verbose: bool = False) -> str:
    """Look up an order.

    Args:
        order: Number of the order,
            for example 4711.
        verbose: Whether to tell everything.
    """
    return f"{context.call_id}: {order} {verbose}"


async def wait(context: ToolContext) -> str:
    """Wait for ever."""
    await asyncio.sleep(3600)
    return "done"


async def refuse(context: ToolContext) -> str:
    """Refuse."""
    raise ToolError("only on Mondays")


async def break_down(context: ToolContext) -> str:
    """Break."""
    raise RuntimeError("secret detail")


async def farewell(context: ToolContext) -> ToolResult:
    """Say goodbye."""
    return ToolResult("bye", ends_call=True)


def toolbox() -> Toolbox:
    registry = ToolRegistry()
    for tool in (order_status, refuse, break_down, farewell):
        registry.add(tool)
    registry.add(wait, timeout_s=2.0, filler="not_caught")
    return registry.toolbox(registry.names, CONTEXT)


def call(name: str, arguments: str = "") -> ToolResult:
    return run(toolbox().call(ToolCall("c", name, arguments)))


def error(result: ToolResult) -> str:
    assert not result.ok
    return json.loads(result.content)["error"]


def test_the_schema_is_read_from_the_signature_and_the_docstring():
    registry = ToolRegistry()
    registry.add(order_status)
    assert registry.toolbox(["order_status"], CONTEXT).specs == (
        {
            "type": "function",
            "function": {
                "name": "order_status",
                "description": "Look up an order.",
                "parameters": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["order"],
                    "properties": {
                        "order": {
                            "type": "integer",
                            "description": "Number of the order, for example 4711.",
                        },
                        "verbose": {
                            "type": "boolean",
                            "default": False,
                            "description": "Whether to tell everything.",
                        },
                    },
                },
            },
        },
    )


def test_a_tool_runs_with_checked_arguments_and_its_call():
    result = call("order_status", '{"order": "12"}')
    assert result == ToolResult("call-1: 12 False")


def test_no_arguments_may_be_written_as_nothing():
    assert call("farewell", "").ends_call
    assert call("farewell", "{}").ends_call


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("{}", "order: Field required"),
        ('{"order": "many"}', "order: Input should be a valid integer"),
        ('{"order": 1, "colour": "red"}', "colour: Extra inputs are not permitted"),
    ],
)
def test_wrong_arguments_are_explained_to_the_model(arguments, reason):
    assert reason in error(call("order_status", arguments))


def test_an_unknown_tool_is_answered_with_the_nearest():
    assert "did you mean 'order_status'?" in error(call("order_statu"))
    assert error(call("xyz")) == "there is no tool 'xyz'"


def test_a_tool_that_takes_too_long_is_ended():
    assert error(call("wait")) == "wait took longer than 2 seconds"
    assert call("wait").timed_out
    assert not call("xyz").timed_out


def test_a_tool_may_refuse_in_its_own_words():
    assert error(call("refuse")) == "only on Mondays"


def test_a_broken_tool_does_not_raise_and_keeps_its_details_to_the_log():
    assert error(call("break_down")) == "break_down failed: RuntimeError"


def test_cancelling_the_call_cancels_the_tool():
    async def cancel() -> None:
        task = asyncio.create_task(toolbox().call(ToolCall("c", "wait", "")), name="tool")
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(cancel())


def test_each_tool_names_the_phrase_that_covers_its_wait():
    assert toolbox().filler(ToolCall("c", "wait", "")) == "not_caught"
    assert toolbox().filler(ToolCall("c", "refuse", "")) == "tool_filler"


def test_a_tool_that_cannot_be_described_is_refused_at_start():
    async def silent(context: ToolContext) -> str:
        return ""

    async def untyped(context: ToolContext, thing) -> str:
        """Do a thing."""
        return ""

    registry = ToolRegistry()
    registry.add(refuse)
    for tool, reason in ((silent, "docstring"), (untyped, "'thing'"), (refuse, "exists already")):
        with pytest.raises(ValueError, match=reason):
            registry.add(tool)


def test_a_call_gets_only_its_personas_tools():
    registry = ToolRegistry()
    registry.add(refuse)
    registry.add(farewell)
    box = registry.toolbox(["farewell"], CONTEXT)
    assert [spec["function"]["name"] for spec in box.specs] == ["farewell"]
    assert not run(box.call(ToolCall("c", "refuse", ""))).ok
    with pytest.raises(KeyError):
        registry.toolbox(["unknown"], CONTEXT)
