"""The replier: the caller's turns in, the agent's speech out, and the memory of both.

It owns the conversation and at most one `Reply` at a time, beside at most one draft
(`agent.drafts`).  A new turn, a nudge or an interruption leaves the current reply; what of it was
heard goes into the conversation, by the clock of samples played, and nothing else does.  Down:
speech frames.  Up: `AgentBusyFrame`.  Runs on the event loop's thread only.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from agent.between_turns import BetweenTurns
from agent.config import OpenersConfig
from agent.context import Conversation
from agent.covering import Covering
from agent.drafts import Draft, Drafts
from agent.frames import (
    AgentBusyFrame,
    DraftDroppedFrame,
    DraftFrame,
    GreetFrame,
    MurmurFrame,
    NudgeFrame,
    TurnDroppedFrame,
    TurnTiming,
    UserTurnFrame,
)
from agent.gate import Gate
from agent.llm.types import Message
from agent.murmuring import Murmuring
from agent.reply import Reply, ReplyTimes, VoiceLost
from agent.reply_services import ReplyServices
from agent.resumption import CutOff, as_asked, go_on_in_other_words
from agent.rtvi import ClientNotes
from agent.showing import Showing, Turn
from agent.tracing import begin_turn
from transports.frames import PlaybackEndedFrame, PlaybackStartedFrame, SpeechEndFrame
from tts.tracing import Span


class Replier(FrameProcessor):
    """Answers one caller."""

    def __init__(
        self,
        *,
        services: ReplyServices,
        openers: OpenersConfig,
        conversation: Conversation,
        notes: ClientNotes,
        hang_up: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(name="replier")
        self._services = services
        self._conversation = conversation
        self._notes = notes
        self._hang_up = hang_up
        self._utterances = 0
        self._turns = 0
        self._turn: Turn | None = None
        self._reply: Reply | None = None
        self._work: asyncio.Task[None] | None = None
        self._cut_off: CutOff | None = None
        self._drafts = Drafts(services, self, new_reply=self._new_reply, carry_out=self._carry_out)
        self._showing = Showing(services, notes, self)
        self._covering = Covering(openers, services, self)
        self._murmuring = Murmuring(services, self.push_frame, self)
        self._between_turns = BetweenTurns(conversation, services.chat, self)

    @property
    def said(self) -> str:
        """The newest of what the agent said, as far as it has sounded.

        What is written but was not said yet is no question that the caller could answer.
        """
        reply = self._reply
        sounded = (
            reply.heard.heard(self._services.playback.sent_s(reply.utterance)) if reply else ""
        )
        return sounded or self._conversation.last_said

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """React to turns, interruptions and playback; pass everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case DraftFrame():
                await self._draft(frame)
            case DraftDroppedFrame():
                await self._drafts.drop(frame.reason, frame.draft)
            case UserTurnFrame(wants="answer"):
                await self._answer(frame)
            case UserTurnFrame():
                await self._grant_time(frame)
            case LLMMessagesAppendFrame(run_llm=True):
                await self.queue_frame(UserTurnFrame(text=_typed_text(frame.messages)))
            case GreetFrame():
                self._between_turns.begin()
                self._murmuring.prepare()
                if self._services.persona.greeting and not self._reply:
                    await self._recite(self._services.persona.greeting)
            case TurnDroppedFrame():
                await self._go_on(frame)
            case NudgeFrame(nudge="prompt"):
                await self._say("still_there")
            case NudgeFrame(nudge="offer"):
                await self._say("anything_else")
            case NudgeFrame(nudge="goodbye"):
                await self._say("goodbye", ends_call=True)
            case MurmurFrame():
                await self._murmur()
            case PlaybackStartedFrame():
                await self._on_started(frame.utterance)
            case PlaybackEndedFrame():
                await self._on_ended(frame)
            case _:
                self._covering.hear(frame)
                if isinstance(frame, InterruptionFrame):
                    await self._drafts.drop("interrupted")
                    await self._leave()
                await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """End the reply under way and everything beside it."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._drafts.drop("call over")
        await self._leave()
        await self._between_turns.close()
        await self._murmuring.close()

    # Beginning a reply.

    async def _draft(self, frame: DraftFrame) -> None:
        if self._reply:
            # What of it will have been heard is not known yet, so neither is the question.
            self._services.log.event("draft_refused", draft=frame.draft, reason="agent busy")
            return
        self._between_turns.make_way()
        await self._drafts.begin(frame.draft, self._conversation.messages_with(frame.text))

    async def _answer(self, turn: UserTurnFrame) -> None:
        await self._leave()
        self._between_turns.make_way()
        self._cut_off = None
        draft = await self._drafts.adopt(turn.draft)
        self._conversation.add_user(turn.text)
        self._turns += 1
        self._turn = self._new_turn(turn.timing) if turn.timing else None
        if draft:
            await self._take_up(draft, turn.text)
        else:
            reply = self._new_reply(self._span)
            self._covering.begin(reply, turn.text)
            await self._begin(reply, reply.answer(list(self._conversation.messages())))

    async def _grant_time(self, turn: UserTurnFrame) -> None:
        """The caller asked for time: remember that, assure them once, and keep still."""
        await self._speak_unasked()
        self._cut_off = None
        self._conversation.add_user(turn.text)
        if turn.wants == "time":
            await self._say("take_your_time")

    async def _take_up(self, draft: Draft, text: str) -> None:
        """The draft is the answer: what it has made leaves at once, and it goes on."""
        reply = draft.reply
        reply.span = self._span.begin("reply", utterance=reply.utterance, draft=draft.number)
        self._reply, self._work = reply, draft.work
        await self._announce(reply)
        self._covering.begin(reply, text)
        await reply.gate.open()

    async def _say(self, occasion: str, *, ends_call: bool = False) -> None:
        """Say a phrase of `agent.phrases`."""
        text = self._services.phrases.say(occasion)
        await self._recite(text, whole=True, ends_call=ends_call)

    async def _recite(self, text: str, *, whole: bool = False, ends_call: bool = False) -> None:
        await self._speak_unasked()
        reply = self._new_reply(self._span)
        reply.ends_call = ends_call
        await self._begin(reply, reply.recite(text, whole=whole))

    async def _murmur(self) -> None:
        """Beside any reply: a murmur is none."""
        if self._reply is None:
            self._utterances += 1
            await self._murmuring.say(self._utterances)

    async def _speak_unasked(self) -> None:
        """What comes now answers no turn."""
        await self._drafts.drop("agent spoke")
        await self._leave()
        self._turn = None

    async def _go_on(self, frame: TurnDroppedFrame) -> None:
        """After a false alarm, say the rest; after failed ears, ask to repeat."""
        await self._drafts.drop("turn dropped")
        await self._notes.turn_dropped()
        if frame.reason == "stt failed":
            await self._notes.notice("stt-down", "")
            await self._say("not_caught")
        elif frame.interrupted and self._cut_off:
            cut_off, self._cut_off = self._cut_off, None
            await self._say_the_rest(cut_off)

    async def _say_the_rest(self, cut_off: CutOff) -> None:
        policy = self._services.persona.turns.false_interruption
        rest, messages = cut_off.from_phrase(), self._conversation.messages()
        if cut_off.missing == "answer":
            # Nobody talked over an answer: the caller still waits for one.
            await self._answer_anew("answer", as_asked(messages))
        elif policy == "drop" or not (rest or cut_off.missing):
            return
        elif policy == "resume" and rest:
            self._services.log.event("resumed", action=policy)
            await self._recite(rest)
        else:
            again = go_on_in_other_words(messages, cut_off.unheard)
            await self._answer_anew("rephrase", again)

    async def _answer_anew(self, action: str, messages: list[Message]) -> None:
        """Ask the model for what a noise broke off."""
        self._services.log.event("resumed", action=action)
        await self._speak_unasked()
        reply = self._new_reply(self._span)
        await self._begin(reply, reply.answer(messages))

    def _new_turn(self, timing: TurnTiming) -> Turn:
        now_s = asyncio.get_running_loop().time()
        span = begin_turn(self._services.call, self._turns, timing, now_s)
        return Turn(self._turns, timing, span)

    @property
    def _span(self) -> Span:
        """What a reply that begins now lies in."""
        return self._turn.span if self._turn else self._services.call

    def _new_reply(self, within: Span, gate: Gate | None = None) -> Reply:
        """A reply; with a closed `gate` it is a draft, and works within `within` itself."""
        self._utterances += 1
        span = within if gate else within.begin("reply", utterance=self._utterances)
        return Reply(
            self._utterances,
            self._services,
            self.push_frame,
            self._notes,
            ReplyTimes(asked_s=asyncio.get_running_loop().time()),
            span,
            gate or Gate(),
        )

    async def _begin(self, reply: Reply, work: Any) -> None:
        self._reply = reply
        await self._announce(reply)
        self._work = self.create_task(self._carry_out(reply, work), f"reply-{reply.utterance}")

    async def _announce(self, reply: Reply) -> None:
        reply.times.awaited_s = asyncio.get_running_loop().time()
        self._services.log.event("reply_began", utterance=reply.utterance)
        await self.push_frame(AgentBusyFrame(busy=True), FrameDirection.UPSTREAM)

    async def _carry_out(self, reply: Reply, work: Awaitable[None]) -> None:
        try:
            await work
        except VoiceLost:
            self._services.log.event("voice_lost")
            await self._notes.notice("tts-down", "")
            await self.push_frame(SpeechEndFrame(utterance=reply.utterance))
        except Exception:
            logger.exception("a reply failed")
            self._services.metrics.error("call")
            end = SpeechEndFrame(utterance=reply.utterance)
            await reply.gate.do(lambda: self.push_frame(end))

    # Ending a reply.

    async def _leave(self) -> None:
        """Cut the current reply off, wherever it is, and remember what was heard of it."""
        reply, work = self._reply, self._work
        if reply is None:
            return
        if work:
            work.cancel()  # first: stopping playback wakes a producer that waits for room
        heard_s = self._services.playback.stop(reply.utterance)
        if work and not work.done():
            await self.cancel_task(work)
        self._cut_off = reply.cut_off(heard_s)
        await self._finish(reply, heard_s, interrupted=True)

    async def _on_ended(self, frame: PlaybackEndedFrame) -> None:
        reply = self._reply
        if reply is None or reply.utterance != frame.utterance or frame.stopped:
            return
        await self._finish(reply, math.inf, interrupted=False)
        if reply.is_last:
            await self._hang_up("agent ended the call")

    async def _finish(self, reply: Reply, heard_s: float, *, interrupted: bool) -> None:
        self._reply, self._work = None, None
        reply.span.set(interrupted=interrupted, audio_s=round(reply.audio_s, 3))
        reply.span.end()
        if self._turn:
            self._turn.span.end()
        heard = reply.heard.heard(heard_s)
        await self._showing.end()
        await self._covering.end(reply, answers=self._turn is not None)
        for exchange in reply.tools.exchanges:
            self._conversation.add_tool_exchange(exchange.call, exchange.result)
        self._conversation.add_agent(heard, interrupted=interrupted)
        self._services.log.event(
            "reply_ended",
            utterance=reply.utterance,
            interrupted=interrupted,
            audio_s=round(reply.audio_s, 3),
            heard_s=round(min(heard_s, reply.audio_s), 3),
            heard=heard,
        )
        if reply.times.first_sent_s is not None:
            await self.push_frame(BotStoppedSpeakingFrame())
        chars = reply.heard.heard_chars(heard_s)
        await self._notes.agent_ended(reply.utterance, chars, interrupted)
        await self.push_frame(AgentBusyFrame(busy=False), FrameDirection.UPSTREAM)
        self._between_turns.begin()

    # While it is heard.

    async def _on_started(self, utterance: int) -> None:
        reply = self._reply
        if reply is None or reply.utterance != utterance:
            return
        await self.push_frame(BotStartedSpeakingFrame())
        reply.times.first_sent_s = asyncio.get_running_loop().time()
        reply.span.event("first_sound")
        self._showing.begin(reply, self._turn)


def _typed_text(messages: list[Any]) -> str:
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return " ".join(content for content in contents if isinstance(content, str))
