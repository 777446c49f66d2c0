"""The replier: the caller's turns in, the agent's speech out, and the memory of both.

It owns the conversation and at most one `Reply` at a time.  A new turn, a nudge or an
interruption leaves the current reply; what of it was heard goes into the conversation, by the
clock of samples played, and nothing else does.  Down: speech frames.  Up: `AgentBusyFrame`.
Runs on the event loop's thread only.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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

from agent.context import Conversation
from agent.frames import (
    AgentBusyFrame,
    GreetFrame,
    NudgeFrame,
    TurnDroppedFrame,
    TurnTiming,
    UserTurnFrame,
)
from agent.reply import Reply, ReplyServices, ReplyTimes, VoiceLost
from agent.rtvi import ClientNotes
from agent.tracing import begin_turn
from transports.frames import PlaybackEndedFrame, PlaybackStartedFrame, SpeechEndFrame
from tts.tracing import Span

PROGRESS_EVERY_S = 0.05
"""Longest wait between two looks at the playback clock while words are shown as spoken."""


@dataclass(slots=True)
class _Turn:
    """The caller's turn that the current reply answers."""

    number: int
    timing: TurnTiming
    span: Span


class Replier(FrameProcessor):
    """Answers one caller."""

    def __init__(
        self,
        *,
        services: ReplyServices,
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
        self._turn: _Turn | None = None
        self._reply: Reply | None = None
        self._work: asyncio.Task[None] | None = None
        self._progress: asyncio.Task[None] | None = None
        self._summary: asyncio.Task[None] | None = None
        self._priming: asyncio.Task[None] | None = None
        self._cut_off = ""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """React to turns, interruptions and playback; pass everything else on."""
        await super().process_frame(frame, direction)
        match frame:
            case UserTurnFrame():
                await self._answer(frame.text, frame.timing)
            case LLMMessagesAppendFrame(run_llm=True):
                await self.queue_frame(UserTurnFrame(text=_typed_text(frame.messages)))
            case GreetFrame():
                self._prime()
                if self._services.persona.greeting and not self._reply:
                    await self._recite(self._services.persona.greeting)
            case TurnDroppedFrame():
                await self._go_on(frame)
            case NudgeFrame(nudge="prompt"):
                await self._recite(self._services.phrases.say("still_there"))
            case NudgeFrame(nudge="goodbye"):
                await self._recite(self._services.phrases.say("goodbye"), ends_call=True)
            case PlaybackStartedFrame():
                await self._on_started(frame.utterance)
            case PlaybackEndedFrame():
                await self._on_ended(frame)
            case _:
                if isinstance(frame, InterruptionFrame):
                    await self._leave()
                await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """End the reply under way and everything beside it."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._leave()
        for task in (self._summary, self._priming):
            if task and not task.done():
                await self.cancel_task(task)

    # Beginning a reply.

    async def _answer(self, text: str, timing: TurnTiming | None) -> None:
        await self._leave()
        if self._priming:
            self._priming.cancel()  # too late to be of use, and it would be in the way
        self._cut_off = ""
        self._conversation.add_user(text)
        self._turns += 1
        self._turn = self._new_turn(timing) if timing else None
        reply = self._new_reply()
        await self._begin(reply, reply.answer(list(self._conversation.messages())))

    async def _recite(self, text: str, *, ends_call: bool = False) -> None:
        await self._leave()
        self._turn = None
        reply = self._new_reply()
        reply.ends_call = ends_call
        await self._begin(reply, reply.recite(text))

    async def _go_on(self, frame: TurnDroppedFrame) -> None:
        """After a false alarm, say the rest; after failed ears, ask to repeat."""
        await self._notes.turn_dropped()
        if frame.reason == "stt failed":
            await self._notes.notice("stt-down", "")
            await self._recite(self._services.phrases.say("not_caught"))
        elif frame.interrupted and self._cut_off:
            text, self._cut_off = self._cut_off, ""
            self._services.log.event("resumed")
            await self._recite(text)

    def _new_turn(self, timing: TurnTiming) -> _Turn:
        now_s = asyncio.get_running_loop().time()
        span = begin_turn(self._services.call, self._turns, timing, now_s)
        return _Turn(self._turns, timing, span)

    def _new_reply(self) -> Reply:
        self._utterances += 1
        within = self._turn.span if self._turn else self._services.call
        return Reply(
            self._utterances,
            self._services,
            self.push_frame,
            self._notes,
            ReplyTimes(asked_s=asyncio.get_running_loop().time()),
            within.begin("reply", utterance=self._utterances),
        )

    async def _begin(self, reply: Reply, work: Any) -> None:
        self._reply = reply
        self._services.log.event("reply_began", utterance=reply.utterance)
        await self.push_frame(AgentBusyFrame(busy=True), FrameDirection.UPSTREAM)
        self._work = self.create_task(self._carry_out(reply, work), f"reply-{reply.utterance}")

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
            await self.push_frame(SpeechEndFrame(utterance=reply.utterance))

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
        self._cut_off = reply.unheard(heard_s)
        await self._finish(reply, heard_s, interrupted=True)

    async def _on_ended(self, frame: PlaybackEndedFrame) -> None:
        reply = self._reply
        if reply is None or reply.utterance != frame.utterance or frame.stopped:
            return
        await self._finish(reply, math.inf, interrupted=False)
        if reply.ends_call:
            await self._hang_up("agent ended the call")

    async def _finish(self, reply: Reply, heard_s: float, *, interrupted: bool) -> None:
        self._reply, self._work = None, None
        reply.span.set(interrupted=interrupted, audio_s=round(reply.audio_s, 3))
        reply.span.end()
        if self._turn:
            self._turn.span.end()
        heard = reply.heard.heard(heard_s)
        if self._progress and not self._progress.done():
            await self.cancel_task(self._progress)
        self._progress = None
        for exchange in reply.exchanges:
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
        if self._conversation.needs_summary() and not self._summary_running():
            self._summary = self.create_task(
                self._conversation.summarise(self._services.chat), "summary"
            )
        self._prime()

    def _prime(self) -> None:
        """Have the model read, while nobody waits for it, what the next answer begins with."""
        if self._priming:
            self._priming.cancel()
        messages = list(self._conversation.messages())
        self._priming = self.create_task(self._services.chat.prime(messages), "prime")

    def _summary_running(self) -> bool:
        return self._summary is not None and not self._summary.done()

    # While it is heard.

    async def _on_started(self, utterance: int) -> None:
        reply = self._reply
        if reply is None or reply.utterance != utterance:
            return
        await self.push_frame(BotStartedSpeakingFrame())
        reply.times.first_sent_s = asyncio.get_running_loop().time()
        reply.span.event("first_sound")
        self._progress = self.create_task(self._show_progress(reply), f"progress-{utterance}")

    async def _show_progress(self, reply: Reply) -> None:
        if self._turn:
            await self._report_latency(self._turn, reply.times)
        shown = 0
        while True:
            at_s = self._services.playback.heard_s(reply.utterance)
            chars = reply.heard.heard_chars(at_s)
            if chars > shown:
                await self._notes.agent_progress(
                    reply.utterance, chars, reply.heard.text[shown:chars]
                )
                shown = chars
            next_s = reply.heard.next_word_s(at_s)
            wait_s = PROGRESS_EVERY_S if next_s is None else next_s - at_s
            await asyncio.sleep(min(max(wait_s, 0.01), PROGRESS_EVERY_S))

    async def _report_latency(self, turn: _Turn, times: ReplyTimes) -> None:
        timing = turn.timing
        text_s = times.first_text_s or times.asked_s
        chunk_s = times.first_chunk_s or text_s
        sent_s = times.first_sent_s or chunk_s
        first_token_s = (times.first_token_s or text_s) - times.asked_s
        total_s = sent_s - timing.speech_end_s
        stages = {
            "endpoint": timing.decided_s - timing.speech_end_s - timing.waited_for_stt_s,
            "stt": timing.waited_for_stt_s,
            "llm": text_s - timing.decided_s,
            "tts": chunk_s - text_s,
            "send": sent_s - chunk_s,
        }
        metrics = self._services.metrics
        metrics.turn()
        metrics.stage("turn_end", timing.decided_s - timing.speech_end_s)
        metrics.stage("llm_first_token", first_token_s)
        metrics.stage("tts_first_chunk", chunk_s - text_s)
        metrics.stage("voice_to_voice", total_s)
        self._services.log.event(
            "turn_latency",
            turn=turn.number,
            total_ms=round(total_s * 1000),
            first_token_ms=round(first_token_s * 1000),
            **{f"{stage}_ms": round(seconds * 1000) for stage, seconds in stages.items()},
        )
        await self._notes.turn_latency(turn.number, stages, total_s)


def _typed_text(messages: list[Any]) -> str:
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    return " ".join(content for content in contents if isinstance(content, str))
