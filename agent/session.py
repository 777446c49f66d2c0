"""A call: from the line coming up to the line going down.

In: a transport, a persona, and the services all calls of the process share.  It builds the
call's own ears, replier and conversation, greets, and decides when the call ends and why.  It
knows nothing of HTTP or of other calls.  Runs on the event loop's thread.
"""

import asyncio
from dataclasses import dataclass, field

from pipecat.frames.frames import Frame

from agent.budget import Budget
from agent.config import SpeculationConfig, TurnsConfig
from agent.context import Conversation
from agent.events import EventLog
from agent.frames import GreetFrame
from agent.llm.types import ChatModel
from agent.metrics import Metrics
from agent.persona import Persona
from agent.phrases import Phrases
from agent.pipeline import CallPipeline
from agent.recording import StereoRecording
from agent.replier import Replier
from agent.reply_services import ReplyServices, SpeechSource
from agent.rtvi import ClientNotes
from agent.stt.types import SpeechToText
from agent.tools.registry import Toolbox
from agent.turns.endpointing import TurnTaker
from agent.turns.processor import Ears, VoiceDetector
from agent.turns.recognition import TurnScorer
from agent.turns.record import Recorder
from transports.base import CallTransport
from tts.tracing import OFF, Tracing

GREET_AFTER_S = 1.0
"""A client that does not announce itself is greeted this long after the call began."""


@dataclass(frozen=True, slots=True)
class SharedServices:
    """What all calls of a process share."""

    stt: SpeechToText
    scorer: TurnScorer
    chat: ChatModel
    tts: SpeechSource
    metrics: Metrics
    tracing: Tracing = OFF
    budget: Budget = field(default_factory=lambda: Budget(SpeculationConfig()))
    """Of answers begun early."""


class Session:
    """One call."""

    def __init__(
        self,
        *,
        transport: CallTransport,
        persona: Persona,
        shared: SharedServices,
        turns: TurnsConfig,
        voice: VoiceDetector,
        conversation: Conversation,
        toolbox: Toolbox,
        log: EventLog,
        voice_takes_passages: bool,
        recording: StereoRecording | None = None,
    ) -> None:
        """`voice_takes_passages`: see `ReplyServices`."""
        self._transport = transport
        self._budget = shared.budget
        self._log = log
        self._hung_up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client_ready = asyncio.Event()
        self._span = shared.tracing.begin("call", persona=persona.id, language=persona.language)
        self._notes = ClientNotes(self._send)
        record = Recorder(log)
        record.begin(turns, persona.turns, persona.language)
        ears = Ears(
            config=turns,
            taker=TurnTaker(turns, persona.turns, persona.language),
            voice=voice,
            playback=transport.playback,
            stt=shared.stt,
            scorer=shared.scorer,
            language=persona.language,
            log=log,
            record=record,
            show=self._notes.turn_timeline,
            metrics=shared.metrics,
            on_audio=recording.write_caller if recording else None,
            may_speculate=self._may_speculate,
            said=lambda: self._replier.said,
        )
        if recording:
            transport.playback.tap = lambda pcm: recording.write_agent(
                pcm.tobytes(), ears.received_samples
            )
        self._replier = Replier(
            services=ReplyServices(
                persona=persona,
                chat=shared.chat,
                tts=shared.tts,
                tools=toolbox,
                phrases=Phrases(persona.language, persona.phrases),
                playback=transport.playback,
                log=log,
                metrics=shared.metrics,
                budget=shared.budget,
                call=self._span,
                voice_takes_passages=voice_takes_passages,
            ),
            openers=turns.openers,
            conversation=conversation,
            notes=self._notes,
            hang_up=self.hang_up,
        )
        self._pipeline = CallPipeline(
            [transport.input, ears, self._replier, transport.output], self._on_client_ready
        )

    async def run(self) -> str:
        """Hold the call; returns why it ended.  Cancelling takes the line down."""
        reason = "failed"
        self._budget.call_began()
        pipeline = asyncio.create_task(self._pipeline.run(), name="pipeline")
        greeting = asyncio.create_task(self._greet(), name="greet")
        try:
            reason = await self._until_over(pipeline)
            await self._notes.call_ended(reason)
        finally:
            greeting.cancel()
            await self._pipeline.cancel()
            await self._transport.close(reason)
            await asyncio.gather(pipeline, greeting, return_exceptions=True)
            self._budget.call_ended()
            self._span.set(reason=reason)
            self._span.end()
        return reason

    async def hang_up(self, reason: str) -> None:
        """End the call from this side; the first reason counts."""
        if not self._hung_up.done():
            self._hung_up.set_result(reason)

    async def _until_over(self, pipeline: asyncio.Task[None]) -> str:
        line = asyncio.create_task(self._transport.wait_closed(), name="line")
        ends: list[asyncio.Future[str] | asyncio.Task[None]] = [line, self._hung_up, pipeline]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if line.done():
                return line.result()
            if self._hung_up.done():
                return self._hung_up.result()
            pipeline.result()
            return "pipeline ended"
        finally:
            line.cancel()

    async def _greet(self) -> None:
        try:
            await asyncio.wait_for(self._client_ready.wait(), GREET_AFTER_S)
        except TimeoutError:
            self._log.event("client_silent")
        await self._pipeline.queue(GreetFrame())

    async def _on_client_ready(self) -> None:
        self._client_ready.set()

    def _may_speculate(self) -> bool:
        return not self._budget.refusal(asyncio.get_running_loop().time())

    async def _send(self, frame: Frame) -> None:
        await self._replier.push_frame(frame)
