"""A chat model behind any OpenAI-compatible endpoint.

In: messages and tool schemas.  Out: `ChatEvent`s.  Knows nothing of calls, speech or personas;
one instance, with one connection pool, serves every call of a process.  Called from the event
loop's thread.

What an endpoint may do, and what happens here:
- It cannot be reached, answers 408, 409, 429 or 5xx, or no token comes in time: tried again
  `retries` times after a short pause, as long as no event has left `stream`.
- It refuses the tools or the extra parameters (400, 404, 422 or 501 whose text names them): asked
  once more without what it refused, which is then not sent again for the life of the object.
- It breaks off, stalls or sends what is no chat stream after the first event:
  `LlmUnavailable(began=True)`; whatever was said stands.
"""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
from openai import APIError, APIStatusError, AsyncOpenAI, AsyncStream, OpenAIError
from openai.types.chat import ChatCompletionChunk

from agent.config import LlmConfig
from agent.llm.local_server import SAMPLING
from agent.llm.types import (
    ChatEvent,
    Finished,
    LlmUnavailable,
    Message,
    TextDelta,
    ToolCall,
)

_log = logging.getLogger(__name__)

_BACKOFF_S = 0.1  # doubled for each further try
_HEALTH_TIMEOUT_S = 2.0
_RETRIED_STATUS = frozenset({408, 409, 425, 429})
_REFUSAL_STATUS = frozenset({400, 404, 422, 501})
_MAX_TOOL_CALLS = 16
_MAX_ARGUMENT_CHARS = 65_536
_MAX_ERROR_CHARS = 200
_POOL = httpx2.Limits(max_connections=128, max_keepalive_connections=32, keepalive_expiry=60)

# What goes wrong below the events: the network, HTTP, and streams that are not JSON.
_FAILURES = (OpenAIError, httpx2.HTTPError, httpx2.StreamError, ValueError, TypeError, KeyError)


def new_http_client(base_url: str) -> httpx2.AsyncClient:
    """Build the process's connection pool.

    Proxies and certificates of the environment apply to remote endpoints; a loopback address is
    never reached through a proxy.
    """
    return httpx2.AsyncClient(limits=_POOL, trust_env=not _is_loopback(base_url))


def _is_loopback(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class OpenAiChat:
    """`ChatModel` over HTTP; see the module's docstring for what failures become."""

    def __init__(
        self,
        config: LlmConfig,
        base_url: str,
        api_key: str = "none",
        http_client: httpx2.AsyncClient | None = None,
    ) -> None:
        """`http_client` is closed by `close` only when it was made here."""
        self._config = config
        self._key = api_key
        self._own_http = http_client is None
        self._http = http_client or new_http_client(base_url)
        # All limits of time are kept here, in one place; httpx only watches the connecting.
        self._client = AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=config.connect_timeout_s),
            http_client=self._http,
        )
        self._sends_tools = True
        self._built_in = not config.base_url
        self._extras = {**(SAMPLING if self._built_in else {}), **config.extra_body}

    async def close(self) -> None:
        """Close the pool, if it is ours.  Idempotent."""
        if self._own_http:
            await self._http.aclose()

    async def healthy(self) -> bool:
        """Whether the endpoint answers now: one small GET, two seconds at most, never raises."""
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                await self._client.get("/models", cast_to=object)
        except APIStatusError as error:
            # An endpoint without a model list is alive all the same.
            return error.status_code < 500 and error.status_code not in (401, 403, 429)
        except (*_FAILURES, TimeoutError):
            return False
        return True

    async def prime(self, messages: Sequence[Message]) -> None:
        """See `ChatModel.prime`: costs the built-in model one token, and does nothing elsewhere."""
        if not self._built_in:
            return
        # A list that ends with the agent's words would be taken as an answer to go on with.
        asked = [*messages, {"role": "user", "content": "Hello"}]
        events = self._answer(_Request(asked, (), max_tokens=1), _Progress())
        try:
            async for _ in events:
                pass
        except _Failed as failure:
            _log.info("priming the language model failed: %s", failure)
        finally:
            await events.aclose()

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> AsyncGenerator[ChatEvent, None]:
        """Stream one answer; see `ChatModel.stream`.

        Closing the generator, or cancelling the task that reads it, closes the connection, which
        is how the endpoint learns that nobody listens.
        """
        request = _Request(messages, tools, max_tokens=self._config.max_tokens)
        tries_left = self._config.retries
        backoff_s = _BACKOFF_S
        while True:
            progress = _Progress()
            events = self._answer(request, progress)
            try:
                async for event in events:
                    progress.began = True
                    yield event
                return
            except _Failed as failure:
                if progress.began:
                    raise LlmUnavailable(str(failure), began=True) from None
                if not self._drop_what_was_refused(failure, request):
                    if not failure.transient or tries_left == 0:
                        raise LlmUnavailable(str(failure), began=False) from None
                    tries_left -= 1
                    await asyncio.sleep(backoff_s)
                    backoff_s *= 2
            finally:
                await events.aclose()

    def _drop_what_was_refused(self, failure: "_Failed", request: "_Request") -> bool:
        """Tell whether asking again without tools or extras may help, and arrange for it."""
        if failure.status not in _REFUSAL_STATUS:
            return False
        text = failure.detail.lower()
        if any(name.lower() in text for name in self._extras):
            self._extras = {}
            _log.warning("the language model endpoint refuses extra_body; sent without it")
            return True
        if self._sends_tools and request.tools and ("tool" in text or "function" in text):
            self._sends_tools = False
            _log.warning("the language model endpoint refuses tools; none are offered")
            return True
        return False

    async def _answer(
        self, request: "_Request", progress: "_Progress"
    ) -> AsyncGenerator[ChatEvent, None]:
        """One try.  Raises `_Failed` and nothing else of the endpoint's making."""
        stream: AsyncStream[ChatCompletionChunk] | None = None
        assembly = _ToolCalls()
        reason = ""
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + self._config.first_token_timeout_s
            async with asyncio.timeout_at(deadline):
                stream = await self._open(request)
            chunks = aiter(stream)
            while True:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                delta = _read(chunk)
                if delta.alive:
                    progress.alive = True
                if progress.alive:
                    deadline = loop.time() + self._config.token_timeout_s
                assembly.add(delta.tool_calls)
                reason = delta.finish_reason or reason
                if delta.text:
                    yield TextDelta(delta.text)
            for call in assembly.complete():
                yield call
            if not reason and not progress.alive:
                raise _Failed("the endpoint sent an empty stream", transient=True)
            if not reason:
                raise _Failed("the endpoint broke off without finishing", transient=True)
            yield Finished(reason)
        except TimeoutError:
            what = "between tokens" if progress.alive else "before the first token"
            raise _Failed(f"time-out {what}", transient=True) from None
        except _FAILURES as error:
            raise self._failed(error) from None
        finally:
            if stream is not None:
                await stream.close()

    async def _open(self, request: "_Request") -> AsyncStream[ChatCompletionChunk]:
        config = self._config
        arguments: dict[str, Any] = {
            "model": config.model,
            "messages": list(request.messages),
            "temperature": config.temperature,
            "max_tokens": request.max_tokens,
            "stream": True,
        }
        if request.tools and self._sends_tools:
            arguments["tools"] = list(request.tools)
        if self._extras:
            arguments["extra_body"] = self._extras
        return cast(
            AsyncStream[ChatCompletionChunk],
            await self._client.chat.completions.create(**arguments),
        )

    def _failed(self, error: Exception) -> "_Failed":
        """Put a failure into words that never hold the key."""
        if isinstance(error, APIStatusError):
            status = error.status_code
            detail = "" if status in (401, 403) else self._without_key(error.message)
            transient = status >= 500 or status in _RETRIED_STATUS
            return _Failed(
                f"HTTP {status} {detail}".rstrip(),
                transient=transient,
                status=status,
                detail=detail,
            )
        if isinstance(error, APIError):
            message = self._without_key(error.message)
            return _Failed(f"{type(error).__name__}: {message}", transient=True)
        return _Failed(f"{type(error).__name__}: {self._without_key(str(error))}", transient=True)

    def _without_key(self, text: object) -> str:
        clean = str(text)
        if self._key:
            clean = clean.replace(self._key, "***")
        return clean[:_MAX_ERROR_CHARS]


class _Failed(Exception):
    """One try failed; `transient` tells whether another may succeed."""

    def __init__(self, message: str, *, transient: bool, status: int = 0, detail: str = "") -> None:
        super().__init__(message)
        self.transient = transient
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Request:
    messages: Sequence[Message]
    tools: Sequence[Mapping[str, Any]]
    max_tokens: int


@dataclass(slots=True)
class _Progress:
    """How far a try came: `alive` once the model produced anything, even a hidden thought."""

    alive: bool = False
    began: bool = False


@dataclass(frozen=True, slots=True)
class _Delta:
    """What one chunk of the stream says, with everything foreign left out."""

    text: str = ""
    tool_calls: tuple[Any, ...] = ()
    finish_reason: str = ""
    alive: bool = False


def _read(chunk: object) -> _Delta:
    """Read a chunk that may be of any shape: the client library does not check what it parses."""
    choices = getattr(chunk, "choices", None)
    if not isinstance(choices, list) or not choices:
        return _Delta()
    delta = getattr(choices[0], "delta", None)
    text = getattr(delta, "content", None)
    calls = getattr(delta, "tool_calls", None)
    thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
    reason = getattr(choices[0], "finish_reason", None)
    text = text if isinstance(text, str) else ""
    tool_calls = tuple(calls) if isinstance(calls, list) else ()
    reason = reason if isinstance(reason, str) else ""
    return _Delta(text, tool_calls, reason, bool(text or tool_calls or thought or reason))


@dataclass(slots=True)
class _ToolCalls:
    """Tool calls in the making, by the index the endpoint gives them."""

    _parts: dict[int, dict[str, str]] = field(default_factory=dict)

    def add(self, deltas: Sequence[Any]) -> None:
        """Take in the fragments of one chunk; anything beyond the bounds is left out."""
        for position, delta in enumerate(deltas):
            index = getattr(delta, "index", None)
            if not isinstance(index, int):
                index = position
            if index not in self._parts and len(self._parts) >= _MAX_TOOL_CALLS:
                continue
            part = self._parts.setdefault(index, {"id": "", "name": "", "arguments": ""})
            function = getattr(delta, "function", None)
            call_id, name = getattr(delta, "id", None), getattr(function, "name", None)
            arguments = getattr(function, "arguments", None)
            if isinstance(call_id, str) and call_id:
                part["id"] = call_id
            if isinstance(name, str) and name:
                part["name"] = name
            if isinstance(arguments, str):
                part["arguments"] = (part["arguments"] + arguments)[:_MAX_ARGUMENT_CHARS]

    def complete(self) -> list[ToolCall]:
        """Return the named calls in order; ids that the endpoint left out are made up."""
        return [
            ToolCall(part["id"] or f"call_{index}", part["name"], part["arguments"])
            for index, part in sorted(self._parts.items())
            if part["name"]
        ]
