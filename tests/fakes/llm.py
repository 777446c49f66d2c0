"""A language model with a script and a stopwatch."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.llm.types import ChatEvent, Finished, LlmUnavailable, Message, TextDelta, ToolCall


@dataclass
class Say:
    """Answer with `text`, a word at a time."""

    text: str


@dataclass
class Use:
    """Ask for a tool, maybe after some words."""

    tool: str
    arguments: str = "{}"
    after: str = ""


@dataclass
class Fail:
    """Break down: at once, or after some words."""

    after: str = ""


@dataclass
class FakeLlm:
    """Plays `answers` in order, then "Okay."; remembers what it was asked."""

    answers: list[Say | Use | Fail] = field(default_factory=list)
    first_token_s: float = 0.2
    per_token_s: float = 0.02
    asked: list[list[dict[str, Any]]] = field(default_factory=list)
    primed: list[list[dict[str, Any]]] = field(default_factory=list)
    tokens_sent: int = 0
    cancelled: int = 0

    async def prime(self, messages: Sequence[Message]) -> None:
        self.primed.append([dict(message) for message in messages])
        await asyncio.sleep(self.first_token_s)

    async def stream(
        self, messages: Sequence[Message], *, tools: Sequence[Mapping[str, Any]] = ()
    ) -> AsyncGenerator[ChatEvent, None]:
        self.asked.append([dict(message) for message in messages])
        answer = self.answers.pop(0) if self.answers else Say("Okay.")
        try:
            await asyncio.sleep(self.first_token_s)
            match answer:
                case Use(tool, arguments, after):
                    if after:
                        yield TextDelta(after)
                    yield ToolCall(f"call-{len(self.asked)}", tool, arguments)
                case Fail(after):
                    for word in after.split():
                        yield TextDelta(word + " ")
                    raise LlmUnavailable("scripted failure", began=bool(after))
                case Say(text):
                    for index, word in enumerate(text.split(" ")):
                        self.tokens_sent += 1
                        yield TextDelta(word if index == 0 else " " + word)
                        await asyncio.sleep(self.per_token_s)
            yield Finished("stop")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled += 1
            raise
