"""A reply: one answer of the agent, from the model's first token to the last sample played.

In: a source of text (the language model, or a fixed phrase).  Out: speech frames for the
transport, and what of them was heard.  A reply is a scope: it owns the model's stream, the
synthesis and the runs of text in between (`agent.runs`), and cancelling it ends all three.  It
knows nothing of turns, pipelines or other replies.  Runs on the event loop's thread.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from pipecat.frames.frames import (
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from agent.events import EventLog
from agent.llm.types import ChatModel, Finished, LlmUnavailable, Message, TextDelta, ToolCall
from agent.metrics import Metrics
from agent.persona import Persona
from agent.phrases import Phrases
from agent.rtvi import ClientNotes
from agent.runs import ClauseRuns, PassageRuns, Run, Runs, sentence_end, word_chars
from agent.speakable import SpeakableStream
from agent.tools.registry import Toolbox
from agent.tracing import asking
from agent.turns.heard import HeardText
from transports.base import PlaybackClock
from transports.frames import SpeechAudioFrame, SpeechEndFrame
from tts.errors import Overloaded, TextStalled, TtsError, Unavailable
from tts.tracing import NO_SPAN, Span
from tts.types import SpeechChunk, SynthesisRequest

CHARS_AHEAD = 400
"""Letters the model may be ahead of the voice before its stream is left waiting.  A cloned voice
takes up to 200 characters for a clause, and begins it when the next one has begun."""
VOICE_BACK_WITHIN_S = 6.0
"""How long a reply waits for a speech service that died or refused it before it is given up."""
VOICE_POLL_S = 0.25
"""How often it looks, and asks again."""
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

    def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk, None]:
        """Speak the request's text and, as they come, `texts`; raises `TtsError`.

        Marks index all of it.  Closing the generator cancels the request and closes `texts`.
        """

    async def ready(self) -> bool:
        """Whether the service would speak now; never raises."""


@dataclass(slots=True)
class ReplyTimes:
    """Loop times of a reply's milestones; None until reached."""

    asked_s: float
    first_token_s: float | None = None
    first_text_s: float | None = None
    """When the voice had something to say: a piece, or a first word if it takes text as written."""
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
    call: Span = NO_SPAN
    """The call's span."""
    voice_takes_passages: bool = False
    """Whether the persona's voice speaks a passage while it is written, not pieces of it."""

    def new_runs(self) -> Runs:
        """How a reply's text is given to the persona's voice."""
        language = self.persona.language
        lead = "" if language in ("zh", "ja", "yue") else " "
        if self.voice_takes_passages:
            return PassageRuns(lead=lead)
        return ClauseRuns(language, lead=lead)


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
    span: Span = NO_SPAN
    heard: HeardText = field(default_factory=HeardText)
    exchanges: list[ToolExchange] = field(default_factory=list)
    ends_call: bool = False
    """Set when the call is to end once this reply has been played."""
    audio_s: float = 0.0
    """Seconds of audio emitted."""
    _runs: Runs = field(init=False)
    _waiting: deque[Run] = field(default_factory=deque)
    # Bounded by `_keep_near`: the model's stream waits while the voice is far behind.
    _queue: asyncio.Queue[Run | None] = field(default_factory=asyncio.Queue)
    _saying: Run | None = None
    _past_chars: int = 0
    """How much of `heard.text` the voice is done with."""
    _told_chars: int = 0
    """How much of it the client was told."""
    _nearer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._runs = self.services.new_runs()

    def unheard(self, heard_s: float) -> str:
        """What was ready to be said and not heard when `heard_s` of the audio had played."""
        begun = self.heard.text[self.heard.heard_chars(heard_s) :]
        return (begun + "".join(run.lead + run.text for run in self._waiting)).strip()

    async def answer(self, messages: list[Message]) -> None:
        """Ask the model and speak its answer.

        Trouble with the model is spoken of, not raised.  Raises `VoiceLost`.
        """
        await self._run(self._think(list(messages)))

    async def recite(self, text: str) -> None:
        """Speak a fixed text.  Raises `VoiceLost`."""
        await self._run(self._say(text))

    async def _run(self, source: Awaitable[None]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._source(source), name=f"think-{self.utterance}")
                tasks.create_task(self._speak(), name=f"speak-{self.utterance}")
        except* VoiceLost as group:
            raise VoiceLost("the speech service did not come back") from group.exceptions[0]

    async def _source(self, source: Awaitable[None]) -> None:
        await source
        await self._queue.put(None)

    async def _write(self, text: str) -> None:
        """Give the voice more of a passage; returns when it is not too far behind."""
        self._add(text)
        await self._keep_near()

    async def _say(self, rest: str) -> None:
        """Give the voice the rest of a passage, or all of one; returns like `_write`."""
        self._add(rest)
        self._end_passage()
        await self._keep_near()

    def _add(self, text: str) -> None:
        saying = self._saying
        before = saying.text if saying else ""
        self._begin(self._runs.write(text))
        if saying:
            self.heard.add_text(saying.text[len(before) :])

    def _end_passage(self) -> None:
        self._begin(self._runs.end_passage())

    def _begin(self, runs: list[Run]) -> None:
        if runs and self.times.first_text_s is None:
            self.times.first_text_s = asyncio.get_running_loop().time()
        for run in runs:
            self._waiting.append(run)
            self._queue.put_nowait(run)

    async def _keep_near(self) -> None:
        while self._chars_ahead > CHARS_AHEAD:
            self._nearer.clear()
            await self._nearer.wait()

    @property
    def _chars_ahead(self) -> int:
        # Not what nobody says: the voice would wait for words, and the words for the voice.
        ahead = word_chars(self.heard.text[self._past_chars :])
        return ahead + sum(word_chars(run.text) for run in self._waiting)

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
            self._end_passage()
            await self._say(self.services.phrases.say("llm_down"))
            return
        if not began and not self._waiting and not self.heard.text:
            self.services.log.event("llm_empty")
            await self._say(self.services.phrases.say("not_caught"))

    async def _stream_once(self, messages: list[Message]) -> tuple[str, list[ToolCall]]:
        speech = SpeakableStream(self.services.persona.language)
        text, calls = "", list[ToolCall]()
        await self.emit(LLMFullResponseStartFrame())
        events = self.services.chat.stream(messages, tools=self.services.tools.specs)
        with asking(self.span.begin("llm")):
            async with aclosing(events) as stream:
                async for event in stream:
                    match event:
                        case TextDelta() if speech.over:
                            break
                        case TextDelta(delta):
                            self._note_first_token()
                            text += delta
                            await self.emit(LLMTextFrame(delta))
                            await self._write(speech.feed(delta))
                        case ToolCall():
                            self._note_first_token()
                            calls.append(event)
                        case Finished(reason):
                            self.services.log.event("llm_finished", reason=reason, text=text)
        # What the voice held back is said now, before any tool runs.
        await self._say(speech.flush())
        await self.emit(LLMFullResponseEndFrame())
        return text, calls

    def _note_first_token(self) -> None:
        if self.times.first_token_s is None:
            self.times.first_token_s = asyncio.get_running_loop().time()
            self.span.event("first_token")

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
        with asking(self.span.begin("tool", tool=call.name)):
            running = asyncio.ensure_future(self.services.tools.call(call))
            try:
                done, _ = await asyncio.wait({running}, timeout=FILLER_AFTER_S)
                if not done:
                    occasion = self.services.tools.filler(call)
                    await self._say(self.services.phrases.say(occasion))
                outcome = await running
            finally:
                running.cancel()
        self.services.log.event("tool_done", tool=call.name, ok=outcome.ok)
        self.ends_call = self.ends_call or outcome.ends_call
        return outcome.content

    # The voice's side.

    async def _speak(self) -> None:
        while (run := await self._queue.get()) is not None:
            self._waiting.popleft()
            self._saying = run
            self.heard.add_piece(run.text, self.audio_s, lead=run.lead)
            await self._say_run(run)
            self._saying = None
            await self._pass(len(self.heard.text))
        await self.emit(SpeechEndFrame(utterance=self.utterance))

    async def _say_run(self, run: Run) -> None:
        """Speak a run; if the service breaks off, wait for it, and say the rest."""
        start, silent_since_s = 0, None
        while await run.goes_on(start):
            began_s = self.audio_s
            try:
                with asking(self.span.begin("tts", voice=self.services.persona.voice)):
                    async with aclosing(self._chunks(run, start)) as chunks:
                        async for chunk in chunks:
                            await self._emit_chunk(chunk)
                return
            except (Unavailable, Overloaded, TextStalled) as error:
                self._note_trouble("tts_lost", error)
                spoken = self.heard.break_off(self.audio_s)
                if silent_since_s is None or self.audio_s > began_s:
                    silent_since_s = asyncio.get_running_loop().time()
                await self._wait_for_voice(silent_since_s + VOICE_BACK_WITHIN_S)
            except TtsError as error:
                self._note_trouble("tts_failed", error)
                spoken = self.heard.break_off(self.audio_s)
                # It would fail there again: the sentence is lost, as far as it is written.
                spoken = (sentence_end(run.text, start + spoken) or len(run.text)) - start
            self.heard.go_on_at(spoken, self.audio_s)
            start += spoken

    def _note_trouble(self, event: str, error: TtsError) -> None:
        self.services.log.event(event, code=error.code, error=str(error))
        self.services.metrics.error("tts")

    def _chunks(self, run: Run, start: int) -> AsyncGenerator[SpeechChunk, None]:
        """The audio of a run's text from `start` on."""
        persona, text = self.services.persona, run.text[start:]
        request = SynthesisRequest(
            text, persona.voice, persona.language, persona.speed, persona.emotion
        )
        if run.complete:
            return self.services.tts.stream(request)
        return self.services.tts.stream_text(request, run.texts(start + len(text)))

    async def _emit_chunk(self, chunk: SpeechChunk) -> None:
        if self.times.first_chunk_s is None:
            self.times.first_chunk_s = asyncio.get_running_loop().time()
            self.span.event("first_chunk")
        self.heard.add_marks(chunk.marks)
        await self._pass(self.heard.heard_chars(math.inf))
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

    async def _pass(self, chars: int) -> None:
        """The voice is done with the first `chars`; the client is told up to the sentence's end."""
        self._past_chars = max(self._past_chars, chars)
        self._nearer.set()
        if self._past_chars > self._told_chars:
            text, told = self.heard.text, self._told_chars
            self._told_chars = sentence_end(text, self._past_chars - 1) or len(text)
            await self.notes.agent_text(self.utterance, text[told : self._told_chars])

    async def _wait_for_voice(self, until_s: float) -> None:
        """Return when the service may be asked again; raises `VoiceLost` at loop time `until_s`."""
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(VOICE_POLL_S)
            if await self.services.tts.ready():
                return
        raise VoiceLost("the speech service did not come back")
