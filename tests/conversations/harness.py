"""A whole call in virtual time: real session, turns and replies; scripted caller and services.

call = Call(llm=FakeLlm([Say("Hello there.")]))
call.says("hi", at=2.0)
call.run(until=10)
assert call.sounded() == [...]
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agent.budget import Budget
from agent.config import SpeculationConfig, TurnsConfig
from agent.context import Conversation
from agent.metrics import Metrics
from agent.persona import Persona
from agent.session import Session, SharedServices
from agent.stt.types import SpeechToText
from agent.tools.registry import Toolbox, ToolContext
from agent.turns.processor import VoiceDetector
from agent.turns.recognition import TurnScorer
from tests import virtual_time
from tests.fakes.llm import FakeLlm
from tests.fakes.transport import FakeTransport, Line
from tests.fakes.tts import FakeTts
from tests.fakes.voice import FAR_VALUE, FakeScorer, FakeStt, FakeVoice, Vocabulary, noise, speech
from tts.tracing import OFF, Tracing

FULL_LEVEL_SAMPLES = 24
"""A fade passes through other words' values, but for a few samples only."""
PERSONA = Persona(id="test", name="Test", language="en", voice="fake", prompt="Be brief.")


class MemoryLog:
    """An event log that keeps what it is told, by virtual time."""

    def __init__(self) -> None:
        self.events: list[tuple[float, str, dict[str, Any]]] = []

    def event(self, name: str, **fields: Any) -> None:
        self.events.append((asyncio.get_running_loop().time(), name, fields))

    def named(self, name: str) -> list[tuple[float, dict[str, Any]]]:
        return [(at, fields) for at, event, fields in self.events if event == name]


@dataclass(frozen=True)
class Senses:
    """What a session hears with."""

    voice: VoiceDetector
    stt: SpeechToText
    scorer: TurnScorer


@dataclass
class Call:
    """One scripted call and everything that came of it."""

    llm: FakeLlm = field(default_factory=FakeLlm)
    tts: FakeTts = field(default_factory=FakeTts)
    persona: Persona = PERSONA
    turns: TurnsConfig = field(default_factory=lambda: TurnsConfig(idle_prompt_s=0))
    voice_takes_passages: bool = False
    stt_s: float = 0.1
    stt_fails: int = 0
    toolbox: Toolbox = field(default_factory=lambda: Toolbox([], ToolContext("call", "en")))
    playout_delay_ms: float = 0.0
    hangs_up_at: float | None = None
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    line: Line = field(default_factory=Line)
    log: MemoryLog = field(default_factory=MemoryLog)
    events_at: list[tuple[float, Any]] = field(default_factory=list)
    conversation: Conversation | None = None
    reason: str | None = None
    metrics: Metrics = field(default_factory=Metrics)
    tracing: Tracing = OFF
    senses: Senses | None = None
    """Instead of those that read `says` back."""
    budget: Budget = field(default_factory=lambda: Budget(SpeculationConfig()))

    def says(self, text: str, at: float, word_s: float = 0.25) -> float:
        """The caller says `text` from `at` on; returns when they stop."""
        pcm = speech(self.vocabulary, text, word_s)
        self.line.speech.append((at, pcm))
        return at + len(pcm) / 16_000

    def coughs(self, at: float, duration_s: float) -> None:
        """The caller makes a noise that sounds like voice and holds no words."""
        self.line.speech.append((at, noise(duration_s)))

    def overhears(self, at: float, duration_s: float) -> None:
        """Somebody far from the caller's microphone speaks: television, people in the room."""
        self.line.speech.append((at, noise(duration_s, FAR_VALUE)))

    def holds_talk_key(self, at: float, until: float) -> None:
        """The caller's client tells that the talk key is down in this time."""
        for when, pressed in ((at, True), (until, False)):
            data = {"t": "talk-key", "d": {"pressed": pressed}}
            self.line.sent.append((when, {"type": "client-message", "data": data}))

    def at(self, when: float, action: Any) -> None:
        """Call `action()` at virtual time `when`."""
        self.events_at.append((when, action))

    def run(self, until: float) -> "Call":
        virtual_time.run(self._run(until))
        return self

    async def _run(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        transport = FakeTransport(self.line)
        transport.playback.set_playout_delay_ms(self.playout_delay_ms)
        self.stt = FakeStt(self.vocabulary, self.stt_s, self.stt_fails)
        senses = self.senses or Senses(FakeVoice(), self.stt, FakeScorer(self.vocabulary))
        shared = SharedServices(
            stt=senses.stt,
            scorer=senses.scorer,
            chat=self.llm,
            tts=self.tts,
            metrics=self.metrics,
            tracing=self.tracing,
            budget=self.budget,
        )
        self.conversation = Conversation(self.persona.prompt)
        session = Session(
            transport=transport,
            persona=self.persona,
            shared=shared,
            turns=self.turns,
            voice=senses.voice,
            conversation=self.conversation,
            toolbox=self.toolbox,
            log=self.log,
            voice_takes_passages=self.voice_takes_passages,
        )
        for when, action in self.events_at:
            loop.call_at(when, action)
        if self.hangs_up_at is not None:
            loop.call_at(self.hangs_up_at, transport.hang_up)
        running = asyncio.create_task(session.run(), name="session")
        done, _ = await asyncio.wait({running}, timeout=until)
        if not done:
            await session.hang_up("test over")
        self.reason = await running

    # What came of it.

    def sounded(self) -> list[tuple[float, str]]:
        """(time of first sample, word) for every word that sounded at full level."""
        words: list[tuple[float, str]] = []
        last = None
        for at, frame in self.line.heard:
            values, firsts, counts = np.unique(frame, return_index=True, return_counts=True)
            for first, value, count in sorted(zip(firsts, values, counts, strict=True)):
                word = self.tts.word_of(int(value))
                if word is not None and value != last and count >= FULL_LEVEL_SAMPLES:
                    words.append((round(at + first / 48_000, 3), word))
                    last = value
        return words

    def words(self) -> str:
        """The words that sounded, joined."""
        return " ".join(word for _, word in self.sounded())

    def sound_between(self, from_s: float, to_s: float) -> int:
        """Samples of sound on the caller's line in this time."""
        return sum(int(np.count_nonzero(f)) for at, f in self.line.heard if from_s <= at < to_s)

    def context(self) -> list[tuple[str, str]]:
        """(role, content) of the conversation, without the system prompt."""
        assert self.conversation
        messages = self.conversation.messages()[1:]
        return [(m["role"], m["content"]) for m in messages if m.get("content")]

    def notes(self, kind: str) -> list[tuple[float, dict[str, Any]]]:
        """The page's messages of one type."""
        return [
            (at, message["data"])
            for at, message in self.line.messages
            if message.get("type") == "server-message" and message["data"]["type"] == kind
        ]
