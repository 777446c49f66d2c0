"""Turn taking: when the caller has begun, finished, or interrupted.

In: what the ear observed (`agent.turns.events`), with the ear's clock.  Out: what to do.  Pure: no
clock, no await, no model; the processor around it (`agent.turns.processor`) runs the models and
feeds their answers back.
"""

from dataclasses import dataclass, field
from enum import Enum

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.events import (
    EPSILON_S,
    Action,
    AgentBusy,
    BeginTurn,
    CutPrefix,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Interrupt,
    Judge,
    PrefixReady,
    SpeechStarted,
    SpeechStopped,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
)


class Floor(Enum):
    """Who has the floor, seen from the caller's microphone."""

    QUIET = "quiet"
    SPEAKING = "speaking"
    PAUSED = "paused"


@dataclass(slots=True)
class _Turn:
    """What is known of the turn under way."""

    began_s: float
    voice_began_s: float
    stopped_s: float = 0.0
    voiced_s: float = 0.0
    """Voice in the stretches that have ended."""
    text: str | None = None
    score: float | None = None
    scored: bool = False
    interrupted: bool = False
    cut_s: float = 0.0
    """Where the part not yet cut off as a prefix begins."""
    next_partial_s: float = 0.0
    prefixes: list[str] = field(default_factory=list)
    prefixes_due: int = 0


class TurnTaker:
    """The decision object of one call."""

    def __init__(self, config: TurnsConfig, temperament: TurnTemperament) -> None:
        self._config = config
        self._patience = temperament.patience
        self._interruptible = temperament.interruption != "never"
        self._barge_in_s = (temperament.barge_in_ms or config.barge_in_ms) / 1000
        self._pause = 0
        self._agent_busy = False
        self._last_voice_s = 0.0
        self._turn: _Turn | None = None
        self._floor = Floor.QUIET

    @property
    def floor(self) -> Floor:
        """Who has the floor now."""
        return self._floor

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one observation at ear time `now_s`; return what follows from it, in order."""
        match event:
            case SpeechStarted(at_s):
                return self._on_started(at_s, now_s)
            case SpeechStopped(at_s):
                return self._on_stopped(at_s, now_s)
            case TranscriptReady(pause, text, _):
                if self._turn and self._floor is Floor.PAUSED and pause == self._pause:
                    self._turn.text = text
            case TurnScored(pause, probability, _):
                if self._turn and self._floor is Floor.PAUSED and pause == self._pause:
                    self._turn.score, self._turn.scored = probability, True
            case PrefixReady(text):
                if self._turn and self._turn.prefixes_due:
                    self._turn.prefixes.append(text)
                    self._turn.prefixes_due -= 1
            case AgentBusy(busy):
                self._agent_busy = busy
            case Heartbeat(last_voice_s=last_voice_s):
                self._last_voice_s = last_voice_s
        return self._decide(now_s)

    def _on_started(self, at_s: float, now_s: float) -> list[Action]:
        self._floor = Floor.SPEAKING
        if self._turn is not None:
            self._turn.voice_began_s = at_s
            self._turn.text, self._turn.score, self._turn.scored = None, None, False
            return self._decide(now_s)
        partial_s = self._config.partial_interval_ms / 1000
        self._turn = _Turn(at_s, at_s, cut_s=at_s, next_partial_s=at_s + partial_s)
        return [BeginTurn(at_s), *self._decide(now_s)]

    def _on_stopped(self, at_s: float, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None or self._floor is not Floor.SPEAKING:
            return []
        self._floor = Floor.PAUSED
        self._pause += 1
        turn.stopped_s = at_s
        turn.voiced_s += max(0.0, at_s - turn.voice_began_s)
        return [Judge(self._pause), *self._decide(now_s)]

    def _decide(self, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None:
            return []
        if self._floor is Floor.SPEAKING:
            return self._while_speaking(turn, now_s)
        return self._while_paused(turn, now_s)

    def _while_speaking(self, turn: _Turn, now_s: float) -> list[Action]:
        actions: list[Action] = []
        # Up to the last voice, not up to now: the silence that ends a cough is no speech.
        voiced_s = turn.voiced_s + self._last_voice_s - turn.voice_began_s
        if self._agent_busy and self._interruptible and not turn.interrupted:
            if voiced_s + EPSILON_S >= self._barge_in_s:
                turn.interrupted = True
                actions.append(Interrupt(voiced_s, "voice"))
        if now_s - turn.cut_s >= self._config.max_turn_s:
            turn.cut_s = now_s
            turn.prefixes_due += 1
            actions.append(CutPrefix())
        if now_s >= turn.next_partial_s and not self._talks_over(turn):
            turn.next_partial_s = now_s + self._config.partial_interval_ms / 1000
            actions.append(TranscribePartial())
        return actions

    def _talks_over(self, turn: _Turn) -> bool:
        """The agent holds the floor and this speech has not taken it."""
        return self._agent_busy and not turn.interrupted

    def _while_paused(self, turn: _Turn, now_s: float) -> list[Action]:
        silence_s = now_s - turn.stopped_s
        if silence_s + EPSILON_S < self._config.min_silence_ms / 1000:
            return []
        if self._talks_over(turn):
            return [self._drop(turn, "talked over the agent")]
        if turn.text is None or turn.prefixes_due:
            return []
        text = " ".join(part for part in (*turn.prefixes, turn.text) if part)
        if not text:
            return [self._drop(turn, "no words")]
        doubtful = 0.0 if not turn.scored else turn.score
        if silence_s + EPSILON_S < self.silence_needed_s(doubtful):
            return []
        end = EndTurn(text, turn.stopped_s, turn.score)
        self._turn, self._floor = None, Floor.QUIET
        return [end]

    def silence_needed_s(self, probability: float | None) -> float:
        """Silence to wait for before a turn ends, given its completeness.

        From `min_silence_ms` at or above the threshold, growing linearly as the model doubts, to
        `max_silence_ms` at zero; both ends scaled by the persona's patience.  Without a score
        the middle is taken.
        """
        low_s = self._config.min_silence_ms / 1000
        high_s = max(low_s, self._config.max_silence_ms / 1000)
        threshold = self._config.turn_threshold
        doubt = 0.5 if probability is None else max(0.0, 1 - probability / threshold)
        return (low_s + (high_s - low_s) * doubt) * self._patience

    def _drop(self, turn: _Turn, reason: str) -> DropTurn:
        self._turn, self._floor = None, Floor.QUIET
        return DropTurn(reason, turn.interrupted)
