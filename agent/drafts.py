"""Drafts: answers that are begun while it is not yet sure that the caller has finished.

In: what the caller may have said, and later whether that was their turn.  Out: a reply whose
work is done in part or whole, or nothing and the count of what was wasted.  There is at most one
draft; it is a `Reply` behind a closed gate, so nothing of it is seen, heard or remembered before
it is adopted.  Knows nothing of when a draft is wise (`agent.turns.speculation`); what became of
it is told to who watches what the worker can afford (`agent.budget`).  Runs on the event loop's
thread.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pipecat.processors.frame_processor import FrameProcessor

from agent.gate import Gate
from agent.llm.types import Message
from agent.reply import Reply
from agent.reply_services import ReplyServices
from tts.tracing import Span


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that nobody hears yet."""

    number: int
    reply: Reply
    work: asyncio.Task[None]
    span: Span
    """Of the work that was done before the turn was over."""


class Drafts:
    """The drafts of one call; `owner` owns the tasks."""

    def __init__(
        self,
        services: ReplyServices,
        owner: FrameProcessor,
        *,
        new_reply: Callable[[Span, Gate], Reply],
        carry_out: Callable[[Reply, Awaitable[None]], Awaitable[None]],
    ) -> None:
        """`carry_out` sees a reply through to its end and never raises."""
        self._services = services
        self._owner = owner
        self._new_reply = new_reply
        self._carry_out = carry_out
        self._draft: Draft | None = None

    async def begin(self, number: int, messages: list[Message]) -> None:
        """Begin the answer to `messages`; drops an older draft."""
        await self.drop("replaced")
        span = self._services.call.begin("draft", draft=number)
        reply = self._new_reply(span, Gate(is_open=False))
        work = self._owner.create_task(
            self._carry_out(reply, reply.answer(messages)),  # type: ignore[arg-type]
            f"draft-{number}",
        )
        self._draft = Draft(number, reply, work, span)
        self._services.log.event("draft_began", draft=number, utterance=reply.utterance)
        self._services.metrics.draft_began()

    async def adopt(self, number: int | None) -> Draft | None:
        """The turn is over: return its draft, if there is one; drops any other."""
        draft = self._draft
        if draft is None or draft.number != number:
            await self.drop("not the answer")
            return None
        self._draft = None
        reply, now_s = draft.reply, _now_s()
        self._services.log.event(
            "draft_adopted",
            draft=number,
            utterance=reply.utterance,
            lead_s=round(now_s - reply.times.asked_s, 3),
            tokens=reply.tokens,
            audio_s=round(reply.audio_s, 3),
        )
        self._services.metrics.draft_adopted()
        self._services.budget.draft_ended(now_s, wasted=False)
        draft.span.set(adopted=True)
        draft.span.end()
        return draft

    async def drop(self, reason: str, number: int | None = None) -> None:
        """Throw the draft away, if there is one (and it is `number`).

        On return its model's stream and its synthesis are closed.  Idempotent.
        """
        draft = self._draft
        if draft is None or number not in (None, draft.number):
            return
        self._draft = None
        if not draft.work.done():
            await self._owner.cancel_task(draft.work)
        reply = draft.reply
        self._services.log.event(
            "draft_dropped",
            draft=draft.number,
            reason=reason,
            tokens=reply.tokens,
            audio_s=round(reply.audio_s, 3),
        )
        self._services.metrics.draft_dropped(reason, reply.tokens, reply.audio_s)
        self._services.budget.draft_ended(_now_s(), wasted=True)
        draft.span.set(adopted=False)
        draft.span.end()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
