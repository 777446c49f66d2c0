"""Turn taking: when the caller has begun, finished, or interrupted.

In: what the ear observed (`agent.turns.events`), with the ear's clock.  Out: what to do.  Pure: no
clock, no await, no model; the processor around it (`agent.turns.processor`) runs the models and
feeds their answers back.

    quiet --voice--> speaking --pause--> paused --long enough--> quiet (the turn ended)
                        ^                   |
                        +------ voice ------+

`TurnTaker` follows the floor and asks its parts: `Fusion` whether a pause is the end of the turn,
`PauseHabits` how this caller pauses, `Speculation` which answers are begun early, `BargeIn` what
becomes of the agent's voice, `Murmurs` when to say "mm-hm".
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.barge_in import BargeIn, Evidence, State, is_echo
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
    Hold,
    Interrupt,
    Judge,
    MaySpeculate,
    Murmur,
    PrefixReady,
    Reason,
    Rescore,
    SpeechStarted,
    SpeechStopped,
    TalkKey,
    TranscribePartial,
    TranscriptReady,
    TurnScored,
    Weighed,
    WordsHeard,
)
from agent.turns.fusion import Fusion, Judgement
from agent.turns.habits import PauseHabits
from agent.turns.meaning import same_meaning
from agent.turns.murmurs import Murmurs
from agent.turns.reading import Reading
from agent.turns.sound import SoundOfPause
from agent.turns.speculation import Speculation

RESCORE_EVERY_S = 0.1
RESCORE_UNTIL_S = 0.3
"""Silence after which more of it tells the turn model nothing: see `agent.turns.sound`."""
RESCORE_TAKES_S = 0.08
"""A turn that ends within this is not scored again: the answer would come too late."""
WORDS_AFTER_HOLD_S = 0.25
"""The words of a turn over the held agent are asked for so soon."""
CUT_OFF_WITHIN_S = 1.5
"""A caller who speaks again so soon after their turn was cut off in it."""


class Floor(Enum):
    """Who has the floor, seen from the caller's microphone."""

    QUIET = "quiet"
    SPEAKING = "speaking"
    PAUSED = "paused"


@dataclass(slots=True)
class _Pause:
    """What is known of the pause that goes on.  Silence counts from `began_s`."""

    number: int
    began_s: float
    text: str | None = None
    reading: Reading | None = None
    words_after_s: float = 0.0
    """Silence after which all words were there."""
    sound: SoundOfPause = field(default_factory=SoundOfPause)
    scoring: bool = True
    """A score was asked for and has not come."""
    scored_after_s: float = 0.0
    """Silence after which it was asked for last."""
    judgement: Judgement | None = None


@dataclass(slots=True)
class _Turn:
    """What is known of the turn under way."""

    began_s: float
    voice_began_s: float
    interrupted: bool
    """The agent was interrupted for it."""
    next_partial_s: float
    cut_s: float
    """Where the part not yet cut off as a prefix begins."""
    pause: _Pause | None = None
    """None while the caller speaks."""
    voiced_s: float = 0.0
    """Voice in the stretches that have ended."""
    text: str | None = None
    """Words up to the newest pause of which they are known."""
    reading: Reading | None = None
    """What its newest words tell, partial or not."""
    holds: list[tuple[float, float | None]] = field(default_factory=list)
    """Lengths of the pauses since, and log-odds of their sound: holds, if new words follow."""
    over_agent: bool = False
    """All of it was said over the agent's voice."""
    by_key: bool = False
    """The talk key was pressed in it: letting it go ends the turn."""
    prefixes: list[str] = field(default_factory=list)
    prefixes_due: int = 0


class TurnTaker:
    """The decision object of one call."""

    def __init__(
        self, config: TurnsConfig, temperament: TurnTemperament, language: str = "en"
    ) -> None:
        """`language` is the caller's."""
        self._config = config
        self._language = language
        self._fusion = Fusion(config, temperament.patience)
        self._habits = PauseHabits()
        self._speculation = Speculation(config.speculation, language)
        self._barge_in = BargeIn(config.barge_in, temperament.interruption)
        self._murmurs = Murmurs(temperament.murmurs)
        self._pauses = 0
        self._agent_busy = False
        self._key_pressed = False
        self._interrupted = False
        """The agent was interrupted, and no turn has begun yet that it was for."""
        self._ended_s = -CUT_OFF_WITHIN_S
        """End of speech of the turn before."""
        self._ended_sound: float | None = None
        """Log-odds of its sound."""
        self._beat = Heartbeat(0.0)
        self._turn: _Turn | None = None

    @property
    def floor(self) -> Floor:
        """Who has the floor now."""
        if self._turn is None:
            return Floor.QUIET
        return Floor.PAUSED if self._turn.pause else Floor.SPEAKING

    def step(self, event: Event, now_s: float) -> list[Action]:
        """Take one observation at ear time `now_s`; return what follows from it, in order."""
        actions = self._take(event, now_s)
        actions += self._react(now_s)
        turn = self._turn
        if turn is None:
            return actions
        if turn.pause is None:
            return actions + self._while_speaking(turn, now_s)
        return actions + self._while_paused(turn, turn.pause, now_s)

    # What was observed.

    def _take(self, event: Event, now_s: float) -> list[Action]:
        match event:
            case Heartbeat():
                self._beat = event
            case SpeechStarted(at_s):
                return self._on_started(at_s, now_s)
            case SpeechStopped(at_s):
                return self._on_stopped(at_s, now_s)
            case TranscriptReady():
                return self._on_transcript(event, now_s)
            case TurnScored():
                return self._on_score(event, now_s)
            case WordsHeard(_, reading):
                if self._turn and not (self._turn.pause and self._turn.pause.reading):
                    self._turn.reading = reading
            case PrefixReady(text):
                self._on_prefix(text, now_s)
            case AgentBusy(busy):
                self._on_busy(busy)
            case TalkKey(pressed):
                return self._on_key(pressed)
            case MaySpeculate(allowed):
                self._speculation.allowed = allowed
        return []

    def _on_started(self, at_s: float, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None:
            partial_s = at_s + self._config.partial_interval_ms / 1000
            if self._barge_in.state is State.HELD:
                partial_s = now_s + WORDS_AFTER_HOLD_S
            self._turn = _Turn(at_s, at_s, self._interrupted, partial_s, cut_s=at_s)
            self._turn.by_key = self._key_pressed
            self._interrupted = False
            if at_s - self._ended_s < CUT_OFF_WITHIN_S:
                self._turn.holds.append((at_s - self._ended_s, self._ended_sound))
            return [BeginTurn(at_s)]
        if turn.pause:
            turn.holds.append((at_s - turn.pause.began_s, turn.pause.sound.log_odds))
        turn.pause, turn.voice_began_s, turn.over_agent = None, at_s, False
        return []

    def _on_stopped(self, at_s: float, now_s: float) -> list[Action]:
        turn = self._turn
        if turn is None or turn.pause:
            return []
        self._pauses += 1
        turn.voiced_s += max(0.0, at_s - turn.voice_began_s)
        turn.pause = _Pause(self._pauses, at_s, scored_after_s=now_s - at_s)
        return [Judge(self._pauses)]

    def _on_transcript(self, event: TranscriptReady, now_s: float) -> list[Action]:
        turn, pause = self._turn, self._pause_numbered(event.pause)
        if turn is None or pause is None:
            return []
        pause.text, pause.reading = event.text, event.reading
        pause.words_after_s = now_s - pause.began_s
        self._learn(turn, event.text)
        turn.text, turn.reading = event.text, event.reading
        return self._weigh(pause, now_s)

    def _on_score(self, event: TurnScored, now_s: float) -> list[Action]:
        pause = self._pause_numbered(event.pause)
        if pause is None:
            return []
        pause.scoring = False
        if event.probability is not None:
            pause.sound.take(event.probability, event.silence_s)
        return self._weigh(pause, now_s)

    def _on_prefix(self, text: str, now_s: float) -> None:
        turn = self._turn
        if turn is None or not turn.prefixes_due:
            return
        turn.prefixes.append(text)
        turn.prefixes_due -= 1
        if turn.pause:
            turn.pause.words_after_s = now_s - turn.pause.began_s

    def _pause_numbered(self, number: int) -> _Pause | None:
        """The pause that goes on, if it is this one; answers to earlier pauses are stale."""
        pause = self._turn.pause if self._turn else None
        return pause if pause and pause.number == number else None

    def _learn(self, turn: _Turn, text: str) -> None:
        """The pauses before these words were holds, unless the words are the old ones: then what
        was heard since was a cough, or a breath."""
        if text and not (turn.text and same_meaning(turn.text, text, self._language)):
            for hold_s, sound in turn.holds:
                self._habits.held(hold_s, sound)
        turn.holds.clear()

    def _on_busy(self, busy: bool) -> None:
        if self._turn and self._turn.pause and self._talks_over(self._turn) and not busy:
            self._turn.over_agent = True
        self._agent_busy = busy

    def _on_key(self, pressed: bool) -> list[Action]:
        self._key_pressed = pressed
        if self._turn:
            self._turn.by_key = self._turn.by_key or pressed
        elif self._interrupted and not pressed:
            self._interrupted = False
            return [DropTurn("no words", interrupted=True)]
        return []

    # While the agent has the floor.

    def _react(self, now_s: float) -> list[Action]:
        turn = self._turn
        actions: list[Action] = []
        for reaction in self._barge_in.step(self._evidence(turn), now_s):
            actions.append(reaction)
            if isinstance(reaction, Hold) and turn:
                # Its words decide what becomes of the reply; of one syllable there are none yet.
                turn.next_partial_s = now_s + WORDS_AFTER_HOLD_S
            elif isinstance(reaction, Interrupt) and turn:
                turn.interrupted = True
            elif isinstance(reaction, Interrupt):
                self._interrupted = True
        return actions

    def _evidence(self, turn: _Turn | None) -> Evidence:
        beat = self._beat
        return Evidence(
            busy=self._agent_busy,
            run_s=beat.run_s,
            voiced_s=self._voiced_s(turn) if turn else 0.0,
            level_dbfs=beat.level_dbfs,
            agent_dbfs=beat.agent_dbfs,
            reading=turn.reading if turn else None,
            reading_is_final=bool(turn and turn.pause and turn.pause.reading),
            key_pressed=self._key_pressed,
        )

    def _voiced_s(self, turn: _Turn) -> float:
        """Voice of a turn up to the last voice: the silence that ends a cough is no speech."""
        if turn.pause:
            return turn.voiced_s
        return turn.voiced_s + max(0.0, self._beat.last_voice_s - turn.voice_began_s)

    def _talks_over(self, turn: _Turn) -> bool:
        """The agent has the floor and this speech has not taken it."""
        return self._agent_busy and not turn.interrupted

    # While the caller speaks.

    def _while_speaking(self, turn: _Turn, now_s: float) -> list[Action]:
        actions: list[Action] = [*self._speculation.speaks_on(self._voiced_s(turn))]
        if now_s - turn.cut_s >= self._config.max_turn_s:
            turn.cut_s = now_s
            turn.prefixes_due += 1
            actions.append(CutPrefix())
        wanted = not self._talks_over(turn) or self._barge_in.undecided
        if wanted and now_s + EPSILON_S >= turn.next_partial_s:
            turn.next_partial_s = now_s + self._config.partial_interval_ms / 1000
            actions.append(TranscribePartial())
        return actions

    # While the caller pauses.

    def _while_paused(self, turn: _Turn, pause: _Pause, now_s: float) -> list[Action]:
        silence_s = now_s - pause.began_s
        reason = self._no_turn(turn, pause, silence_s)
        if reason:
            return self._drop(turn, reason)
        if self._talks_over(turn):
            return []
        if pause.text is None or turn.prefixes_due:
            return self._rescore(pause, silence_s)
        text = " ".join(part for part in (*turn.prefixes, pause.text) if part)
        if not text:
            return []
        voiced_s = self._voiced_s(turn)
        actions: list[Action] = [*self._speculation.heard(text, voiced_s)]
        if self._beat.run_s:
            return actions  # maybe the next word: in a moment it is believed, or is none
        if silence_s + EPSILON_S >= self._needed_s(turn, pause):
            return actions + self._end(turn, pause, text, silence_s)
        over = self._over(pause, silence_s)
        actions += self._speculation.begin(text, over, voiced_s)
        actions += self._rescore(pause, silence_s)
        return actions + self._murmur(turn, pause, over, now_s)

    def _no_turn(self, turn: _Turn, pause: _Pause, silence_s: float) -> Reason | Literal[""]:
        """Why the turn is none; empty if it is one, or if that is not known yet."""
        if silence_s + EPSILON_S < self._config.min_silence_ms / 1000:
            return ""
        if self._talks_over(turn):
            return "" if self._barge_in.undecided else "talked over the agent"
        if self._barge_in.last_own_s < turn.began_s:
            return "not the caller"
        if turn.over_agent and pause.reading:
            if pause.reading.is_backchannel:
                return "backchannel"
            if is_echo(pause.reading):
                return "echo"
        if pause.text == "" and not turn.prefixes_due and not any(turn.prefixes):
            return "no words"
        return ""

    def _weigh(self, pause: _Pause, now_s: float) -> list[Action]:
        """Judge the pause anew: something was learned of it."""
        silence_s = now_s - pause.began_s
        judged = self._judge(pause, silence_s)
        pause.judgement = judged
        weighed = Weighed(
            pause.number,
            silence_s,
            judged.probability,
            judged.needed_s,
            judged.sound,
            judged.words,
            judged.habit,
        )
        return [weighed]

    def _judge(self, pause: _Pause, silence_s: float) -> Judgement:
        sound = pause.sound.probability
        return self._fusion.judge(sound, pause.reading, self._habits, silence_s)

    def _over(self, pause: _Pause, silence_s: float) -> float:
        """Probability that the turn is over."""
        sound = pause.sound.probability
        return self._fusion.probability(sound, pause.reading, self._habits, silence_s)

    def _needed_s(self, turn: _Turn, pause: _Pause) -> float:
        """Silence after which the turn ends."""
        if turn.by_key:
            # The key says it: a turn lasts while it is held, though not for ever.
            return self._config.max_turn_s if self._key_pressed else 0.0
        assert pause.judgement
        return pause.judgement.needed_s

    def _needed_with_words_s(self, turn: _Turn, pause: _Pause) -> float:
        """The same, had the words been there at once."""
        return self._needed_s(turn, pause) if turn.by_key else self._judge(pause, 0.0).needed_s

    def _rescore(self, pause: _Pause, silence_s: float) -> list[Action]:
        """Have the pause's sound scored again, while the answer can still matter."""
        failed = pause.sound.log_odds is None
        if pause.scoring or failed or silence_s > RESCORE_UNTIL_S + EPSILON_S:
            return []
        if pause.reading is None:
            return []  # the words need the machine more: without them no turn ends
        if self._beat.run_s:
            return []  # the first sounds of a next word would be judged as the end of the turn
        if silence_s + EPSILON_S < pause.scored_after_s + RESCORE_EVERY_S:
            return []
        ends_s = pause.judgement.needed_s if pause.judgement and pause.reading else silence_s + 1
        if ends_s - silence_s < RESCORE_TAKES_S:
            return []
        pause.scoring, pause.scored_after_s = True, silence_s
        return [Rescore(pause.number)]

    def _murmur(self, turn: _Turn, pause: _Pause, over: float, now_s: float) -> list[Action]:
        murmurs = not self._agent_busy and self._murmurs.step(
            now_s,
            turn_s=now_s - turn.began_s,
            silence_s=now_s - pause.began_s,
            over=over,
            in_slot=bool(pause.reading and pause.reading.slot),
        )
        return [Murmur()] if murmurs else []

    # What becomes of the turn.

    def _end(self, turn: _Turn, pause: _Pause, text: str, silence_s: float) -> list[Action]:
        over = self._over(pause, silence_s)
        waited_s = 0.0
        if silence_s < pause.words_after_s + EPSILON_S:
            waited_s = max(0.0, silence_s - self._needed_with_words_s(turn, pause))
        self._turn = None
        self._ended_s, self._ended_sound = pause.began_s, pause.sound.log_odds
        draft = self._speculation.adopt()
        return [EndTurn(text, pause.began_s, over, waited_s, draft)]

    def _drop(self, turn: _Turn, reason: Reason) -> list[Action]:
        self._turn = None
        return [*self._speculation.abandon(reason), DropTurn(reason, turn.interrupted)]
