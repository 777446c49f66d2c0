import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from agent.config import LlmConfig
from agent.llm.endpoint import OpenAiChat, new_http_client
from agent.llm.types import Finished, LlmUnavailable, TextDelta, ToolCall

USER = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "tell_time", "parameters": {"type": "object"}}}
KEY = "sk-very-secret"

Chunks = AsyncGenerator[Any, None]
Script = Callable[[], Chunks]


def delta(finish_reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


class ScriptedBody(httpx2.AsyncByteStream):
    """Server-sent events from a script; notes when the client lets go of it."""

    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.chunks:
            text = chunk if isinstance(chunk, str) else json.dumps(chunk)
            yield f"data: {text}\n\n".encode()

    async def aclose(self) -> None:
        self.closed = True


class FakeEndpoint(httpx2.AsyncBaseTransport):
    """An OpenAI-compatible endpoint that answers each request by the next script."""

    def __init__(self, *scripts: Script | int | tuple[int, str]) -> None:
        self.scripts = list(scripts)
        self.requests: list[dict[str, Any]] = []
        self.bodies: list[ScriptedBody] = []
        self.models_status = 200

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/models"):
            return httpx2.Response(self.models_status, json={"data": []})
        self.requests.append(json.loads(await request.aread()))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, int):
            script = (script, "refused")
        if isinstance(script, tuple):
            return httpx2.Response(script[0], json={"error": {"message": script[1]}})
        self.bodies.append(ScriptedBody(script()))
        headers = {"Content-Type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, stream=self.bodies[-1])

    @asynccontextmanager
    async def serve(self, **settings: Any) -> AsyncIterator[OpenAiChat]:
        async with httpx2.AsyncClient(transport=self) as pool:
            yield OpenAiChat(LlmConfig(**settings), "http://127.0.0.1:1/v1", KEY, pool)


async def say_hello() -> Chunks:
    yield delta(role="assistant", content="")
    yield delta(content="Hel")
    yield delta(content="lo")
    yield delta("stop")
    yield "[DONE]"


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
    async def call_two() -> Chunks:
        one = {"index": 0, "id": "a", "function": {"name": "tell_time", "arguments": ""}}
        yield delta(tool_calls=[one])
        yield delta(tool_calls=[{"index": 0, "function": {"arguments": '{"time'}}])
        yield delta(tool_calls=[{"index": 0, "function": {"arguments": 'zone": "Asia"}'}}])
        yield delta(tool_calls=[{"index": 1, "function": {"name": "end_call"}}])
        yield delta("tool_calls")

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
    async def break_off() -> Chunks:
        yield delta(content="Hel")

    error, endpoint = failure(break_off, say_hello, retries=3)
    assert error.began
    assert len(endpoint.requests) == 1


def test_an_answer_that_never_begins_is_given_up_and_tried_again():
    async def hang() -> Chunks:
        await asyncio.sleep(60)
        yield {}

    events, endpoint = answer(hang, say_hello, first_token_timeout_s=0.2)
    assert events == HELLO
    assert len(endpoint.requests) == 2


def test_a_gap_between_tokens_is_bounded():
    async def stall() -> Chunks:
        yield delta(content="Hel")
        await asyncio.sleep(60)

    error, _ = failure(stall, token_timeout_s=0.2)
    assert error.began
    assert "between tokens" in str(error)


def test_a_thinking_model_is_not_taken_for_a_dead_one():
    async def think() -> Chunks:
        for _ in range(5):
            await asyncio.sleep(0.1)
            yield delta(reasoning_content="hm")
        async for chunk in say_hello():
            yield chunk

    events, _ = answer(think, first_token_timeout_s=0.3, token_timeout_s=5)
    assert events == HELLO


def test_foreign_chunks_are_passed_over():
    async def babble() -> Chunks:
        for chunk in ({}, {"choices": []}, {"choices": None}, {"choices": [{}]}, {"choices": 5}):
            yield chunk
        yield {"choices": [{"delta": None}]}
        yield {"choices": [{"delta": {"content": 7, "tool_calls": [{}, None, 3]}}]}
        yield {"object": "keepalive", "unknown": [1]}
        async for chunk in say_hello():
            yield chunk

    events, _ = answer(babble)
    assert events == HELLO


@pytest.mark.parametrize("chunk", ["{", "null", "[1, 2]", '"text"', "12"])
def test_a_stream_that_is_no_chat_is_an_unavailable_endpoint(chunk):
    async def babble() -> Chunks:
        yield delta(content="Hel")
        yield chunk

    error, _ = failure(babble, retries=0)
    assert error.began


def test_an_error_inside_the_stream_is_an_unavailable_endpoint():
    async def fail() -> Chunks:
        yield {"error": {"message": "out of memory", "code": 500}}

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


async def talk_for_ever() -> Chunks:
    while True:
        yield delta(content="la ")
        await asyncio.sleep(0.01)


def test_closing_the_stream_lets_go_of_the_response():
    async def run() -> FakeEndpoint:
        endpoint = FakeEndpoint(talk_for_ever)
        async with endpoint.serve() as chat:
            events = chat.stream(USER)
            assert await anext(events) == TextDelta("la ")
            await events.aclose()
            assert endpoint.bodies[0].closed
        return endpoint

    assert len(asyncio.run(run()).requests) == 1


def test_cancelling_the_reader_lets_go_of_the_response():
    async def run() -> None:
        talking = asyncio.Event()

        async def talk() -> Chunks:
            async for chunk in talk_for_ever():
                talking.set()
                yield chunk

        endpoint = FakeEndpoint(talk)
        async with endpoint.serve() as chat:
            reader = asyncio.create_task(collect(chat), name="reader")
            await talking.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            assert endpoint.bodies[0].closed

    asyncio.run(run())


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
    assert [request["messages"][-1]["role"] for request in requests] == ["user", "user"]


def test_an_endpoint_that_may_charge_for_it_is_not_primed():
    async def run() -> list[dict[str, Any]]:
        endpoint = FakeEndpoint(say_hello)
        async with endpoint.serve(base_url="http://127.0.0.1:1/v1") as chat:
            await chat.prime(USER)
        return endpoint.requests

    assert asyncio.run(run()) == []


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
