"""The picture of a turn: who sounded when, what was decided, and from what.

In: what the ears observed and what was decided (`agent.turns.events`), in order, live or read back
from a call's log.  Out: one `Picture` for each turn of the caller with the answer to it: spans in
lanes, judgements, decisions.  The page and the SVG draw the same pictures.  Pure; times are the
ear's clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from agent.turns.events import (
    Action,
    AgentBusy,
    BeginTurn,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Event,
    Heartbeat,
    Hold,
    Interrupt,
    Murmur,
    Restore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    Weighed,
)

Lane = Literal["caller", "over", "draft", "agent", "floor"]
"""Voice of the caller; judgements whether the turn is over; answers begun early; the agent's voice;
what becomes of the agent's voice."""
LANES: tuple[Lane, ...] = get_args(Lane)

LEAD_S = 0.2
"""Shown before the first sound."""
REST_S = 1.5
"""Shown after the last decision and the last sound of the caller: a long answer would make the rest
too small to see."""
SOUNDS_DBFS = -60.0
"""Louder frames of the agent are its voice."""
JOIN_S = 0.2
"""Shorter gaps between words are no silence of the agent."""
MOST_PARTS = 400
"""Spans, judgements and decisions kept, of each: an hour's call with one long reply stays small."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in a lane; milliseconds from the beginning of the picture."""

    lane: Lane
    kind: str
    """caller: "speech", "silence"; draft: "begun", "adopted", "dropped"; agent: "thinking",
    "speech"; floor: "duck", "hold"."""
    from_ms: int
    to_ms: int
    reason: str = ""
    """Why it ended."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely it was that the turn was over, and from what."""

    at_ms: int
    pause: int
    """Which pause of the call it was; those of one pause belong together."""
    probability: float
    needed_ms: int
    """Silence after which the turn would have ended."""
    sound: float | None = None
    words: float | None = None
    habit: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided."""

    at_ms: int
    kind: str
    """"end", "drop", "interrupt", "duck", "hold", "restore", "speculate", "discard", "murmur"."""
    reason: str = ""
    probability: float | None = None
    """That the turn was over, where it was decided that it is."""
    silence_ms: int | None = None
    """After which that was decided."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A turn of the caller and the answer to it, or the greeting."""

    number: int
    """From 1 on, in order of beginning."""
    from_s: float
    """Ear time of its beginning."""
    length_ms: int
    spans: tuple[Span, ...]
    judgements: tuple[Judgement, ...]
    decisions: tuple[Decision, ...]

    def message(self) -> dict[str, Any]:
        """Return it as the page is told."""
        return {
            "turn": self.number,
            "from_s": self.from_s,
            "length_ms": self.length_ms,
            "spans": [_told(span) for span in self.spans],
            "judgements": [_told(judgement) for judgement in self.judgements],
            "decisions": [_told(decision) for decision in self.decisions],
        }


def pictures(steps: Iterable[tuple[float, Event | Action]]) -> list[Picture]:
    """Return the pictures of a call from its steps with their ear times."""
    timeline, drawn, now_s = Timeline(), [], 0.0
    for now_s, step in steps:
        picture = timeline.step(step, now_s)
        if picture:
            drawn.append(picture)
    last = timeline.finish(now_s)
    return [*drawn, last] if last else drawn


@dataclass(slots=True)
class _Part:
    """A span in the making; ear time."""

    lane: Lane
    kind: str
    from_s: float
    to_s: float | None = None
    reason: str = ""


@dataclass(slots=True)
class _Parts:
    """What is known of the time that is not yet drawn."""

    spans: list[_Part] = field(default_factory=list)
    judgements: list[tuple[float, Weighed]] = field(default_factory=list)
    decisions: list[tuple[float, Decision]] = field(default_factory=list)

    def begin(self, lane: Lane, kind: str, at_s: float) -> None:
        self.end(lane, at_s)
        self.spans.append(_Part(lane, kind, at_s))

    def end(self, lane: Lane, at_s: float, *, reason: str = "", kind: str = "") -> None:
        for span in self.spans:
            if span.lane == lane and span.to_s is None:
                span.to_s, span.reason = max(at_s, span.from_s), reason
                span.kind = kind or span.kind

    def decided(self, kind: str, at_s: float, reason: str = "") -> None:
        self.decisions.append((at_s, Decision(0, kind, reason)))

    def forget(self, before_s: float) -> None:
        """Drop what ended before; open spans stay."""
        self.spans = [span for span in self.spans if span.to_s is None or span.to_s > before_s]
        self.judgements = [part for part in self.judgements if part[0] >= before_s]
        self.decisions = [part for part in self.decisions if part[0] >= before_s]

    def bound(self) -> None:
        """Drop the oldest of what is too much for one picture."""
        for parts in (self.spans, self.judgements, self.decisions):
            del parts[:-MOST_PARTS]

    def is_open(self, lane: Lane, kind: str = "") -> bool:
        """Whether a span of this lane, and kind, goes on."""
        return any(
            span.to_s is None and span.lane == lane and kind in ("", span.kind)
            for span in self.spans
        )


class Timeline:
    """Draws the turns of one call as they come about."""

    def __init__(self) -> None:
        self._parts = _Parts()
        self._number = 0
        self._from_s: float | None = None
        self._turn_from_s: float | None = None
        """Where the caller's turn under way began."""
        self._busy = False
        self._quiet_since_s: float | None = None

    def step(self, step: Event | Action, now_s: float) -> Picture | None:
        """Take what was observed or decided at `now_s`; return a picture once it is complete."""
        parts = self._parts
        match step:
            case Heartbeat():
                self._hear_agent(step.agent_dbfs, now_s)
            case SpeechStarted(at_s):
                parts.begin("caller", "speech", at_s)
            case SpeechStopped(at_s):
                parts.end("caller", at_s)
                if self._turn_from_s is not None:
                    parts.begin("caller", "silence", at_s)
            case Weighed():
                parts.judgements.append((now_s, step))
            case BeginTurn(from_s):
                return self._turn_begun(from_s, now_s)
            case AgentBusy(busy):
                return self._busy_changed(busy, now_s)
            case EndTurn() | DropTurn():
                return self._turn_over(step, now_s)
            case _:
                self._decided(step, now_s)
        parts.bound()
        return None

    def finish(self, now_s: float) -> Picture | None:
        """Return the picture under way: the call is over."""
        return self._draw(now_s) if self._from_s is not None else None

    def _hear_agent(self, level_dbfs: float, now_s: float) -> None:
        parts = self._parts
        sounding = parts.is_open("agent", "speech")
        if level_dbfs > SOUNDS_DBFS:
            self._quiet_since_s = None
            if not sounding:
                parts.begin("agent", "speech", now_s)
        elif sounding:
            if self._quiet_since_s is None:
                self._quiet_since_s = now_s
            elif now_s - self._quiet_since_s >= JOIN_S:
                parts.end("agent", self._quiet_since_s)

    def _turn_begun(self, from_s: float, now_s: float) -> Picture | None:
        self._turn_from_s = from_s
        if self._from_s is None:
            self._from_s = from_s
        elif not self._busy:
            return self._draw(now_s)  # a turn that nobody answered
        return None

    def _busy_changed(self, busy: bool, now_s: float) -> Picture | None:
        self._busy = busy
        if busy:
            self._from_s = now_s if self._from_s is None else self._from_s
            if not self._parts.is_open("agent"):
                self._parts.begin("agent", "thinking", now_s)
            return None
        self._parts.end("agent", self._quiet_since_s or now_s)
        self._parts.end("floor", now_s)
        if self._from_s is None or self._turn_from_s == self._from_s:
            return None  # the caller's turn goes on
        return self._draw(now_s)

    def _turn_over(self, step: EndTurn | DropTurn, now_s: float) -> Picture | None:
        parts = self._parts
        parts.end("caller", now_s)
        self._turn_from_s = None
        if isinstance(step, DropTurn):
            parts.decided("drop", now_s, step.reason)
            return None if self._busy or self._from_s is None else self._draw(now_s)
        silence_ms = round((now_s - step.stopped_s) * 1000)
        end = Decision(0, "end", probability=step.probability, silence_ms=silence_ms)
        parts.decisions.append((now_s, end))
        if step.draft is not None:
            parts.end("draft", now_s, kind="adopted")
        return None

    def _decided(self, step: Event | Action, now_s: float) -> None:
        parts = self._parts
        match step:
            case Duck():
                parts.decided("duck", now_s)
                parts.begin("floor", "duck", now_s)
            case Hold():
                parts.decided("hold", now_s)
                parts.begin("floor", "hold", now_s)
            case Restore(reason):
                parts.decided("restore", now_s, reason)
                parts.end("floor", now_s, reason=reason)
            case Interrupt(_, reason):
                parts.decided("interrupt", now_s, reason)
                parts.end("floor", now_s, reason=reason)
            case Speculate():
                parts.decided("speculate", now_s)
                parts.begin("draft", "begun", now_s)
            case Discard(_, reason):
                parts.decided("discard", now_s, reason)
                parts.end("draft", now_s, reason=reason, kind="dropped")
            case Murmur():
                parts.decided("murmur", now_s)

    def _draw(self, end_s: float) -> Picture:
        """Close the picture under way; the caller's turn, if one is, begins the next."""
        assert self._from_s is not None
        self._number += 1
        picture = _drawn(self._number, self._parts, self._from_s - LEAD_S, end_s)
        self._from_s = self._turn_from_s
        self._parts.forget(end_s if self._from_s is None else self._from_s)
        return picture


def _drawn(number: int, parts: _Parts, from_s: float, end_s: float) -> Picture:
    """A picture of what lies between two ear times."""
    to_s = min(end_s, _last_s(parts, from_s, end_s) + REST_S)

    def ms(at_s: float) -> int:
        return round((min(max(at_s, from_s), to_s) - from_s) * 1000)

    return Picture(
        number,
        round(from_s, 3),
        ms(to_s),
        tuple(
            Span(span.lane, span.kind, ms(span.from_s), ms(_end(span, to_s)), span.reason)
            for span in parts.spans
            if span.from_s < to_s and _end(span, to_s) > from_s
        ),
        tuple(
            Judgement(
                ms(at_s),
                said.pause,
                round(said.probability, 3),
                round(said.needed_s * 1000),
                said.sound,
                said.words,
                said.habit,
            )
            for at_s, said in parts.judgements
            if from_s <= at_s <= to_s
        ),
        tuple(
            replace(decision, at_ms=ms(at_s))
            for at_s, decision in parts.decisions
            if from_s <= at_s <= to_s
        ),
    )


def _last_s(parts: _Parts, from_s: float, end_s: float) -> float:
    """When the last thing happened that is not just the agent speaking on."""
    times = [part[0] for part in parts.judgements] + [part[0] for part in parts.decisions]
    for span in parts.spans:
        begins_only = span.lane == "agent"
        times.append(span.from_s if begins_only else _end(span, end_s))
    return max((at_s for at_s in times if at_s <= end_s), default=from_s)


def _end(span: _Part, otherwise_s: float) -> float:
    return otherwise_s if span.to_s is None else span.to_s


def _told(part: Any) -> dict[str, Any]:
    """A part's fields, without those that say nothing."""
    named = ((each.name, getattr(part, each.name)) for each in fields(part))
    return {name: value for name, value in named if value not in ("", None)}
