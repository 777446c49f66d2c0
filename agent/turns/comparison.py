"""What was decided in a recorded call beside what would be decided now, turn by turn.

In: the steps of the record and those of its replay (`agent.turns.replay`).  Out: a `Comparison`:
turns that end earlier or later, pauses in which the caller is cut off, what becomes of sounds over
the agent's voice, drafts.  Pure.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from typing import Any, Literal

from agent.turns.events import (
    EPSILON_S,
    Action,
    BeginTurn,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Hold,
    Interrupt,
    Murmur,
    Restore,
    Speculate,
)
from agent.turns.record import entry
from agent.turns.replay import Steps, decisions

SAME_SOUND_S = 0.5
"""Two decisions about the agent's voice that begin within this are about the same sound."""

NOTICED = (EndTurn, Duck, Hold, Restore, Interrupt, Murmur)
"""Decisions that the caller hears of."""

How = Literal["ended", "dropped", "unfinished"]
Becomes = Literal["interrupted", "restored", "left"]
Verdict = Literal["same", "earlier", "later", "cut off", "joined", "other"]


@dataclass(frozen=True, slots=True)
class TurnTaken:
    """A turn of the caller, as it was or would be taken."""

    from_s: float
    over_s: float
    """When it was decided that it is over, or that it is none."""
    how: How = "unfinished"
    reason: str = ""
    """Why it was dropped."""
    stopped_s: float = 0.0
    """End of speech."""
    probability: float | None = None
    drafts: int = 0
    drafts_dropped: int = 0
    adopted: bool = False
    """The answer had been begun early."""


@dataclass(frozen=True, slots=True)
class SoundMet:
    """A sound of the caller over the agent's voice, and what the agent did."""

    from_s: float
    until_s: float
    held_ms: int | None = None
    """How long it was silent and kept its place; None if it did not fall silent."""
    becomes: Becomes = "left"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TurnChange:
    """What becomes of a recorded turn."""

    number: int
    was: TurnTaken
    now: tuple[TurnTaken, ...]
    verdict: Verdict
    difference_ms: int = 0
    """How much later it is over; negative is earlier."""
    pause_ms: int = 0
    """Length of the pause in which the caller is cut off."""


@dataclass(frozen=True, slots=True)
class SoundChange:
    """What becomes of a sound over the agent's voice; None where nothing was or is done."""

    was: SoundMet | None
    now: SoundMet | None

    @property
    def same(self) -> bool:
        """Whether the agent does what it did."""
        return self.was == self.now


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision that differs; None where there is none."""

    at_s: float
    was: Action | None
    now: Action | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A recorded call and its replay."""

    decisions: int
    """In the record."""
    difference: Difference | None
    noticed_s: float | None
    """Ear time of the first difference that the caller notices."""
    turns: tuple[TurnChange, ...]
    sounds: tuple[SoundChange, ...]

    def count(self, verdict: Verdict) -> int:
        """How many turns have this verdict."""
        return sum(turn.verdict == verdict for turn in self.turns)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        first = self.difference
        return {
            "decisions": self.decisions,
            "same": first is None,
            "first_difference": first
            and {"at_s": first.at_s, "was": _named(first.was), "now": _named(first.now)},
            "first_noticed_s": self.noticed_s,
            "turns": [asdict(turn) for turn in self.turns],
            "sounds": [asdict(sound) | {"same": sound.same} for sound in self.sounds],
        }


def compare(was: Steps, now: Steps) -> Comparison:
    """Put what was decided beside what would be decided now."""
    old, new = decisions(was), decisions(now)
    return Comparison(
        len(old),
        _first_difference(old, new),
        _first_noticed_s(old, new),
        _turn_changes(was, now),
        _sound_changes(was, now),
    )


def turns_taken(steps: Steps) -> list[TurnTaken]:
    """Return the caller's turns, in order."""
    taken: list[TurnTaken] = []
    turn: TurnTaken | None = None
    drafts = dropped = 0
    for now_s, step in steps:
        match step:
            case BeginTurn(from_s):
                turn, drafts, dropped = TurnTaken(from_s, now_s), 0, 0
            case Speculate():
                drafts += 1
            case Discard():
                dropped += 1
            case EndTurn() if turn:
                ended = replace(
                    turn,
                    how="ended",
                    stopped_s=step.stopped_s,
                    probability=step.probability,
                    adopted=step.draft is not None,
                )
                taken.append(replace(ended, over_s=now_s, drafts=drafts, drafts_dropped=dropped))
                turn = None
            case DropTurn(reason, _) if turn:
                none = replace(turn, over_s=now_s, how="dropped", reason=reason)
                taken.append(replace(none, drafts=drafts, drafts_dropped=dropped))
                turn = None
    if turn and steps:
        taken.append(replace(turn, over_s=steps[-1][0], drafts=drafts, drafts_dropped=dropped))
    return taken


def sounds_met(steps: Steps) -> list[SoundMet]:
    """Return what the agent did about sounds over its voice, in order."""
    met: list[SoundMet] = []
    sound: SoundMet | None = None
    held_s: float | None = None
    for now_s, step in steps:
        if isinstance(step, Duck | Hold):
            sound = sound or SoundMet(now_s, now_s)
            held_s = now_s if isinstance(step, Hold) and held_s is None else held_s
        elif isinstance(step, Restore | Interrupt):
            sound = sound or SoundMet(now_s, now_s)
            met.append(
                replace(
                    sound,
                    until_s=now_s,
                    held_ms=None if held_s is None else round((now_s - held_s) * 1000),
                    becomes="restored" if isinstance(step, Restore) else "interrupted",
                    reason=step.reason,
                )
            )
            sound, held_s = None, None
    return [*met, sound] if sound else met


def _turn_changes(was: Steps, now: Steps) -> tuple[TurnChange, ...]:
    old, new = turns_taken(was), turns_taken(now)
    changes = []
    for index, turn in enumerate(old):
        next_s = old[index + 1].from_s if index + 1 < len(old) else float("inf")
        own = [n for n in new if turn.from_s - EPSILON_S <= n.from_s < next_s - EPSILON_S]
        changes.append(_turn_change(index + 1, turn, own))
    return tuple(changes)


def _turn_change(number: int, was: TurnTaken, now: Sequence[TurnTaken]) -> TurnChange:
    if not now:
        return TurnChange(number, was, (), "joined")
    first, last = now[0], now[-1]
    if len(now) > 1 and first.how == "ended":
        pause_ms = round((now[1].from_s - first.stopped_s) * 1000)
        return TurnChange(number, was, tuple(now), "cut off", pause_ms=pause_ms)
    difference_ms = round((last.over_s - was.over_s) * 1000)
    verdict: Verdict = "earlier" if difference_ms < 0 else "later" if difference_ms else "same"
    if (last.how, last.reason) != (was.how, was.reason) or len(now) > 1:
        verdict = "other"
    return TurnChange(number, was, tuple(now), verdict, difference_ms)


def _sound_changes(was: Steps, now: Steps) -> tuple[SoundChange, ...]:
    old, new = sounds_met(was), sounds_met(now)
    changes = []
    for sound in old:
        same = (other for other in new if abs(other.from_s - sound.from_s) <= SAME_SOUND_S)
        twin = next(same, None)
        if twin:
            new.remove(twin)
        changes.append(SoundChange(sound, twin))
    changes += [SoundChange(None, sound) for sound in new]
    return tuple(sorted(changes, key=_change_from_s))


def _change_from_s(change: SoundChange) -> float:
    sound = change.was or change.now
    return sound.from_s if sound else 0.0


def _first_difference(
    old: Sequence[tuple[float, Action]], new: Sequence[tuple[float, Action]]
) -> Difference | None:
    for was, now in zip(old, new, strict=False):
        if was != now:
            first_s = min(was[0], now[0])
            return Difference(
                first_s,
                was[1] if was[0] == first_s else None,
                now[1] if now[0] == first_s else None,
            )
    if len(old) > len(new):
        return Difference(old[len(new)][0], old[len(new)][1], None)
    if len(new) > len(old):
        return Difference(new[len(old)][0], None, new[len(old)][1])
    return None


def _first_noticed_s(
    old: Sequence[tuple[float, Action]], new: Sequence[tuple[float, Action]]
) -> float | None:
    then, now = ([(s, type(a)) for s, a in each if isinstance(a, NOTICED)] for each in (old, new))
    for was, instead in zip_longest(then, now):
        if was != instead:
            return min(step[0] for step in (was, instead) if step)
    return None


def _named(action: Action | None) -> dict[str, Any] | None:
    if action is None:
        return None
    name, values = entry(action)
    return {"action": name, **{key: value for key, value in values.items() if key != "text"}}
