"""What every reply of a call works with: its persona, the services, and where it reports to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from agent.budget import Budget
from agent.events import EventLog
from agent.llm.types import ChatModel
from agent.metrics import Metrics
from agent.persona import Persona
from agent.phrases import Phrases
from agent.runs import ClauseRuns, PassageRuns, Runs
from agent.tools.registry import Toolbox
from agent.turns.openers import WaitForecast
from transports.base import PlaybackClock
from tts.tracing import NO_SPAN, Span
from tts.types import SpeechChunk, SynthesisRequest


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
    budget: Budget
    """Of drafts; the worker's."""
    call: Span = NO_SPAN
    """The call's span."""
    voice_takes_passages: bool = False
    """Whether the persona's voice speaks a passage while it is written, not pieces of it."""
    forecast: WaitForecast = field(default_factory=WaitForecast)
    """How long answers and tools of this call take."""
    caller_quiet: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the caller says nothing."""

    def __post_init__(self) -> None:
        self.caller_quiet.set()

    @property
    def lead(self) -> str:
        """What the language puts between two runs."""
        return "" if self.persona.language in ("zh", "ja", "yue") else " "

    def new_runs(self) -> Runs:
        """How a reply's text is given to the persona's voice."""
        if self.voice_takes_passages:
            return PassageRuns(lead=self.lead)
        return ClauseRuns(self.persona.language, lead=self.lead)
