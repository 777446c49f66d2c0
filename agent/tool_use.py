"""The tools of one reply: called in order, the wait for them covered, their results kept.

In: the model's tool calls.  Out: the messages that tell the model of them, and what the
conversation is to remember.  Knows nothing of audio; what covers a wait is said through `say`.
Cancelling cancels the tool that runs.  Runs on the event loop's thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agent.llm.types import Message, ToolCall
from agent.reply_services import ReplyServices
from agent.tracing import asking
from tts.tracing import NO_SPAN, Span

FILLER_AFTER_S = 1.2
"""A tool that takes longer than this is covered by a short spoken filler."""


@dataclass(frozen=True, slots=True)
class ToolExchange:
    """A tool call the model made during a reply, and what it got back."""

    call: ToolCall
    result: str


@dataclass(slots=True)
class ToolUse:
    """What one reply does with tools; `say` gives the voice a whole passage."""

    services: ReplyServices
    say: Callable[[str], Awaitable[None]]
    exchanges: list[ToolExchange] = field(default_factory=list)
    """Calls that are done, in order."""
    ends_call: bool = False
    """Set once a tool wants the call to end after this reply."""

    async def run(self, text: str, calls: list[ToolCall], span: Span = NO_SPAN) -> list[Message]:
        """Run the tools that the model asked for after saying `text`; returns the messages."""
        messages: list[Message] = [
            {
                "role": "assistant",
                "content": text or None,
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                    for call in calls
                ],
            }
        ]
        for call in calls:
            result = await self._use(call, span)
            self.exchanges.append(ToolExchange(call, result))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        return messages

    async def _use(self, call: ToolCall, span: Span) -> str:
        self.services.log.event("tool_called", tool=call.name)
        with asking(span.begin("tool", tool=call.name)):
            running = asyncio.ensure_future(self.services.tools.call(call))
            try:
                done, _ = await asyncio.wait({running}, timeout=FILLER_AFTER_S)
                if not done:
                    occasion = self.services.tools.filler(call)
                    await self.say(self.services.phrases.say(occasion))
                outcome = await running
            finally:
                running.cancel()
        self.services.log.event("tool_done", tool=call.name, ok=outcome.ok)
        self.ends_call = self.ends_call or outcome.ends_call
        return outcome.content
