"""The simulated world: the same calls as a real session's, the same ones each time, and fair."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import session
from agent.config import TurnsConfig, VadConfig
from agent.persona import TurnTemperament
from agent.stt.types import SAMPLE_RATE_HZ, Transcript
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    SILENT_DBFS,
    Action,
    Event,
    Rescore,
    SpeechStarted,
    SpeechStopped,
    TranscribePartial,
    Weighed,
)
from agent.turns.record import rounded
from agent.turns.vad import VoiceGate
from bench.turns_world.acoustics import FRAME_S, Acoustics, Microphone
from bench.turns_world.agent_model import speech
from bench.turns_world.baselines import PipecatTaker, SmartTurnTaker, VadTaker, acoustics_seed
from bench.turns_world.callers import scripts
from bench.turns_world.ears_model import EarsModel, Source, heartbeat
from bench.turns_world.latencies import PROFILES, Latencies, Spread
from bench.turns_world.scripts import Cue, Script, Sound
from bench.turns_world.world import SimulatedCall, play
from tests.conversations.harness import PERSONA, Call, Senses
from tests.fakes.llm import FakeLlm, Say
from tts.types import Mark, SpeechChunk, SynthesisRequest

SEED = 7
REPLIES = {
    "en": "We can bring the new one to your house on Monday morning before ten o'clock",
    "zh": "我们星期一上午十点之前可以把新的送到您家里来",
}
RATE_HZ = 48_000
EXACT = Latencies(
    "exact",
    stt=Spread(103, 0),
    partial=Spread(103, 0),
    score=Spread(41, 0),
    llm=Spread(207, 0),
    tts=Spread(63, 0),
    tokens_per_s=80,
    audio_x_realtime=20,
    up_ms=0,
    down_ms=0,
)


def parley(script: Script) -> TurnTaker:
    return TurnTaker(TurnsConfig(), TurnTemperament(), script.language)


# The real session hears what the simulated ears hear.


class Hearing:
    """The senses of a real session on the line of a simulated call."""

    def __init__(self, script: Script, sources: Sequence[Source]) -> None:
        self._acoustics = Acoustics(script.caller, acoustics_seed(script, SEED))
        self._microphone = Microphone(script.caller, acoustics_seed(script, SEED))
        self._gate = VoiceGate(VadConfig())
        self._sources = list(sources)
        self._frames = 0
        self._ears = EarsModel(self._acoustics, EXACT, script.language, None)  # type: ignore[arg-type]
        self.level_dbfs = SILENT_DBFS
        self.said = [source for source in sources]

    # A voice detector.

    def process(self, pcm: NDArray[np.int16]) -> Sequence[SpeechStarted | SpeechStopped]:
        began_s = self._frames * FRAME_S
        while self._sources and self._sources[0].start_s < began_s + FRAME_S / 2:
            source = self._sources.pop(0)
            self._microphone.begin(self._acoustics.frames(source.what), source.start_s)
            self._ears.sources.append(source)
        heard = self._microphone.step(SILENT_DBFS)
        self._frames += 1
        self.level_dbfs = heard.level_dbfs
        event = self._gate.step(heard.fast, heard.sure)
        if event is None:
            return []
        self._ears.notice(event)
        return [event]

    @property
    def last_voice_s(self) -> float:
        return self._gate.last_voice_s

    @property
    def run_s(self) -> float:
        return self._gate.run_s

    # A recogniser.

    async def transcribe(
        self, audio: NDArray[np.float32], *, language: str | None, final: bool
    ) -> Transcript:
        to_s = self._frames * FRAME_S
        text = self._ears.text_between(to_s - len(audio) / SAMPLE_RATE_HZ, to_s)
        took_s = EXACT.stt.median_ms / 1000
        await asyncio.sleep(took_s)
        return Transcript(text, language, len(audio) / SAMPLE_RATE_HZ, took_s, "short")

    # A turn model.

    async def probability(self, audio: NDArray[np.float32]) -> float:
        probability = self._ears.score_at(self._frames * FRAME_S)
        await asyncio.sleep(EXACT.score.median_ms / 1000)
        return probability


@dataclass
class Voice:
    """A voice that speaks as the simulated agent does."""

    language: str

    async def ready(self) -> bool:
        return True

    async def stream(self, request: SynthesisRequest) -> AsyncGenerator[SpeechChunk, None]:
        await asyncio.sleep(EXACT.tts.median_ms / 1000)
        spoken = speech(request.text, self.language)  # type: ignore[arg-type]
        loud = [round(32768 * 10 ** (level / 20)) for level in spoken.levels_dbfs]
        pcm = np.repeat(np.array(loud, "<i2"), round(FRAME_S * RATE_HZ))
        pcm = pcm[: round(spoken.length_s * RATE_HZ)]
        marks = tuple(
            Mark(*span, word.start_s, word.end_s)
            for span, word in zip(spoken.spans, spoken.words, strict=True)
        )
        yield SpeechChunk(pcm.tobytes(), RATE_HZ, 0, marks, is_final=False)
        yield SpeechChunk(b"", RATE_HZ, len(pcm), (), is_final=True)

    def stream_text(
        self, request: SynthesisRequest, texts: AsyncIterator[str]
    ) -> AsyncGenerator[SpeechChunk, None]:
        raise AssertionError("this voice takes pieces")


Decision = tuple[float, str]


def noted(decisions: list[Decision], now_s: float, actions: Sequence[Action]) -> None:
    """Keep what the caller or the models would notice."""
    for action in actions:
        if not isinstance(action, Weighed | Rescore | TranscribePartial):
            decisions.append((now_s, type(action).__name__))


def plain(script: Script) -> Script:
    """A script that the fakes can follow: one sentence for every answer, no tool, no echo."""
    reply = REPLIES[script.language]
    exchanges = tuple(
        replace(
            exchange,
            reply=reply,
            said=reply,
            uses_tool=False,
            sounds=tuple(replace(sound, reply=reply) for sound in exchange.sounds),
        )
        for exchange in script.exchanges[:2]
    )
    return replace(
        script, exchanges=exchanges, caller=replace(script.caller, echo_db=None, noise_dbfs=-60)
    )


def in_the_world(script: Script) -> tuple[list[Decision], SimulatedCall]:
    decisions: list[Decision] = []
    call = SimulatedCall(
        script,
        parley(script),
        EXACT,
        SEED,
        trace=lambda now_s, event, actions: noted(decisions, now_s, actions),
    )
    call.play()
    return decisions, call


def in_a_session(
    script: Script, sources: Sequence[Source], monkeypatch: pytest.MonkeyPatch
) -> list[Decision]:
    decisions: list[Decision] = []

    class Noting(TurnTaker):
        def step(self, event: Event, now_s: float) -> list[Action]:
            actions = super().step(event, now_s)
            noted(decisions, now_s, actions)
            return actions

    monkeypatch.setattr(session, "TurnTaker", Noting)
    hearing = Hearing(script, sources)
    call = Call(
        llm=FakeLlm(
            [Say(REPLIES[script.language]) for _ in range(99)],
            first_token_s=EXACT.llm.median_ms / 1000,
            per_token_s=0.0,
        ),
        tts=Voice(script.language),  # type: ignore[arg-type]
        persona=PERSONA.model_copy(update={"language": script.language}),
        senses=Senses(hearing, hearing, hearing),
    )
    call.run(until=sources[-1].end_s + 8)
    return decisions


@pytest.mark.parametrize("number", (2, 3, 9))
def test_a_simulated_call_and_a_real_session_decide_the_same(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The simulated shell cannot drift from the real one."""
    script = plain(scripts(SEED, half="calibrate", count=12)[number])
    simulated, call = in_the_world(script)
    real = in_a_session(script, call.sources, monkeypatch)
    simulated = [(at, name) for at, name in simulated if at < call.sources[-1].end_s]
    assert [name for _, name in real[: len(simulated)]] == [name for _, name in simulated]
    for (real_s, name), (simulated_s, _) in zip(real, simulated, strict=False):
        assert abs(real_s - simulated_s) <= FRAME_S + 1e-6, name
    assert {"Duck", "EndTurn"} <= {name for _, name in simulated}


def test_heartbeats_are_told_as_the_record_keeps_them() -> None:
    gate = VoiceGate(VadConfig())
    for index in range(40):
        gate.step(True, 0.9 if index % 2 else None)
        beat = heartbeat(gate, -33.33 - index / 7, -21.04)
        assert rounded(beat) == beat
