"""The wait for an answer, covered: who decides on openers, and who carries it out.

In: the replies to turns as they are taken up, and whether the caller speaks.  Out: an opener at the
head of a reply whose sound would come late, and the forecast that says which would.  Knows nothing
of audio; the decisions are `agent.turns.openers`.  Runs on the event loop's thread.
"""

import asyncio

from pipecat.frames.frames import Frame, UserStartedSpeakingFrame, UserStoppedSpeakingFrame
from pipecat.processors.frame_processor import FrameProcessor

from agent.config import OpenersConfig
from agent.reply import Reply
from agent.reply_services import ReplyServices
from agent.turns.acts import Act, act_of
from agent.turns.openers import Openers


class Covering:
    """Covers the waits of one call, one reply at a time; `owner` owns the task."""

    def __init__(
        self, config: OpenersConfig, services: ReplyServices, owner: FrameProcessor
    ) -> None:
        self._services = services
        self._owner = owner
        self._openers = Openers(config, services.phrases.say)
        self._watch: asyncio.Task[None] | None = None

    def hear(self, frame: Frame) -> None:
        """Learn whether the caller speaks: nothing is said over that."""
        if isinstance(frame, UserStartedSpeakingFrame):
            self._services.caller_quiet.clear()
        elif isinstance(frame, UserStoppedSpeakingFrame):
            self._services.caller_quiet.set()

    def begin(self, reply: Reply, text: str) -> None:
        """The reply answers `text` from now on; nothing of it has sounded yet."""
        self._openers.begin_turn()
        if reply.has_words:
            return
        act = act_of(text, self._services.persona.language)
        now_s = asyncio.get_running_loop().time()
        wait_s = self._services.forecast.remaining_s(now_s - reply.times.asked_s)
        if not self._open(reply, act, wait_s, "predicted"):
            self._watch = self._owner.create_task(self._open_late(reply, act), "opener")

    async def end(self, reply: Reply, *, answers: bool) -> None:
        """The reply is over.  `answers`: it answered a turn, and tells how long that takes."""
        if self._watch and not self._watch.done():
            await self._owner.cancel_task(self._watch)
        self._watch = None
        times = reply.times
        if answers and times.answer_text_s and times.answer_chunk_s and not reply.tools.exchanges:
            to_text_s = times.answer_text_s - times.asked_s
            to_sound_s = times.answer_chunk_s - times.answer_text_s
            self._services.forecast.answered(to_text_s=to_text_s, to_sound_s=to_sound_s)
            self._services.log.event(
                "answer_took",
                utterance=reply.utterance,
                to_text_s=round(to_text_s, 3),
                to_sound_s=round(to_sound_s, 3),
            )

    async def _open_late(self, reply: Reply, act: Act) -> None:
        bound_s = self._openers.bound_s
        await asyncio.sleep(bound_s)
        await self._services.caller_quiet.wait()
        if not reply.has_words:
            self._open(reply, act, bound_s, "late")

    def _open(self, reply: Reply, act: Act, wait_s: float | None, reason: str) -> bool:
        opener = self._openers.choose(act, wait_s)
        if opener:
            reply.open_with(opener, apologises=act == "complaint")
            self._services.log.event(
                "opener",
                utterance=reply.utterance,
                reason=reason,
                kind=act,
                wait_s=None if wait_s is None else round(wait_s, 3),
                bound_s=self._openers.bound_s,
                text=opener,
            )
        return opener is not None
