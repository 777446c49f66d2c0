"""Barge-in: what the agent does when the caller makes a sound while it has the floor.

In: `Evidence` every 20 ms and whenever words arrive, with the ear's clock.  Out: `Duck`, `Hold`,
`Restore`, `Interrupt`.  Pure; a part of `TurnTaker`, which feeds it.

    clear --sound--> ducked --voice--> held --real--> interrupted, until the reply is left
      ^                 |                |
      +---- restored ---+----------------+   too short, too quiet, no words, "mm-hm", an echo

What counts is the caller's own voice (`OwnVoice`), not the echo of the agent's, nor a voice in the
background.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from agent.config import BargeInConfig
from agent.turns.events import EPSILON_S, SILENT_DBFS, Duck, Hold, Interrupt, Reason, Restore
from agent.turns.own_voice import FRAME_S, MOST_LEAD_S, OwnVoice
from agent.turns.reading import Reading

Mode = Literal["open", "push-to-talk", "never"]
"""Who may interrupt: whoever speaks, only who holds the talk key, or nobody."""
Reaction = Duck | Hold | Restore | Interrupt

FAR_S = 0.5
"""Of a voice that is quieter than the caller's; after that it is background."""
SHORT_S = 0.19
"""Hardly a word is shorter: after less voice the agent speaks on while words are waited for, and
only an objection interrupts."""
MORE_WORDS_S = 1.2
"""So long somebody is waited for who said "um" or few words, or of whose voice no words were made
out."""
WORDS = 3
"""Fewer words that do not object are more often agreement, understood or not; words of a
hesitation are followed by others."""
ASKING_WORDS = 2
"""The same for words that ask."""
AGAIN_S = 4.0
"""Whose few words the agent spoke over, and who speaks again within this, means it."""
GOES_ON_S = 0.13
"""Voice after which an agent that has not said anything yet leaves the caller the floor."""
BREAK_S = 0.25
"""A pause that parts two sounds; the closure of a consonant is shorter."""
LOUD_S = 0.04
LOUD_DB = 20.0
"""A sound no more than this below the caller's usual voice lowers the agent's after `LOUD_S`,
before the detector knows whether it is a voice: words begin softly."""
OVER_S = 0.16
"""Silence after which a short sound is over."""
LATE_WORDS_S = 2.0
"""Words that come so long after the voice still count."""
ECHOED = 0.6
"""Share of the words that the agent just said, from which on it has heard itself."""
ECHOED_WORDS = 5
"""Fewer words than these anybody may have said too."""
_SOUNDS_DBFS = -70.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the caller and the agent at one moment."""

    busy: bool
    """The agent has a reply under way, thinking or speaking (`AgentBusy`)."""
    run_s: float = 0.0
    """`Heartbeat.run_s`."""
    voiced_s: float = 0.0
    """Voice of the caller's turn under way, over all its stretches; 0 before one is believed."""
    level_dbfs: float = SILENT_DBFS
    """`Heartbeat.level_dbfs`."""
    agent_dbfs: float = SILENT_DBFS
    """`Heartbeat.agent_dbfs`."""
    reading: Reading | None = None
    """The newest words of this turn; None while none were transcribed."""
    reading_is_final: bool = False
    """`reading` holds all that was said so far: it was made at the pause that goes on."""
    key_pressed: bool = False
    """The caller holds the talk key down."""


def is_echo(reading: Reading) -> bool:
    """Whether these are the agent's own words, come back."""
    return reading.echoes >= ECHOED and reading.words >= ECHOED_WORDS


class State(Enum):
    """What the agent's voice does because of the caller."""

    CLEAR = "clear"
    DUCKED = "ducked"
    HELD = "held"
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class _Sound:
    """What the caller utters over the agent, from its first voice to the decision."""

    own_s: float = 0.0
    """Voice of their own in it."""
    since_s: float = 0.0
    """The same since the agent last spoke on."""
    stretch_s: float = 0.0
    """The same since the last pause."""
    last_s: float = 0.0
    """Ear time of the newest of it."""
    loudest_dbfs: float = SILENT_DBFS
    few_words: bool = False
    """Its words were too few to be sure of, and no agreement."""


class BargeIn:
    """One call's decisions about the sounds of its caller while the agent has the floor."""

    def __init__(self, config: BargeInConfig, mode: Mode) -> None:
        self._config = config
        self._mode = mode
        self._own = OwnVoice()
        self._state = State.CLEAR
        self._sound: _Sound | None = None
        self._ducked_s = 0.0
        self._judged = False  # the words up to the pause that goes on
        self._heard_s = 0.0
        self._tried_s = -AGAIN_S  # when the agent last spoke on over few words
        self._has_spoken = False  # this reply has begun to sound

    @property
    def state(self) -> State:
        """What the agent's voice does because of the caller."""
        return self._state

    @property
    def undecided(self) -> bool:
        """A sound over the agent's voice is being judged: its words may still interrupt.

        While it is true the caller's turn must be kept, whatever the silence.
        """
        return self._sound is not None and self._state is not State.INTERRUPTED

    @property
    def last_own_s(self) -> float:
        """Ear time at which the caller's own voice was last heard, busy or not.

        A turn that began later holds nothing but echo or voices in the background.
        """
        return self._own.last_s

    def step(self, evidence: Evidence, now_s: float) -> list[Reaction]:
        """Take what is known at ear time `now_s`; return what the agent does now, in order.

        `Interrupt` is given once while the agent is busy.
        """
        added_s = self._hear(evidence, now_s)
        self._judged = self._judged and evidence.reading_is_final
        if not evidence.busy:
            self._state, self._sound, self._has_spoken = State.CLEAR, None, False
            return []
        self._has_spoken = self._has_spoken or evidence.agent_dbfs > _SOUNDS_DBFS
        if self._state is State.INTERRUPTED:
            return []
        if self._mode == "push-to-talk":
            return [self._interrupt("talk key")] if evidence.key_pressed else []
        self._listen(added_s, now_s)
        sound = self._sound
        if sound is None:
            return []
        if not self._has_spoken:
            return self._while_thinking(sound, evidence)
        if self._mode == "never":
            self._sound = None
            return []
        return self._by_words(sound, evidence, now_s) or self._by_voice(sound, evidence, now_s)

    # What is heard.

    def _hear(self, evidence: Evidence, now_s: float) -> float:
        """Seconds of the caller's own voice that this frame adds; words come between frames."""
        if now_s <= self._heard_s + EPSILON_S:
            return 0.0
        self._heard_s = now_s
        return self._own.step(
            now_s,
            run_s=evidence.run_s,
            level_dbfs=evidence.level_dbfs,
            agent_dbfs=evidence.agent_dbfs,
            own_turn=not evidence.busy,
        )

    def _listen(self, added_s: float, now_s: float) -> None:
        sound = self._sound
        if sound and now_s - sound.last_s > LATE_WORDS_S:
            sound = self._sound = None
        if sound is None and (added_s or self._begins_loud()):
            sound = self._sound = _Sound(last_s=now_s)
        if sound is None or not added_s:
            return
        if now_s - sound.last_s > BREAK_S:
            sound.stretch_s = 0.0
        sound.own_s += added_s
        sound.since_s += added_s
        # The detector needs a while to find the voice in a sound: it began before.
        began = 0.0 if sound.stretch_s else min(self._own.loud_s, MOST_LEAD_S)
        sound.stretch_s += max(added_s, began)
        sound.last_s = now_s
        sound.loudest_dbfs = max(sound.loudest_dbfs, self._own.loudness_dbfs)

    # What follows.

    def _while_thinking(self, sound: _Sound, evidence: Evidence) -> list[Reaction]:
        """Nothing was said yet: the caller goes on with the turn that was taken to be over."""
        enough = sound.stretch_s + EPSILON_S >= GOES_ON_S
        if enough and evidence.voiced_s and not self._own.is_far(sound.loudest_dbfs):
            return [self._interrupt("goes on")]
        return []

    def _by_words(self, sound: _Sound, evidence: Evidence, now_s: float) -> list[Reaction]:
        reading = evidence.reading
        if reading is None or self._judged:
            return []
        harmless = self._why_harmless(sound, reading)
        if reading.objects and harmless not in ("quiet voice", "echo"):
            return [self._interrupt("objects")]
        goes_on = now_s - sound.last_s + EPSILON_S < OVER_S
        if not evidence.reading_is_final or (harmless and goes_on):
            return []
        self._judged = True
        if harmless == "quiet voice":
            self._own.put_behind(sound.loudest_dbfs, now_s)
        sound.few_words = bool(reading.words) and harmless in (None, "too short for words")
        if sound.few_words and now_s - self._tried_s < AGAIN_S:
            return [self._interrupt("words")]
        if harmless:
            return self._restore(harmless)
        if reading.words < (ASKING_WORDS if reading.asks else WORDS) + reading.holds:
            return []
        return [self._interrupt("words")]

    def _why_harmless(self, sound: _Sound, reading: Reading) -> Reason | None:
        """Why a sound with these words is no interruption; None if it may be one."""
        if self._own.is_far(sound.loudest_dbfs):
            return "quiet voice"
        if is_echo(reading):
            return "echo"
        if reading.is_backchannel:
            return "backchannel"
        if sound.own_s < SHORT_S and not reading.holds:
            return "too short for words" if reading.words else "no words"
        return None

    def _by_voice(self, sound: _Sound, evidence: Evidence, now_s: float) -> list[Reaction]:
        quiet_s = now_s - sound.last_s + EPSILON_S
        sounds = quiet_s < FRAME_S and self._lasts(sound, self._config.duck_ms)
        match self._state:
            case State.CLEAR if sounds or (not sound.own_s and self._begins_loud()):
                self._state, self._ducked_s = State.DUCKED, now_s
                return [Duck(), *self._while_ducked(sound, evidence, now_s)]
            case State.DUCKED:
                return self._while_ducked(sound, evidence, now_s)
            case State.HELD:
                return self._while_held(sound, evidence, quiet_s)
        return []

    def _while_ducked(self, sound: _Sound, evidence: Evidence, now_s: float) -> list[Reaction]:
        if now_s - sound.last_s + EPSILON_S >= OVER_S:
            return self._speak_on("short sound")
        if self._own.is_far(sound.loudest_dbfs):
            if now_s - self._ducked_s + EPSILON_S < FAR_S:
                return []
            self._own.put_behind(sound.loudest_dbfs, now_s)
            return self._restore("quiet voice")
        if not self._lasts(sound, self._config.hold_ms):
            return []
        self._state = State.HELD
        return [Hold()]

    def _while_held(self, sound: _Sound, evidence: Evidence, quiet_s: float) -> list[Reaction]:
        sure_s = self._config.sure_ms / 1000
        if evidence.reading and evidence.reading.is_backchannel:
            sure_s *= 2
        if sound.since_s + EPSILON_S >= sure_s and evidence.voiced_s:
            return [self._interrupt("voice")]
        more = self._more_will_come(evidence)
        if sound.own_s < SHORT_S and quiet_s >= OVER_S and not more:
            return self._speak_on("short sound")
        wait_s = MORE_WORDS_S if more else self._config.words_ms / 1000
        return self._speak_on("no words in time") if quiet_s >= wait_s else []

    def _more_will_come(self, evidence: Evidence) -> bool:
        """What was said was only the beginning of what they want to say."""
        reading = evidence.reading
        if reading is None or not self._judged:
            return False
        return reading.words < WORDS or reading.holds

    def _begins_loud(self) -> bool:
        """A sound has just begun that could be the caller's, voice or not.

        One that goes on without a voice is a noise, and lowers the agent's voice once.
        """
        own = self._own
        usual_dbfs = own.usual_dbfs if own.usual_dbfs is not None else SILENT_DBFS
        loud = own.loudness_dbfs > usual_dbfs - LOUD_DB
        return loud and LOUD_S <= own.loud_s + EPSILON_S < LOUD_S + 2 * FRAME_S

    def _lasts(self, sound: _Sound, least_ms: int) -> bool:
        return sound.stretch_s + EPSILON_S >= least_ms / 1000

    def _speak_on(self, reason: Reason) -> list[Reaction]:
        """Go back to full level; late words may still interrupt, if there was a voice."""
        changed = self._state is not State.CLEAR
        self._state = State.CLEAR
        if self._sound and self._sound.few_words:
            self._tried_s = self._heard_s
        if self._sound and not self._sound.own_s:
            self._sound = None
        elif self._sound:
            self._sound.since_s = 0.0
        return [Restore(reason)] if changed else []

    def _restore(self, reason: Reason) -> list[Reaction]:
        """The sound was no interruption."""
        reactions = self._speak_on(reason)
        self._sound = None
        return reactions

    def _interrupt(self, reason: Reason) -> Interrupt:
        own_s = self._sound.own_s if self._sound else 0.0
        self._state = State.INTERRUPTED
        return Interrupt(own_s, reason)
