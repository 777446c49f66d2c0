"""The language model as the conversation sees it: messages in, typed events out."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Message = Mapping[str, Any]
"""An OpenAI chat message: role, content, and for tools `tool_calls` / `tool_call_id`."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A few characters of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool; `arguments` is the JSON text it wrote, unchecked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete; `reason` is the endpoint's finish_reason."""

    reason: str


ChatEvent = TextDelta | ToolCall | Finished


class LlmUnavailable(Exception):
    """The endpoint failed, timed out or broke off; `began` tells whether text had come."""

    def __init__(self, message: str, *, began: bool) -> None:
        super().__init__(message)
        self.began = began


class ChatModel(Protocol):
    """An OpenAI-compatible chat endpoint, shared by all calls of the process."""

    def stream(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> AsyncGenerator[ChatEvent, None]:
        """Stream one answer.  Closing the generator cancels the request at the endpoint.

        Raises `LlmUnavailable`; retries only happen before the first event.
        """

    async def prime(self, messages: Sequence[Message]) -> None:
        """Let a model that keeps the prefix of a prompt read a conversation before it is needed.

        Never raises: failures are of no consequence and only logged.
        """
