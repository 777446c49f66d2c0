"""Curves of endpointing: false cut-offs against delay, for a turn taker with one operating knob.

In: scripts and takers with other settings.  Out: how each of their pauses went.  Only the callers'
turns are played, with no agent and no other sounds: what a caller does then depends on nobody, so
the sound is heard once and the takers are shown it again and again.  eot-bench judges so as well:
a turn goes on after a false cut-off, and its other holds count.  Pure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from agent.config import VadConfig
from agent.turns.events import (
    SILENT_DBFS,
    EndTurn,
    Event,
    Heartbeat,
    SpeechStarted,
    SpeechStopped,
)
from agent.turns.vad import VoiceGate
from bench.turns_world.acoustics import FRAME_S, Acoustics, Microphone
from bench.turns_world.agent_model import AgentModel
from bench.turns_world.baselines import acoustics_seed
from bench.turns_world.ears_model import EarsModel, Source, heartbeat
from bench.turns_world.latencies import Latencies
from bench.turns_world.ledger import Ledger
from bench.turns_world.scores import Outcome
from bench.turns_world.scripts import Script
from bench.turns_world.world import Taker

LEAD_S = 0.5
ENDS_WITHIN_S = 5.0
"""So long after its end a turn may be taken for over; then the next one begins."""


@dataclass(frozen=True, slots=True)
class _Beat:
    """What the ear observes in one frame."""

    now_s: float
    change: SpeechStarted | SpeechStopped | None
    beat: Heartbeat


@dataclass(frozen=True, slots=True)
class _Line:
    """The caller's turns, one after another, as the ear hears them."""

    sources: tuple[Source, ...]
    beats: tuple[_Beat, ...]


def listen(
    script: Script, make_taker: Callable[[Script], Taker], latencies: Latencies, seed: int
) -> Outcome:
    """Show a taker the turns of a script; return what it did in their pauses."""
    line = _line(script, seed)
    taker = make_taker(script)
    agent = AgentModel(latencies, script.language, Random(), duck_db=0.0)
    ledger = Ledger(script, latencies)
    ears = EarsModel(
        Acoustics(script.caller, acoustics_seed(script, seed)),
        latencies,
        script.language,
        Random(f"{seed}/{script.id}/ears"),
    )
    ears.said = lambda: agent.said_before
    waiting = list(zip(line.sources, script.exchanges, strict=True))
    over_s = 0.0  # the newest turn is over by now: nothing is to be decided until the next one
    ear_s = 0.0

    def observe(event: Event, real_s: float) -> None:
        nonlocal over_s
        for action in taker.step(event, ear_s):
            ears.carry_out(action, ear_s, real_s)
            if isinstance(action, EndTurn):
                ledger.ended(real_s)
                over_s = ears.sources[-1].end_s if real_s >= ears.sources[-1].end_s else over_s

    for frame in line.beats:
        if waiting and frame.now_s > waiting[0][0].start_s:
            source, exchange = waiting.pop(0)
            ears.sources.append(source)
            agent.said_before = exchange.said
            ledger.began(source, agent, uses_tool=exchange.uses_tool)
        if ears.sources and over_s == ears.sources[-1].end_s:
            continue
        while (due := ears.take_due(frame.now_s)) is not None:
            observe(due[1], due[0])
        ear_s = frame.now_s
        if frame.change:
            ears.notice(frame.change)
            observe(frame.change, ear_s)
        observe(frame.beat, ear_s)
    return ledger.outcome(agent, ear_s)


@lru_cache(maxsize=512)
def _line(script: Script, seed: int) -> _Line:
    heard_seed = acoustics_seed(script, seed)
    acoustics = Acoustics(script.caller, heard_seed)
    microphone = Microphone(script.caller, heard_seed)
    gate = VoiceGate(VadConfig())
    sources, beats = [], []
    start_s = LEAD_S
    for exchange in script.exchanges:
        source = Source(exchange.turn, start_s, start_s + exchange.turn.duration_s)
        microphone.begin(acoustics.frames(exchange.turn), source.start_s)
        sources.append(source)
        start_s = FRAME_S * round((source.end_s + ENDS_WITHIN_S) / FRAME_S)
    for frame in range(1, round(start_s / FRAME_S)):
        heard = microphone.step(SILENT_DBFS)
        change = gate.step(heard.fast, heard.sure)
        beat = heartbeat(gate, heard.level_dbfs, SILENT_DBFS)
        beats.append(_Beat(frame * FRAME_S, change, beat))
    return _Line(tuple(sources), tuple(beats))
