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
from agent.tools.registry import ToolResult
from agent.tracing import asking
from agent.turns.narration import Narration
from tts.tracing import NO_SPAN, Span

LOOK_EVERY_S = 0.1
"""How often it is asked whether something should be said while a tool runs."""


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
    silent_since_s: Callable[[], float | None]
    """Loop time from which on nothing of the reply has sounded; None while something does."""
    exchanges: list[ToolExchange] = field(default_factory=list)
    """Calls that are done, in order."""
    ends_call: bool = False
    """Set once a tool wants the call to end after this reply."""
    announced: bool = False
    """Whether the caller was told that something is looked up."""
    timed_out: bool = False
    """Set once a tool took too long; those behind it were not run."""

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
            if self.timed_out:
                break
        return messages

    async def _use(self, call: ToolCall, span: Span) -> str:
        began_s = _now_s()
        self.services.log.event("tool_called", tool=call.name)
        with asking(span.begin("tool", tool=call.name)):
            running = asyncio.ensure_future(self.services.tools.call(call))
            try:
                await self._narrate(call, running)
                outcome = await running
            finally:
                running.cancel()
        self.services.log.event("tool_done", tool=call.name, ok=outcome.ok)
        self.services.forecast.tool_ran(call.name, _now_s() - began_s)
        self.ends_call = self.ends_call or outcome.ends_call
        self.timed_out = outcome.timed_out
        return outcome.content

    async def _narrate(self, call: ToolCall, running: asyncio.Future[ToolResult]) -> None:
        """Return when the tool is done; until then say now and then that it goes on."""
        now_s, silent_since_s = _now_s(), self.silent_since_s()
        narration = Narration(
            self.services.tools.filler(call),
            began_s=now_s,
            since_s=now_s if silent_since_s is None else silent_since_s,
            told=int(self.announced),
            expected_s=self.services.forecast.tool_s(call.name),
        )
        while not running.done():
            quiet = self.silent_since_s() is not None and self.services.caller_quiet.is_set()
            occasion = narration.step(_now_s(), quiet=quiet)
            if occasion:
                self.announced = True
                self.services.log.event("tool_wait", tool=call.name, kind=occasion)
                await self.say(self.services.phrases.say(occasion))
            await asyncio.wait({running}, timeout=LOOK_EVERY_S)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
