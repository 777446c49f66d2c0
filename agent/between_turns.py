"""What the language model does while nobody waits for it.

In: the end of a reply.  Out: a summary of a conversation that has grown, and the model's having
read what its next answer begins with.  Both yield to an answer.  Runs on the event loop's thread.
"""

import asyncio

from pipecat.processors.frame_processor import FrameProcessor

from agent.context import Conversation
from agent.llm.types import ChatModel


class BetweenTurns:
    """The work of one call's model between its answers; `owner` owns the tasks."""

    def __init__(self, conversation: Conversation, chat: ChatModel, owner: FrameProcessor) -> None:
        self._conversation = conversation
        self._chat = chat
        self._owner = owner
        self._summary: asyncio.Task[None] | None = None
        self._priming: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Nobody waits for the model now."""
        if self._conversation.needs_summary() and not (self._summary and not self._summary.done()):
            work = self._conversation.summarise(self._chat)
            self._summary = self._owner.create_task(work, "summary")
        self.make_way()
        messages = list(self._conversation.messages())
        self._priming = self._owner.create_task(self._chat.prime(messages), "prime")

    def make_way(self) -> None:
        """An answer is wanted: reading ahead is too late to be of use, and would be in the way."""
        if self._priming:
            self._priming.cancel()

    async def close(self) -> None:
        """End what runs."""
        for task in (self._summary, self._priming):
            if task and not task.done():
                await self._owner.cancel_task(task)
