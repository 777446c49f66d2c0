"""A reply: one answer of the agent, from the model's first token to the last sample played.

In: a source of text (the language model, or a fixed phrase).  Out: speech frames for the
transport, and what of them was heard.  A reply is a scope: it owns the model's stream, the
synthesis and the runs of text in between (`agent.runs`), and cancelling it ends all three.  What
it does in the world passes its gate: behind a closed one it is a draft, which thinks and speaks
to itself, runs no tool, and waits where it would have to mend or excuse something.  It knows
nothing of turns, pipelines or other replies.  Runs on the event loop's thread.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Literal

from pipecat.frames.frames import (
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)

from agent.gate import Gate
from agent.llm.types import Finished, LlmUnavailable, Message, TextDelta, ToolCall
from agent.reply_services import ReplyServices
from agent.resumption import CutOff
from agent.rtvi import ClientNotes
from agent.runs import Run, Runs, UnrepeatedRuns, sentence_end, word_chars
from agent.speakable import SpeakableStream
from agent.tool_use import ToolUse
from agent.tracing import asking
from agent.turns.heard import HeardText
from agent.unrepeated import Unrepeated
from transports.frames import SpeechAudioFrame, SpeechEndFrame
from tts.errors import Overloaded, TextStalled, TtsError, Unavailable
from tts.tracing import NO_SPAN, Span
from tts.types import SpeechChunk

CHARS_AHEAD = 400
"""Letters the model may be ahead of the voice before its stream is left waiting.  A cloned voice
takes up to 200 characters for a clause, and begins it when the next one has begun."""
VOICE_BACK_WITHIN_S = 6.0
"""How long a reply waits for a speech service that died or refused it before it is given up."""
VOICE_POLL_S = 0.25
"""How often it looks, and asks again."""
FRAME_S = 0.02
"""What the line takes at once."""
MAX_TOOL_ROUNDS = 4
"""Times in one reply that tool results may lead to more tool calls."""


class VoiceLost(Exception):
    """The speech service did not come back in time; the reply cannot be spoken."""


@dataclass(slots=True)
class ReplyTimes:
    """Loop times of a reply's milestones; None until reached."""

    asked_s: float
    awaited_s: float | None = None
    """Since when the caller waits for it."""
    first_token_s: float | None = None
    first_text_s: float | None = None
    """When the voice had something to say: a piece, or a first word if it takes text as written."""
    first_chunk_s: float | None = None
    first_sent_s: float | None = None
    written_s: float | None = None
    """When the last of its text was there."""
    answer_text_s: float | None = None
    """As `first_text_s`, of the model's own words: an opener may have come before them."""
    answer_chunk_s: float | None = None
    """As `first_chunk_s`, of the model's own words."""

    @property
    def missing(self) -> Literal["", "rest", "answer"]:
        """What the model has not written yet: nothing, the rest, or all of its answer."""
        if self.written_s is not None:
            return ""
        return "answer" if self.answer_text_s is None else "rest"

    @property
    def phrase_first(self) -> bool:
        """Whether what sounds first is an opener or another phrase, not the model's answer."""
        first_s, answer_s = self.first_text_s, self.answer_text_s
        return first_s is not None and (answer_s is None or first_s < answer_s)


@dataclass(slots=True)
class Reply:
    """One utterance of the agent; `push` pushes a frame towards the transport."""

    utterance: int
    services: ReplyServices
    push: Callable[[Frame], Awaitable[None]]
    notes: ClientNotes
    times: ReplyTimes
    span: Span = NO_SPAN
    gate: Gate = field(default_factory=Gate)
    heard: HeardText = field(default_factory=HeardText)
    tools: ToolUse = field(init=False)
    ends_call: bool = False
    """The call is to end once this reply has been played: see `is_last`."""
    tokens: int = 0
    """Pieces of text that the model sent."""
    audio_s: float = 0.0
    """Seconds of audio made."""
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
        self.tools = ToolUse(self.services, self._say_whole, self._silent_since_s)

    @property
    def is_last(self) -> bool:
        """Whether the call is to end once this reply has been played."""
        return self.ends_call or self.tools.ends_call

    def cut_off(self, heard_s: float) -> CutOff:
        """What was ready to be said when `heard_s` of the audio had played."""
        waiting = "".join(run.lead + run.text for run in self._waiting)
        text, heard_chars = self.heard.text + waiting, self.heard.heard_chars(heard_s)
        return CutOff(text, heard_chars, self.times.missing)

    async def answer(self, messages: list[Message]) -> None:
        """Ask the model and speak its answer.

        Trouble with the model is spoken of, not raised.  Raises `VoiceLost`.
        """
        await self._run(self._think(list(messages)))

    async def recite(self, text: str, *, whole: bool = False) -> None:
        """Speak a fixed text.  `whole`: in one run, as phrases are made.  Raises `VoiceLost`."""
        await self._run(self._say_whole(text) if whole else self._say(text))

    def open_with(self, opener: str, *, apologises: bool) -> None:
        """Begin with these words; the model's first words will not say them again.

        To be called before the reply `has_words`.
        """
        self._begin([self._canned(opener)])
        answer = Unrepeated(opener, self.services.persona.language, apologises=apologises)
        self._runs = UnrepeatedRuns(self._runs, answer)
        self.tools.announced = not apologises

    @property
    def has_words(self) -> bool:
        """Whether the model, or who speaks for it, has begun to answer."""
        return self.times.first_token_s is not None or self.times.first_text_s is not None

    async def _run(self, source: Awaitable[None]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._source(source), name=f"think-{self.utterance}")
                tasks.create_task(self._speak(), name=f"speak-{self.utterance}")
        except* VoiceLost as group:
            raise VoiceLost("the speech service did not come back") from group.exceptions[0]

    async def _source(self, source: Awaitable[None]) -> None:
        await source
        self.times.written_s = asyncio.get_running_loop().time()
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

    async def _say_whole(self, phrase: str) -> None:
        """Give the voice a phrase of `agent.phrases` in one run; returns like `_write`."""
        self._end_passage()
        self._begin([self._canned(phrase)])
        await self._keep_near()

    def _canned(self, phrase: str) -> Run:
        return Run(phrase, lead=self.services.lead, complete=True, canned=True)

    def _silent_since_s(self) -> float | None:
        """From when on the caller has heard nothing of this; None while there is something to hear.

        The end of what sounded is known to who keeps asking.
        """
        now_s = asyncio.get_running_loop().time()
        sent_s = self.services.playback.sent_s(self.utterance)
        if self._saying or self._waiting or sent_s + FRAME_S < self.audio_s:
            return None
        return now_s if self.audio_s else self.times.awaited_s or self.times.asked_s

    def _add(self, text: str) -> None:
        saying = self._saying
        before = saying.text if saying else ""
        self._begin(self._runs.write(text))
        if saying:
            self.heard.add_text(saying.text[len(before) :])

    def _end_passage(self) -> None:
        self._begin(self._runs.end_passage())

    def _begin(self, runs: list[Run]) -> None:
        now_s = asyncio.get_running_loop().time()
        if runs and self.times.first_text_s is None:
            self.times.first_text_s = now_s
        for run in runs:
            if not run.canned and self.times.answer_text_s is None:
                self.times.answer_text_s = now_s
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

    async def _emit(self, frame: Frame) -> None:
        await self.gate.do(lambda: self.push(frame))

    # The model's side.

    async def _think(self, messages: list[Message]) -> None:
        began = False
        try:
            for _ in range(MAX_TOOL_ROUNDS):
                text, calls = await self._stream_once(messages)
                began = began or bool(text)
                if not calls:
                    break
                await self.gate.passed()  # what a tool does cannot be taken back
                messages += await self.tools.run(text, calls, self.span)
                if self.tools.timed_out:
                    await self._say_whole(self.services.phrases.say("tool_timeout"))
                    return
        except LlmUnavailable as error:
            self.services.log.event("llm_failed", error=str(error), began=error.began)
            self.services.metrics.error("llm")
            await self.gate.passed()  # maybe nobody will need to know
            await self.notes.notice("llm-down", "")
            await self._say_whole(self.services.phrases.say("llm_down"))
            return
        if not began and not self._waiting and not self.heard.text:
            self.services.log.event("llm_empty")
            await self._say_whole(self.services.phrases.say("not_caught"))

    async def _stream_once(self, messages: list[Message]) -> tuple[str, list[ToolCall]]:
        speech = SpeakableStream(self.services.persona.language)
        text, calls = "", list[ToolCall]()
        await self._emit(LLMFullResponseStartFrame())
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
                            self.tokens += 1
                            await self._emit(LLMTextFrame(delta))
                            await self._write(speech.feed(delta))
                        case ToolCall():
                            self._note_first_token()
                            calls.append(event)
                        case Finished(reason):
                            self.services.log.event(
                                "llm_finished",
                                utterance=self.utterance,
                                reason=reason,
                                text=text,
                            )
        # What the voice held back is said now, before any tool runs.
        await self._say(speech.flush())
        await self._emit(LLMFullResponseEndFrame())
        return text, calls

    def _note_first_token(self) -> None:
        if self.times.first_token_s is None:
            self.times.first_token_s = asyncio.get_running_loop().time()
            self.span.event("first_token")

    # The voice's side.

    async def _speak(self) -> None:
        while (run := await self._queue.get()) is not None:
            self._waiting.popleft()
            self._saying = run
            self.heard.add_piece(run.text, self.audio_s, lead=run.lead)
            await self._say_run(run)
            self._saying = None
            await self._pass(len(self.heard.text))
        await self._emit(SpeechEndFrame(utterance=self.utterance))

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
                if self.gate.is_open:
                    await self._wait_for_voice(silent_since_s + VOICE_BACK_WITHIN_S)
                else:
                    await self.gate.passed()
                    silent_since_s = None
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
        if isinstance(error, Overloaded):
            self.services.budget.overloaded(asyncio.get_running_loop().time())

    def _chunks(self, run: Run, start: int) -> AsyncGenerator[SpeechChunk, None]:
        """The audio of a run's text from `start` on."""
        text = run.text[start:]
        request = self.services.persona.request(text)
        if run.complete:
            return self.services.tts.stream(request)
        return self.services.tts.stream_text(request, run.texts(start + len(text)))

    async def _emit_chunk(self, chunk: SpeechChunk) -> None:
        if self.times.first_chunk_s is None:
            self.times.first_chunk_s = asyncio.get_running_loop().time()
            self.span.event("first_chunk")
        if self.times.answer_chunk_s is None and self._saying and not self._saying.canned:
            self.times.answer_chunk_s = asyncio.get_running_loop().time()
        self.heard.add_marks(chunk.marks)
        await self._pass(self.heard.heard_chars(math.inf))
        if chunk.pcm:
            await self.services.playback.wait_for_room(self.utterance, self.audio_s)
            # Marks count from the request's first sample, the playback from the reply's.
            from_s = self.audio_s - chunk.first_sample / chunk.sample_rate_hz
            self.audio_s += len(chunk.pcm) / 2 / chunk.sample_rate_hz
            await self._emit(
                SpeechAudioFrame(
                    audio=chunk.pcm,
                    sample_rate=chunk.sample_rate_hz,
                    num_channels=1,
                    utterance=self.utterance,
                    phone_ends_s=tuple(
                        from_s + mark.end_s for mark in chunk.marks if mark.kind == "phone"
                    ),
                )
            )

    async def _pass(self, chars: int) -> None:
        """The voice is done with the first `chars`; the client is told up to the sentence's end."""
        self._past_chars = max(self._past_chars, chars)
        self._nearer.set()
        if self._past_chars > self._told_chars:
            text, told = self.heard.text, self._told_chars
            self._told_chars = sentence_end(text, self._past_chars - 1) or len(text)
            ready = text[told : self._told_chars]
            await self.gate.do(lambda: self.notes.agent_text(self.utterance, ready))

    async def _wait_for_voice(self, until_s: float) -> None:
        """Return when the service may be asked again; raises `VoiceLost` at loop time `until_s`."""
        while asyncio.get_running_loop().time() < until_s:
            await asyncio.sleep(VOICE_POLL_S)
            if await self.services.tts.ready():
                return
        raise VoiceLost("the speech service did not come back")
