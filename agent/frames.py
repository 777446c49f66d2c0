"""The frames that cross between the ears and the replier.

All are system frames: an interruption drops queued data frames, and none of these may be lost.
"""

from dataclasses import dataclass, field

from pipecat.frames.frames import SystemFrame

from agent.turns.silence import Nudge, Wants


@dataclass(frozen=True, slots=True)
class TurnTiming:
    """When a caller's turn ended and why it was answered then; times on the loop's clock."""

    speech_end_s: float
    """Loop time at which the last voice of the turn was received."""
    decided_s: float
    """Loop time of the decision that the turn is over."""
    waited_for_stt_s: float
    """Part of the time in between during which only the transcript was missing."""


@dataclass
class UserTurnFrame(SystemFrame):
    """The caller has finished a turn; downstream, once for each turn."""

    text: str = ""
    timing: TurnTiming | None = None
    draft: int | None = None
    """The draft that answers this text; None: the answer begins now."""
    wants: Wants = "answer"
    """What the caller asks for; whoever wants time is not answered, and no draft is used."""


@dataclass
class DraftFrame(SystemFrame):
    """The caller may have finished: begin the answer to `text`, unheard; downstream.

    A `UserTurnFrame` with this number makes it the answer; any other turn, and everything else
    that the agent is to say, drops it.
    """

    draft: int = 0
    text: str = ""


@dataclass
class DraftDroppedFrame(SystemFrame):
    """The draft will not be needed; downstream."""

    draft: int = 0
    reason: str = ""


@dataclass
class TurnDroppedFrame(SystemFrame):
    """What sounded like a turn was none; downstream."""

    reason: str = ""
    interrupted: bool = False
    """Whether the agent had been interrupted for it."""


@dataclass
class NudgeFrame(SystemFrame):
    """Nobody has spoken for long; downstream."""

    nudge: Nudge = field(default="prompt")


@dataclass
class MurmurFrame(SystemFrame):
    """Show the caller, who goes on speaking, that they are listened to; downstream."""


@dataclass
class GreetFrame(SystemFrame):
    """The caller is there: greet; downstream."""


@dataclass
class AgentBusyFrame(SystemFrame):
    """The agent took up a reply, or is done with it; upstream."""

    busy: bool = False
