"""The simulated world: one scripted call, played for any turn taker on a virtual clock.

In: a script, a turn taker, the stack's latencies and a seed.  Out: the `Outcome` of the call, the
same one bit for bit whenever it is asked for.  The taker observes what it would observe in a real
call (the real `VoiceGate` over simulated sound, heartbeats of 20 ms, transcripts, scores) and its
actions are carried out as `agent.turns.processor.Ears` and `agent.replier.Replier` do; a test
holds the two to each other.  Pure: no models, no wall clock, no event loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from agent.budget import Budget
from agent.config import BargeInConfig, SpeculationConfig, VadConfig
from agent.turns.events import (
    SILENT_DBFS,
    Action,
    AgentBusy,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Event,
    Hold,
    Interrupt,
    MaySpeculate,
    Restore,
    Speculate,
)
from agent.turns.vad import VoiceGate
from bench.turns_world.acoustics import FRAME_S, Acoustics, Microphone
from bench.turns_world.agent_model import AgentModel, Cut
from bench.turns_world.baselines import acoustics_seed
from bench.turns_world.caller_model import CallerModel, Phase
from bench.turns_world.ears_model import EarsModel, Source, heartbeat
from bench.turns_world.latencies import Latencies
from bench.turns_world.ledger import Ledger
from bench.turns_world.scores import Outcome
from bench.turns_world.scripts import Script

MOST_S = 600.0
"""A call that is not over by then is broken off: a taker that never ends a turn must not hang."""


class Taker(Protocol):
    """Whoever takes the decisions: `agent.turns.endpointing.TurnTaker` or a baseline."""

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one observation at ear time `now_s`; return what follows from it, in order."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What surrounds a taker and is not its decision."""

    first_text_extra_s: float = 0.0
    """See `AgentModel`."""
    counts_begun_words: bool = False
    """See `AgentModel`."""


Trace = Callable[[float, Event, list[Action]], None]
"""Shown every step of the taker: ear time, observation, actions."""


def play(
    script: Script,
    make_taker: Callable[[Script], Taker],
    latencies: Latencies,
    seed: int,
    *,
    shell: Shell | None = None,
    trace: Trace | None = None,
) -> Outcome:
    """Play a script to its end and return what came of it."""
    return SimulatedCall(script, make_taker(script), latencies, seed, shell, trace).play()


class SimulatedCall:
    """One call under way; `play` it once."""

    def __init__(
        self,
        script: Script,
        taker: Taker,
        latencies: Latencies,
        seed: int,
        shell: Shell | None = None,
        trace: Trace | None = None,
    ) -> None:
        shell = shell or Shell()
        self._taker = taker
        self._trace = trace
        heard_seed = acoustics_seed(script, seed)
        acoustics = Acoustics(script.caller, heard_seed)
        self._acoustics = acoustics
        self._microphone = Microphone(script.caller, heard_seed)
        self._gate = VoiceGate(VadConfig())
        self._ears = EarsModel(
            acoustics, latencies, script.language, Random(f"{seed}/{script.id}/ears")
        )
        self._agent = AgentModel(
            latencies,
            script.language,
            Random(f"{seed}/{script.id}/agent"),
            BargeInConfig().duck_db,
            said_before=script.exchanges[0].said,
            first_text_extra_s=shell.first_text_extra_s,
            counts_begun_words=shell.counts_begun_words,
        )
        self._caller = CallerModel(script, latencies)
        self._ledger = Ledger(script, latencies)
        self._ears.said = lambda: self._agent.said
        self._ear_s = 0.0
        self._level_dbfs = SILENT_DBFS  # what left the agent last
        self._budget = Budget(SpeculationConfig())
        self._may_speculate = True
        self._wasted = False  # a draft was thrown away: there may be no room for the next
        self._busy = False
        self._cut: Cut | None = None

    @property
    def sources(self) -> Sequence[Source]:
        """What has sounded on the caller's line so far, with the times at which it did."""
        return self._ears.sources

    def play(self) -> Outcome:
        """Play the call to its end."""
        frames = 0
        while self._caller.phase is not Phase.GONE and self._ear_s < MOST_S:
            frames += 1
            self._frame(frames * FRAME_S)
        return self._ledger.outcome(self._agent, self._ear_s)

    def _frame(self, now_s: float) -> None:
        """Take 20 ms that end at `now_s`, and play 20 ms from then on."""
        began_s = now_s - FRAME_S
        for source in self._caller.step(began_s, self._agent):
            self._begin(source)
        while (due := self._ears.take_due(now_s)) is not None:
            at_s, observation = due
            self._observe(observation, at_s)
        # The loudspeaker's frame first: what the ears decide now is in force from the next one on.
        self._level_dbfs = self._agent.frame(now_s)
        self._tell_busy(now_s)
        heard = self._microphone.step(self._level_dbfs)
        event = self._gate.step(heard.fast, heard.sure)
        self._ear_s = now_s
        if event is not None:
            self._ears.notice(event)
            self._observe(event, now_s)
        self._observe(heartbeat(self._gate, heard.level_dbfs, self._level_dbfs), now_s)
        if self._wasted:
            self._watch_budget(now_s)

    def _watch_budget(self, now_s: float) -> None:
        allowed = not self._budget.refusal(now_s)
        if allowed is not self._may_speculate:
            self._may_speculate = allowed
            self._observe(MaySpeculate(allowed), now_s)

    def _begin(self, source: Source) -> None:
        self._ledger.began(source, self._agent, uses_tool=self._caller.uses_tool)
        self._ears.sources.append(source)
        self._microphone.begin(self._acoustics.frames(source.what), source.start_s)

    def _observe(self, event: Event, real_s: float) -> None:
        actions = self._taker.step(event, self._ear_s)
        if self._trace:
            self._trace(self._ear_s, event, actions)
        for action in actions:
            self._ears.carry_out(action, self._ear_s, real_s)
            self._act(action, real_s)
        if actions:
            self._tell_busy(real_s)

    def _tell_busy(self, real_s: float) -> None:
        if self._agent.busy is not self._busy:
            self._busy = self._agent.busy
            self._observe(AgentBusy(self._busy), real_s)

    def _act(self, action: Action, real_s: float) -> None:
        agent = self._agent
        match action:
            case Duck():
                agent.duck()
                self._ledger.controlled("duck", agent.next_frame_s)
            case Hold():
                agent.hold()
                self._ledger.controlled("hold", agent.next_frame_s)
            case Restore():
                agent.restore()
                self._ledger.controlled("restore", agent.next_frame_s)
            case Interrupt():
                self._stop(real_s)
            case Speculate(draft):
                text, tool = self._caller.reply_text, self._caller.uses_tool
                agent.speculate(draft, text, real_s, tool=tool)
            case Discard(draft):
                agent.discard(draft, real_s)
                self._budget.draft_ended(real_s, wasted=True)
                self._wasted = True
            case EndTurn():
                self._end_turn(action, real_s)
            case DropTurn(interrupted=interrupted):
                if interrupted and self._cut:
                    agent.resume(self._cut, real_s)
                self._cut = None

    def _end_turn(self, turn: EndTurn, real_s: float) -> None:
        self._ledger.ended(real_s)
        self._stop(real_s)
        self._cut = None
        if turn.draft is not None:
            self._budget.draft_ended(real_s, wasted=False)
        text = self._caller.reply_text
        self._agent.answer(text, real_s, draft=turn.draft, tool=self._caller.uses_tool)

    def _stop(self, real_s: float) -> None:
        cut = self._agent.stop(real_s)
        if cut is None:
            return
        self._cut = cut
        self._ledger.cut(cut)
        self._ledger.controlled("stop", self._agent.next_frame_s)
        self._tell_busy(real_s)
