"""A reply: one answer of the agent, from the model's first token to the last sample played.

In: a source of text (the language model, or a fixed phrase).  Out: speech frames for the
transport, and what of them was heard.  A reply is a scope: `run` owns the model's stream, the
synthesis and the queue in between, and cancelling it ends all three.  It knows nothing of turns,
pipelines or other replies.  Runs on the event loop's thread.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from pipecat.frames.frames import (
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from agent.chunking import ClauseChunker, Piece
from agent.events import EventLog
from agent.llm.types import ChatModel, Finished, LlmUnavailable, Message, TextDelta, ToolCall
from agent.metrics import Metrics
from agent.persona import Persona
from agent.phrases import Phrases
from agent.rtvi import ClientNotes
from agent.speakable import SpeakableStream
from agent.tools.registry import Toolbox
from agent.turns.heard import HeardText
from transports.base import PlaybackClock
from transports.frames import SpeechAudioFrame, SpeechEndFrame
from tts.errors import TtsError, Unavailable
from tts.types import SpeechChunk, SynthesisRequest

PIECES_AHEAD = 8
"""Pieces the model may be ahead of the voice before its stream is left waiting."""
VOICE_BACK_WITHIN_S = 6.0
"""How long a reply waits for a speech service that died before it is given up."""
VOICE_POLL_S = 0.1
"""How often it looks."""
MAX_TOOL_ROUNDS = 4
"""Times in one reply that tool results may lead to more tool calls."""
FILLER_AFTER_S = 1.2
"""A tool that takes longer than this is covered by a short spoken filler."""


class VoiceLost(Exception):
    """The speech service did not come back in time; the reply cannot be spoken."""


class SpeechSource(Protocol):
    """The speech service: `tts.client.TtsClient`, or a scripted one in tests."""

    def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        """Speak; raises `TtsError`.  Closing the generator cancels the request."""

    async def ready(self) -> bool:
        """Whether the service would speak now; never raises."""


@dataclass(slots=True)
class ReplyTimes:
    """Loop times of a reply's milestones; None until reached."""

    asked_s: float
    first_token_s: float | None = None
    first_piece_s: float | None = None
    first_chunk_s: float | None = None
    first_sent_s: float | None = None


@dataclass(frozen=True, slots=True)
class ReplyServices:
    """What every reply of a call works with."""

    persona: Persona
    chat: ChatModel
    tts: SpeechSource
    tools: Toolbox
    phrases: Phrases
    playback: PlaybackClock
    log: EventLog
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class ToolExchange:
    """A tool call the model made during a reply, and what it got back."""

    call: ToolCall
    result: str


@dataclass(slots=True)
class Reply:
    """One utterance of the agent; `emit` pushes a frame towards the transport."""

    utterance: int
    services: ReplyServices
    emit: Callable[[Frame], Awaitable[None]]
    notes: ClientNotes
    times: ReplyTimes
    heard: HeardText = field(default_factory=HeardText)
    exchanges: list[ToolExchange] = field(default_factory=list)
    ends_call: bool = False
    """Set when the call is to end once this reply has been played."""
    audio_s: float = 0.0
    """Seconds of audio emitted."""
    _unsaid: list[str] = field(default_factory=list)
    # Back-pressures: the model's stream waits while the voice is this far behind.
    _pieces: asyncio.Queue[str | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=PIECES_AHEAD)
    )

    @property
    def lead(self) -> str:
        """The space this language puts between two pieces."""
        return "" if self.services.persona.language in ("zh", "ja", "yue") else " "

    @property
    def unsaid(self) -> list[str]:
        """Pieces that were ready but had not reached the voice."""
        return list(self._unsaid)

    async def answer(self, messages: list[Message]) -> None:
        """Ask the model and speak its answer.

        Trouble with the model is spoken of, not raised.  Raises `VoiceLost`.
        """
        await self._run(self._think(list(messages)))

    async def recite(self, pieces: list[str]) -> None:
        """Speak fixed pieces of text.  Raises `VoiceLost`."""
        await self._run(self._read_out(pieces))

    async def _run(self, source: Awaitable[None]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._source(source), name=f"think-{self.utterance}")
                tasks.create_task(self._speak(), name=f"speak-{self.utterance}")
        except* VoiceLost as group:
            raise VoiceLost("the speech service did not come back") from group.exceptions[0]

    async def _source(self, source: Awaitable[None]) -> None:
        await source
        await self._pieces.put(None)

    async def _read_out(self, pieces: list[str]) -> None:
        for piece in pieces:
            await self._queue(piece)

    async def _queue(self, piece: str) -> None:
        if self.times.first_piece_s is None:
            self.times.first_piece_s = asyncio.get_running_loop().time()
        self._unsaid.append(piece)
        await self._pieces.put(piece)

    # The model's side.

    async def _think(self, messages: list[Message]) -> None:
        began = False
        try:
            for _ in range(MAX_TOOL_ROUNDS):
                text, calls = await self._stream_once(messages)
                began = began or bool(text)
                if not calls:
                    break
                messages += await self._use_tools(text, calls)
        except LlmUnavailable as error:
            self.services.log.event("llm_failed", error=str(error), began=error.began)
            self.services.metrics.error("llm")
            await self.notes.notice("llm-down", "")
            await self._queue(self.services.phrases.say("llm_down"))
            return
        if not began and not self._unsaid and not self.heard.text:
            self.services.log.event("llm_empty")
            await self._queue(self.services.phrases.say("not_caught"))

    async def _stream_once(self, messages: list[Message]) -> tuple[str, list[ToolCall]]:
        speech = SpeakableStream(self.services.persona.language)
        chunker = ClauseChunker(self.services.persona.language)
        text, calls = "", list[ToolCall]()
        await self.emit(LLMFullResponseStartFrame())
        events = self.services.chat.stream(messages, tools=self.services.tools.specs)
        async with aclosing(events) as stream:
            async for event in stream:
                match event:
                    case TextDelta() if speech.over:
                        break
                    case TextDelta(delta):
                        self._note_first_token()
                        text += delta
                        await self.emit(LLMTextFrame(delta))
                        await self._queue_pieces(chunker.feed(speech.feed(delta)))
                    case ToolCall():
                        self._note_first_token()
                        calls.append(event)
                    case Finished(reason):
                        self.services.log.event("llm_finished", reason=reason, text=text)
        await self._queue_pieces([*chunker.feed(speech.flush()), *chunker.flush()])
        await self.emit(LLMFullResponseEndFrame())
        return text, calls

    def _note_first_token(self) -> None:
        if self.times.first_token_s is None:
            self.times.first_token_s = asyncio.get_running_loop().time()

    async def _queue_pieces(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            if piece.text:
                await self._queue(piece.text)

    async def _use_tools(self, text: str, calls: list[ToolCall]) -> list[Message]:
        """Run the tools; returns the messages that tell the model of them."""
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
            result = await self._use_tool(call)
            self.exchanges.append(ToolExchange(call, result))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        return messages

    async def _use_tool(self, call: ToolCall) -> str:
        self.services.log.event("tool_called", tool=call.name)
        running = asyncio.ensure_future(self.services.tools.call(call))
        try:
            done, _ = await asyncio.wait({running}, timeout=FILLER_AFTER_S)
            if not done:
                occasion = self.services.tools.filler(call)
                await self._queue(self.services.phrases.say(occasion))
            outcome = await running
        finally:
            running.cancel()
        self.services.log.event("tool_done", tool=call.name, ok=outcome.ok)
        self.ends_call = self.ends_call or outcome.ends_call
        return outcome.content

    # The voice's side.

    async def _speak(self) -> None:
        while (piece := await self._pieces.get()) is not None:
            self._unsaid.pop(0)
            await self._say(piece)
        await self.emit(SpeechEndFrame(utterance=self.utterance))

    async def _say(self, piece: str) -> None:
        """Speak one piece; if the service dies, wait for it, and repeat what was not begun."""
        lead = self.lead if self.heard.text else ""
        self.heard.add_piece(piece, self.audio_s, lead=lead)
        await self.notes.agent_text(self.utterance, lead + piece)
        while True:
            began_s = self.audio_s
            try:
                async with aclosing(self._chunks(piece)) as chunks:
                    async for chunk in chunks:
                        await self._emit_chunk(chunk)
                return
            except Unavailable as error:
                self.services.log.event("tts_lost", error=str(error))
                self.services.metrics.error("tts")
                self.heard.drop_marks_after(self.audio_s)
                await self._wait_for_voice()
                if self.audio_s > began_s:
                    return  # the rest of this piece is lost; the reply goes on
            except TtsError as error:
                self.services.log.event("tts_failed", code=error.code, error=str(error))
                self.services.metrics.error("tts")
                self.heard.drop_marks_after(self.audio_s)
                return

    def _chunks(self, piece: str) -> AsyncGenerator[SpeechChunk, None]:
        persona = self.services.persona
        return self.services.tts.stream(
            SynthesisRequest(piece, persona.voice, persona.language, persona.speed, persona.emotion)
        )

    async def _emit_chunk(self, chunk: SpeechChunk) -> None:
        if self.times.first_chunk_s is None:
            self.times.first_chunk_s = asyncio.get_running_loop().time()
        self.heard.add_marks(chunk.marks)
        if chunk.pcm:
            await self.services.playback.wait_for_room(self.utterance, self.audio_s)
            self.audio_s += len(chunk.pcm) / 2 / chunk.sample_rate_hz
            await self.emit(
                SpeechAudioFrame(
                    audio=chunk.pcm,
                    sample_rate=chunk.sample_rate_hz,
                    num_channels=1,
                    utterance=self.utterance,
                )
            )

    async def _wait_for_voice(self) -> None:
        for _ in range(round(VOICE_BACK_WITHIN_S / VOICE_POLL_S)):
            if await self.services.tts.ready():
                return
            await asyncio.sleep(VOICE_POLL_S)
        raise VoiceLost("the speech service did not come back")
