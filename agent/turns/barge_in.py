"""Barge-in: what the agent does when the caller makes a sound while it has the floor.

In: `Evidence` every 20 ms and whenever words arrive, with the ear's clock.  Out: `Duck`, `Hold`,
`Restore`, `Interrupt`.  Pure; a part of `TurnTaker`, which feeds it.
"""

from dataclasses import dataclass
from typing import Literal

from agent.config import BargeInConfig
from agent.turns.events import SILENT_DBFS, Duck, Hold, Interrupt, Restore
from agent.turns.reading import Reading

Mode = Literal["open", "push-to-talk", "never"]
"""Who may interrupt: whoever speaks, only who holds the talk key, or nobody."""
Reaction = Duck | Hold | Restore | Interrupt


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the caller and the agent at one moment."""

    busy: bool
    """The agent has a reply under way, thinking or speaking (`AgentBusy`)."""
    run_s: float = 0.0
    """`Heartbeat.run_s`."""
    voiced_s: float = 0.0
    """Voice of the caller's turn under way, over all its stretches; 0 before one is believed."""
    silence_s: float = 0.0
    """Time since voice was last heard."""
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
    hum: float = 0.0
    """`Heartbeat.hum`: how much the voice of this run sounds like a closed-mouth "mm", 0 to 1."""


class BargeIn:
    """One call's decisions about the sounds of its caller while the agent has the floor."""

    def __init__(self, config: BargeInConfig, mode: Mode) -> None:
        self._config = config
        self._mode = mode

    @property
    def undecided(self) -> bool:
        """A sound is being judged: words of it may still interrupt.

        While it is true the caller's turn must be kept, whatever the silence.
        """
        return False

    def step(self, evidence: Evidence, now_s: float) -> list[Reaction]:
        """Take what is known at ear time `now_s`; return what the agent does now, in order.

        An `Interrupt` is given once for each stretch in which the agent is busy.
        """
        raise NotImplementedError
