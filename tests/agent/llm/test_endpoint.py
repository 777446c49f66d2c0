import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from agent.config import LlmConfig
from agent.llm.endpoint import OpenAiChat, new_http_client
from agent.llm.types import Finished, LlmUnavailable, TextDelta, ToolCall

USER = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "tell_time", "parameters": {"type": "object"}}}
KEY = "sk-very-secret"

Write = Callable[[Any], Awaitable[None]]
Script = Callable[[Write], Awaitable[None]]


def delta(finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


class FakeEndpoint:
    """An OpenAI-compatible server that answers each request by the next script."""

    def __init__(self, *scripts: Script | int | tuple[int, str]) -> None:
        self.scripts = list(scripts)
        self.requests: list[dict[str, Any]] = []
        self.disconnected = asyncio.Event()
        self.models_status = 200
        self.connections: set[Any] = set()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.connections.add(request.transport)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, int):
            script = (script, "refused")
        if isinstance(script, tuple):
            return web.json_response({"error": {"message": script[1]}}, status=script[0])
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def write(chunk: Any) -> None:
            text = chunk if isinstance(chunk, str) else json.dumps(chunk)
            await response.write(f"data: {text}\n\n".encode())

        try:
            await script(write)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnected.set()
            raise
        return response

    async def models(self, _request: web.Request) -> web.Response:
        return web.json_response({"data": []}, status=self.models_status)

    @asynccontextmanager
    async def serve(self, **settings: Any) -> AsyncIterator[OpenAiChat]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_get("/v1/models", self.models)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        chat = OpenAiChat(LlmConfig(**settings), f"http://127.0.0.1:{port}/v1", KEY)
        try:
            yield chat
        finally:
            await chat.close()
            await runner.cleanup()


async def say_hello(write: Write) -> None:
    await write(delta(role="assistant", content=""))
    await write(delta(content="Hel"))
    await write(delta(content="lo"))
    await write(delta("stop"))
    await write("[DONE]")


async def collect(chat: OpenAiChat, **arguments: Any) -> list[Any]:
    return [event async for event in chat.stream(USER, **arguments)]


def answer(*scripts: Any, tools: Any = (), **settings: Any) -> tuple[list[Any], FakeEndpoint]:
    async def run() -> tuple[list[Any], FakeEndpoint]:
        endpoint = FakeEndpoint(*scripts)
        async with endpoint.serve(**settings) as chat:
            return await collect(chat, tools=tools), endpoint

    return asyncio.run(run())


def failure(*scripts: Any, **settings: Any) -> tuple[LlmUnavailable, FakeEndpoint]:
    async def run() -> tuple[LlmUnavailable, FakeEndpoint]:
        endpoint = FakeEndpoint(*scripts)
        async with endpoint.serve(**settings) as chat:
            with pytest.raises(LlmUnavailable) as caught:
                await collect(chat)
            return caught.value, endpoint

    return asyncio.run(run())


HELLO = [TextDelta("Hel"), TextDelta("lo"), Finished("stop")]


def test_an_answer_is_streamed_in_order():
    events, endpoint = answer(say_hello, temperature=0.5, max_tokens=99, model="m")
    assert events == HELLO
    request = endpoint.requests[0]
    assert request["messages"] == USER
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("m", 0.5, 99)
    assert "tools" not in request


def test_extra_parameters_are_sent():
    _, endpoint = answer(say_hello, extra_body={"top_k": 40})
    assert endpoint.requests[0]["top_k"] == 40


def test_tool_calls_are_put_together_from_fragments():
    async def call_two(write: Write) -> None:
        one = {"index": 0, "id": "a", "function": {"name": "tell_time", "arguments": ""}}
        await write(delta(tool_calls=[one]))
        await write(delta(tool_calls=[{"index": 0, "function": {"arguments": '{"time'}}]))
        await write(delta(tool_calls=[{"index": 0, "function": {"arguments": 'zone": "Asia"}'}}]))
        await write(delta(tool_calls=[{"index": 1, "function": {"name": "end_call"}}]))
        await write(delta("tool_calls"))

    events, endpoint = answer(call_two, tools=[TOOL])
    assert events == [
        ToolCall("a", "tell_time", '{"timezone": "Asia"}'),
        ToolCall("call_1", "end_call", ""),
        Finished("tool_calls"),
    ]
    assert endpoint.requests[0]["tools"] == [TOOL]


def test_an_overloaded_endpoint_is_asked_again():
    events, endpoint = answer(503, 429, say_hello, retries=2)
    assert events == HELLO
    assert len(endpoint.requests) == 3


def test_retries_end():
    error, endpoint = failure(503, retries=2)
    assert not error.began
    assert len(endpoint.requests) == 3


def test_a_refused_key_is_not_tried_again_and_not_repeated():
    error, endpoint = failure((401, f"Incorrect API key provided: {KEY}"), retries=3)
    assert len(endpoint.requests) == 1
    assert not error.began
    assert str(error) == "HTTP 401"


def test_errors_never_hold_the_key():
    error, _ = failure((400, f"bad request with {KEY} in it"))
    assert "bad request with *** in it" in str(error)


def test_nothing_is_tried_again_once_text_has_come():
    async def break_off(write: Write) -> None:
        await write(delta(content="Hel"))

    error, endpoint = failure(break_off, say_hello, retries=3)
    assert error.began
    assert len(endpoint.requests) == 1


def test_an_answer_that_never_begins_is_given_up_and_tried_again():
    async def hang(_write: Write) -> None:
        await asyncio.sleep(60)

    events, endpoint = answer(hang, say_hello, first_token_timeout_s=0.2)
    assert events == HELLO
    assert len(endpoint.requests) == 2


def test_a_gap_between_tokens_is_bounded():
    async def stall(write: Write) -> None:
        await write(delta(content="Hel"))
        await asyncio.sleep(60)

    error, _ = failure(stall, token_timeout_s=0.2)
    assert error.began
    assert "between tokens" in str(error)


def test_a_thinking_model_is_not_taken_for_a_dead_one():
    async def think(write: Write) -> None:
        for _ in range(5):
            await asyncio.sleep(0.1)
            await write(delta(reasoning_content="hm"))
        await say_hello(write)

    events, _ = answer(think, first_token_timeout_s=0.3, token_timeout_s=5)
    assert events == HELLO


def test_foreign_chunks_are_passed_over():
    async def babble(write: Write) -> None:
        for chunk in ({}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": 5}):
            await write(chunk)
        await write({"choices": [{"delta": None}]})
        await write({"choices": [{"delta": {"content": 7, "tool_calls": [{}, None, 3]}}]})
        await write({"object": "keepalive", "unknown": [1]})
        await say_hello(write)

    events, _ = answer(babble)
    assert events == HELLO


@pytest.mark.parametrize("chunk", ["{", "null", "[1, 2]", '"text"', "12"])
def test_a_stream_that_is_no_chat_is_an_unavailable_endpoint(chunk):
    async def babble(write: Write) -> None:
        await write(delta(content="Hel"))
        await write(chunk)

    error, _ = failure(babble, retries=0)
    assert error.began


def test_an_error_inside_the_stream_is_an_unavailable_endpoint():
    async def fail(write: Write) -> None:
        await write({"error": {"message": "out of memory", "code": 500}})

    error, _ = failure(fail, retries=0)
    assert not error.began
    assert "out of memory" in str(error)


def test_refused_tools_are_left_out_from_then_on():
    async def run() -> list[bool]:
        endpoint = FakeEndpoint((400, "this model does not support tools"), say_hello)
        async with endpoint.serve(retries=0) as chat:
            for _ in range(2):
                assert await collect(chat, tools=[TOOL]) == HELLO
        return ["tools" in request for request in endpoint.requests]

    assert asyncio.run(run()) == [True, False, False]


def test_refused_extra_parameters_are_left_out_from_then_on():
    async def run() -> list[bool]:
        endpoint = FakeEndpoint((400, "Unrecognized request argument: top_k"), say_hello)
        async with endpoint.serve(retries=0, extra_body={"top_k": 40}) as chat:
            for _ in range(2):
                assert await collect(chat) == HELLO
        return ["top_k" in request for request in endpoint.requests]

    assert asyncio.run(run()) == [True, False, False]


def test_any_other_bad_request_is_not_repeated():
    _, endpoint = failure((400, "context too long"), retries=3)
    assert len(endpoint.requests) == 1


def talk_for_ever(started: asyncio.Event) -> Script:
    async def script(write: Write) -> None:
        while True:
            await write(delta(content="la "))
            started.set()
            await asyncio.sleep(0.01)

    return script


def test_closing_the_stream_disconnects_from_the_endpoint():
    async def run() -> None:
        endpoint = FakeEndpoint(talk_for_ever(asyncio.Event()))
        async with endpoint.serve() as chat:
            events = chat.stream(USER)
            assert await anext(events) == TextDelta("la ")
            await events.aclose()
            await asyncio.wait_for(endpoint.disconnected.wait(), 5)

    asyncio.run(run())


def test_cancelling_the_reader_disconnects_from_the_endpoint():
    async def run() -> None:
        started = asyncio.Event()
        endpoint = FakeEndpoint(talk_for_ever(started))
        async with endpoint.serve() as chat:
            reader = asyncio.create_task(collect(chat), name="reader")
            await started.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await asyncio.wait_for(endpoint.disconnected.wait(), 5)

    asyncio.run(run())


def test_answers_one_after_another_share_a_connection():
    async def run() -> int:
        endpoint = FakeEndpoint(say_hello)
        async with endpoint.serve() as chat:
            for _ in range(3):
                assert await collect(chat) == HELLO
        return len(endpoint.connections)

    assert asyncio.run(run()) == 1


def test_an_endpoint_that_is_not_there_is_unavailable_and_not_healthy():
    async def run() -> LlmUnavailable:
        chat = OpenAiChat(LlmConfig(retries=0), "http://127.0.0.1:9/v1", KEY)
        assert not await chat.healthy()
        with pytest.raises(LlmUnavailable) as caught:
            await collect(chat)
        await chat.close()
        return caught.value

    error = asyncio.run(run())
    assert not error.began
    assert KEY not in str(error)


@pytest.mark.parametrize(
    ("status", "healthy"), [(200, True), (404, True), (401, False), (503, False)]
)
def test_health_follows_the_endpoint(status, healthy):
    async def run() -> bool:
        endpoint = FakeEndpoint(say_hello)
        endpoint.models_status = status
        async with endpoint.serve() as chat:
            return await chat.healthy()

    assert asyncio.run(run()) is healthy


def test_priming_asks_for_one_token_and_never_fails():
    async def run() -> list[dict[str, Any]]:
        endpoint = FakeEndpoint(say_hello, 500)
        async with endpoint.serve() as chat:
            await chat.prime(USER)
            await chat.prime(USER)
        return endpoint.requests

    requests = asyncio.run(run())
    assert [request["max_tokens"] for request in requests] == [1, 1]


def test_a_shared_pool_is_left_open():
    async def run() -> None:
        pool = new_http_client("http://127.0.0.1:9/v1")
        await OpenAiChat(LlmConfig(), "http://127.0.0.1:9/v1", KEY, pool).close()
        assert not pool.is_closed
        await pool.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "uses_environment"),
    [
        ("http://127.0.0.1:1/v1", False),
        ("http://[::1]:1/v1", False),
        ("http://localhost:1/v1", False),
        ("https://api.example.com/v1", True),
    ],
)
def test_proxies_are_never_used_for_loopback(url, uses_environment):
    async def run() -> bool:
        async with new_http_client(url) as pool:
            return pool.trust_env

    assert asyncio.run(run()) is uses_environment
