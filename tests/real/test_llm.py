"""The built-in language model in its process, and the endpoint over real sockets."""

import asyncio
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from agent.config import LlmConfig
from agent.context import Conversation
from agent.llm.endpoint import OpenAiChat
from agent.llm.types import Finished, TextDelta
from agent.persona import load_personas

pytestmark = pytest.mark.real

PERSONAS = Path(__file__).parents[2] / "personas"
SERVER = [sys.executable, "-m", "agent.llm.local_server", "--threads", "1"]
CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "la "}}]}\n\n'
PATIENT = LlmConfig(first_token_timeout_s=60, token_timeout_s=60, temperature=0.0)


@asynccontextmanager
async def endless_endpoint() -> AsyncGenerator[tuple[str, asyncio.Event, set[int]], None]:
    """An endpoint that never stops talking; tells when its client has gone."""
    gone = asyncio.Event()
    connections: set[int] = set()

    async def complete(request: web.Request) -> web.StreamResponse:
        connections.add(id(request.transport))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(CHUNK)
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", gone, connections
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_the_endpoint_sees_the_disconnect_at_once(how):
    async def run() -> float:
        async with endless_endpoint() as (url, gone, _):
            chat = OpenAiChat(LlmConfig(), url)
            events = chat.stream([{"role": "user", "content": "sing"}])
            assert await anext(events) == TextDelta("la ")
            assert not gone.is_set()
            if how == "close":
                await events.aclose()
            else:
                reader = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
            began_s = time.monotonic()
            await asyncio.wait_for(gone.wait(), 10)
            await chat.close()
            return time.monotonic() - began_s

    asyncio.run(run())


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    process = subprocess.Popen([*SERVER, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    url = line.rsplit(" ", 1)[-1].strip()
    assert url.endswith("/v1"), line
    wait_until_healthy(url.removesuffix("/v1") + "/health")
    try:
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stdout.close()


def wait_until_healthy(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                assert answer.status == 200
                return
        except urllib.error.HTTPError as error:
            assert error.code == 503  # still loading
            error.close()
        time.sleep(0.1)
    raise AssertionError("the server did not become healthy in 30 s")


def ask(url: str, question: str, persona: str = "customer-service-en") -> str:
    async def run() -> str:
        who = load_personas(PERSONAS)[persona]
        conversation = Conversation(who.prompt, examples=who.examples)
        conversation.add_user(question)
        chat = OpenAiChat(PATIENT, url)
        events = [event async for event in chat.stream(conversation.messages())]
        await chat.close()
        assert events[-1] == Finished("stop")
        return "".join(event.text for event in events if isinstance(event, TextDelta))

    return asyncio.run(run())


def test_the_built_in_model_is_healthy(server):
    async def run() -> bool:
        chat = OpenAiChat(LlmConfig(), server)
        healthy = await chat.healthy()
        await chat.close()
        return healthy

    assert asyncio.run(run())


def test_the_built_in_model_answers_a_question_of_fact(server):
    assert "Paris" in ask(server, "What is the capital of France?")


@pytest.mark.parametrize("persona", ["customer-service-en", "game-npc-en", "tutor-en"])
def test_the_built_in_model_says_at_most_two_sentences(server, persona):
    for question in ("Tell me about yourself.", "Thank you, goodbye."):
        answer = ask(server, question, persona)
        assert 1 <= sum(answer.count(stop) for stop in ".!?") <= 2
        assert "\n" not in answer


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--model", "no-such.gguf"], "no such file"),
        (["--model", __file__], "local language model"),
        (["--host", "256.0.0.1"], "local language model"),
    ],
)
def test_what_cannot_be_served_ends_with_a_reason(options, reason):
    done = subprocess.run([*SERVER, *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert reason in done.stderr
