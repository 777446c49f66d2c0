"""What the page is shown of a reply while it is heard: its words, and how long it took to come.

In: a reply whose first sample has left, and the turn that it answers.  Out: notes to the client,
the log's and the metrics' stages.  Runs on the event loop's thread.
"""

import asyncio
from dataclasses import dataclass

from pipecat.processors.frame_processor import FrameProcessor

from agent.frames import TurnTiming
from agent.reply import Reply, ReplyTimes
from agent.reply_services import ReplyServices
from agent.rtvi import ClientNotes
from tts.tracing import Span

PROGRESS_EVERY_S = 0.05
"""Longest wait between two looks at the playback clock while words are shown as spoken."""


@dataclass(slots=True)
class Turn:
    """The caller's turn that a reply answers."""

    number: int
    timing: TurnTiming
    span: Span


class Showing:
    """Shows one reply at a time; `owner` owns the task."""

    def __init__(self, services: ReplyServices, notes: ClientNotes, owner: FrameProcessor) -> None:
        self._services = services
        self._notes = notes
        self._owner = owner
        self._work: asyncio.Task[None] | None = None

    def begin(self, reply: Reply, turn: Turn | None) -> None:
        """The reply begins to sound."""
        work = self._show(reply, turn)
        self._work = self._owner.create_task(work, f"progress-{reply.utterance}")

    async def end(self) -> None:
        """It is over.  Idempotent."""
        if self._work and not self._work.done():
            await self._owner.cancel_task(self._work)
        self._work = None

    async def _show(self, reply: Reply, turn: Turn | None) -> None:
        if turn:
            await self._report_latency(turn, reply.times)
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

    async def _report_latency(self, turn: Turn, times: ReplyTimes) -> None:
        timing = turn.timing
        text_s = times.first_text_s or times.asked_s
        chunk_s = times.first_chunk_s or text_s
        first_token_s = (times.first_token_s or text_s) - times.asked_s
        metrics = self._services.metrics
        metrics.turn()
        metrics.stage("turn_end", timing.decided_s - timing.speech_end_s)
        metrics.stage("llm_first_token", first_token_s)
        metrics.stage("tts_first_chunk", chunk_s - text_s)
        sent_s = times.first_sent_s or max(chunk_s, timing.decided_s)
        total_s = sent_s - timing.speech_end_s
        metrics.stage("voice_to_voice", total_s)
        stages = latency_stages(timing, times)
        draft_s = max(0.0, timing.decided_s - times.asked_s)
        self._services.log.event(
            "turn_latency",
            turn=turn.number,
            total_ms=round(total_s * 1000),
            draft_ms=round(draft_s * 1000),
            first_token_ms=round(first_token_s * 1000),
            phrase_first=times.phrase_first,
            **{f"{stage}_ms": round(seconds * 1000) for stage, seconds in stages.items()},
        )
        await self._notes.turn_latency(turn.number, stages, total_s, draft_s)


def latency_stages(timing: TurnTiming, times: ReplyTimes) -> dict[str, float]:
    """Where the time from the caller's last voice to the first sample sent went, in seconds.

    The stages follow one another and add up.  Of a draft's work only what remained after the
    decision counts: what was done in the silence before cost nobody any time.
    """
    decided_s = timing.decided_s
    text_s = max(times.first_text_s or times.asked_s, decided_s)
    chunk_s = max(times.first_chunk_s or text_s, text_s)
    sent_s = max(times.first_sent_s or chunk_s, chunk_s)
    return {
        "endpoint": decided_s - timing.speech_end_s - timing.waited_for_stt_s,
        "stt": timing.waited_for_stt_s,
        "llm": text_s - decided_s,
        "tts": chunk_s - text_s,
        "send": sent_s - chunk_s,
    }
