"""Other turn takers behind the same protocol, each as its authors run it, and their curves.

`VadTaker`: silence alone.  `SmartTurnTaker`: smart-turn's score, asked once after 0.2 s of silence,
as eot-bench does (threshold, action delay, timeout).  `PipecatTaker`: the defaults of pipecat 1.14,
read in its source: voice for 0.2 s starts a turn and always interrupts; silence for 0.2 s asks
smart-turn v3; a turn that it calls incomplete ends after 3 s more; a complete one waits for the
final transcript; a turn without words is stuck for 5 s.  All three stop the agent for any voice.

In: observations.  Out: actions.  Pure.  `sweep_vad` and `sweep_smart_turn` compute curves as
eot-bench does, from the lengths of pauses and the scores in them, without playing calls; their
grids are eot-bench's (eot_harness/metrics.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from agent.turns.events import (
    EPSILON_S,
    Action,
    AgentBusy,
    BeginTurn,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Interrupt,
    Judge,
    Rescore,
    SpeechStarted,
    SpeechStopped,
    TranscriptReady,
    TurnScored,
)
from bench.turns_world.acoustics import Acoustics
from bench.turns_world.scores import COUNTED_HOLDS_S, Point
from bench.turns_world.scripts import Script

SCORED_AT_S = 0.2
THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(101))
ACTION_DELAYS_S = tuple(round(0.1 * step, 1) for step in range(2, 11))
TIMEOUTS_S = tuple(round(0.5 * step, 1) for step in range(2, 8))
VAD_DELAYS_S = tuple(sorted({*ACTION_DELAYS_S, *(round(0.1 * step, 1) for step in range(10, 36))}))


@dataclass(slots=True)
class _Turn:
    """A turn under way, as the simple takers see it."""

    interrupted: bool
    pause: int = 0
    stopped_s: float | None = None
    """None while the caller speaks."""
    text: str | None = None
    score: float | None = None


@dataclass(slots=True)
class VadTaker:
    """Ends a turn after `timeout_s` of silence, whatever was said."""

    timeout_s: float
    _busy: bool = False
    _pauses: int = 0
    _turn: _Turn | None = None

    def step(self, event: Event, now_s: float) -> list[Action]:
        """See `bench.turns_world.world.Taker`."""
        match event:
            case SpeechStarted(at_s):
                return self._started(at_s)
            case SpeechStopped(at_s) if self._turn and self._turn.stopped_s is None:
                self._pauses += 1
                self._turn.pause, self._turn.stopped_s = self._pauses, at_s
                return [Judge(self._pauses)]
            case TranscriptReady(pause, text, _) if self._turn and self._turn.pause == pause:
                self._turn.text = text
            case TurnScored(pause, probability, silence_s):
                self._scored(pause, probability, silence_s)
            case AgentBusy(busy):
                self._busy = busy
        return self._decide(now_s)

    def _started(self, at_s: float) -> list[Action]:
        actions: list[Action] = [Interrupt(0.0, "voice")] if self._busy else []
        if self._turn is None:
            self._turn = _Turn(interrupted=bool(actions))
            return [BeginTurn(at_s), *actions]
        turn = self._turn
        turn.stopped_s = turn.text = turn.score = None
        turn.interrupted = turn.interrupted or bool(actions)
        return actions

    def _decide(self, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None or turn.stopped_s is None:
            return []
        silence_s = now_s - turn.stopped_s
        if silence_s + EPSILON_S < self._needed_s(turn):
            return self._rescore(turn, silence_s)
        if turn.text is None:
            return []
        self._turn = None
        if not turn.text:
            return [DropTurn("no words", turn.interrupted)]
        return [EndTurn(turn.text, turn.stopped_s, turn.score)]

    def _needed_s(self, turn: _Turn) -> float:
        """Silence after which the turn ends, as far as is known."""
        return self.timeout_s

    def _rescore(self, turn: _Turn, silence_s: float) -> list[Action]:
        """What is to be found out meanwhile."""
        return []

    def _scored(self, pause: int, probability: float | None, silence_s: float) -> None:
        """Silence alone decides."""


@dataclass(slots=True)
class SmartTurnTaker(VadTaker):
    """Ends a turn once smart-turn calls it complete, `action_delay_s` at the earliest."""

    threshold: float = 0.5
    action_delay_s: float = SCORED_AT_S
    _asked: int = 0

    def _needed_s(self, turn: _Turn) -> float:
        complete = turn.score is not None and turn.score > self.threshold
        return min(self.action_delay_s, self.timeout_s) if complete else self.timeout_s

    def _rescore(self, turn: _Turn, silence_s: float) -> list[Action]:
        if self._asked == turn.pause or silence_s + EPSILON_S < SCORED_AT_S:
            return []
        self._asked = turn.pause
        return [Rescore(turn.pause)]

    def _scored(self, pause: int, probability: float | None, silence_s: float) -> None:
        # The score that comes with the transcript was asked for too early.
        if self._turn and self._turn.pause == pause == self._asked:
            self._turn.score = probability


PIPECAT_START_S = 0.28
"""0.2 s of voice and its loudness gate: 280 to 360 ms were measured with real speech."""
PIPECAT_STOP_S = 0.2
PIPECAT_TIMEOUT_S = 3.0
PIPECAT_STUCK_S = 5.0
PIPECAT_TEXT_EXTRA_S = 0.124
"""Its default gives the voice whole sentences: measured against the first clause."""
_PRE_SPEECH_S = 0.5


@dataclass(slots=True)
class PipecatTaker:
    """pipecat's defaults: its own voice detector over ours, smart-turn v3, any voice interrupts."""

    threshold: float = 0.5
    _busy: bool = False
    _pauses: int = 0
    _turn: _Turn | None = None
    _speaking: bool = False

    def step(self, event: Event, now_s: float) -> list[Action]:
        """See `bench.turns_world.world.Taker`."""
        match event:
            case Heartbeat():
                return self._hear(event, now_s)
            case TranscriptReady(pause, text, _) if self._turn and self._turn.pause == pause:
                self._turn.text = text
            case TurnScored(pause, probability, _) if self._turn and self._turn.pause == pause:
                self._turn.score = probability
            case AgentBusy(busy):
                self._busy = busy
        return self._decide(now_s)

    def _hear(self, beat: Heartbeat, now_s: float) -> list[Action]:
        if not self._speaking and beat.run_s + EPSILON_S >= PIPECAT_START_S:
            self._speaking = True
            return self._started(now_s)
        silence_s = now_s - beat.last_voice_s
        if self._speaking and silence_s + EPSILON_S >= PIPECAT_STOP_S:
            self._speaking = False
            if self._turn:
                self._pauses += 1
                self._turn.pause, self._turn.stopped_s = self._pauses, beat.last_voice_s
                return [Judge(self._pauses)]
        return self._decide(now_s)

    def _started(self, now_s: float) -> list[Action]:
        actions: list[Action] = [Interrupt(PIPECAT_START_S, "voice")] if self._busy else []
        if self._turn is None:
            self._turn = _Turn(interrupted=bool(actions))
            return [BeginTurn(now_s - PIPECAT_START_S - _PRE_SPEECH_S), *actions]
        self._turn.stopped_s = self._turn.text = self._turn.score = None
        return actions

    def _decide(self, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None or turn.stopped_s is None:
            return []
        silence_s = now_s - turn.stopped_s
        complete = turn.score is not None and turn.score > self.threshold
        timed_out = silence_s + EPSILON_S >= PIPECAT_STOP_S + PIPECAT_TIMEOUT_S
        if (complete or timed_out) and turn.text:
            self._turn = None
            return [EndTurn(turn.text, turn.stopped_s, turn.score)]
        if silence_s + EPSILON_S >= PIPECAT_STUCK_S and not turn.text:
            self._turn = None
            return [DropTurn("no words", turn.interrupted)]
        return []


# Curves.


@dataclass(frozen=True, slots=True)
class Pauses:
    """The holds and ends of many turns, with smart-turn's scores after 0.2 s."""

    hold_s: Sequence[float]
    hold_score: Sequence[float]
    end_score: Sequence[float]


def pauses_of(scripts: Sequence[Script], seed: int) -> Pauses:
    """What there is to decide in the callers' turns; interruptions are no part of it."""
    holds: list[tuple[float, float]] = []
    ends: list[float] = []
    for script in scripts:
        acoustics = Acoustics(script.caller, acoustics_seed(script, seed))
        for exchange in script.exchanges:
            turn = exchange.turn
            for hold in turn.holds:
                length_s = hold.end_s - hold.start_s
                if COUNTED_HOLDS_S[0] <= length_s <= COUNTED_HOLDS_S[1]:
                    holds.append((length_s, acoustics.turn_score(turn, hold.start_s, SCORED_AT_S)))
            ends.append(acoustics.turn_score(turn, turn.duration_s, SCORED_AT_S))
    return Pauses([length for length, _ in holds], [score for _, score in holds], ends)


def acoustics_seed(script: Script, seed: int) -> int:
    """Seed of what is heard of a script: utterances of two scripts may have the same id."""
    return int.from_bytes(sha256(f"{seed}/{script.id}".encode()).digest()[:6], "big")


def sweep_vad(pauses: Pauses) -> list[Point]:
    """Timeouts from 0.2 to 3.5 s."""
    lengths = np.asarray(pauses.hold_s)
    return [
        Point(float(np.mean(lengths > delay_s + EPSILON_S)), delay_s, (delay_s,))
        for delay_s in VAD_DELAYS_S
    ]


def sweep_smart_turn(pauses: Pauses) -> list[Point]:
    """Threshold x action delay x timeout."""
    lengths, scores = np.asarray(pauses.hold_s), np.asarray(pauses.hold_score)
    ends = np.asarray(pauses.end_score)
    points = []
    for threshold in THRESHOLDS:
        fires, detects = scores > threshold, float(np.mean(ends > threshold))
        for delay_s, timeout_s in _policies():
            cut = (lengths > timeout_s + EPSILON_S) | (fires & (lengths > delay_s + EPSILON_S))
            mean_s = detects * delay_s + (1 - detects) * timeout_s
            points.append(Point(float(np.mean(cut)), mean_s, (threshold, delay_s, timeout_s)))
    return points


def _policies() -> Iterator[tuple[float, float]]:
    for delay_s in ACTION_DELAYS_S:
        for timeout_s in TIMEOUTS_S:
            if timeout_s >= delay_s:
                yield delay_s, timeout_s
