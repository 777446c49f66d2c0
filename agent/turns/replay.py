"""The decisions of a recorded call, taken again: with the settings it had, or with others.

In: the lines of a call's event log.  Out: what was observed and decided, and what the same
observations lead to now.  Pure: knows nothing of files and settings' files.

With other settings the agent's side follows the new decisions as far as it can: a reply that was
recorded begins no earlier than the turn it answers is over.  The caller's side stays as it was
recorded.  From the first difference on a real caller might have acted differently, so what comes
after it is a likelihood, not a fact.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.tables import ConfigError, fit
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    SILENT_DBFS,
    Action,
    AgentBusy,
    BeginTurn,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Judge,
    Speculate,
    TranscriptReady,
)
from agent.turns.reading import NO_WORDS
from agent.turns.record import (
    FORMAT,
    HEARTBEATS,
    SETTINGS,
    NotARecord,
    Step,
    read_back,
    read_beats,
    rounded,
    unflat,
)

Steps = Sequence[tuple[float, Step]]
"""What was observed and, after each observation, what was decided from it; with ear times."""


class NotReplayable(Exception):
    """The log cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What decisions depend on beside the observations."""

    config: TurnsConfig
    temperament: TurnTemperament
    language: str

    def taker(self) -> TurnTaker:
        """Return a taker that has observed nothing yet."""
        return TurnTaker(self.config, self.temperament, self.language)


@dataclass(frozen=True, slots=True)
class Record:
    """The turn taking of one call."""

    settings: Settings
    steps: Steps
    cut_short: str = ""
    """Why it ends before the call did; "" if it does not."""

    @property
    def until_s(self) -> float:
        """Ear time of its end."""
        return self.steps[-1][0] if self.steps else 0.0


def read_record(lines: Iterable[str]) -> Record:
    """Read a call's log; raises `NotReplayable`."""
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        try:
            if not reader.take(line):
                break
        except NotARecord as error:
            raise NotReplayable(f"line {number}: {error}") from None
    return reader.record()


def decisions(steps: Steps) -> list[tuple[float, Action]]:
    """Return the decisions among steps as they compare: without words, which may not be known."""
    return [
        (now_s, replace(step, text="") if isinstance(step, Speculate | EndTurn) else step)
        for now_s, step in steps
        if isinstance(step, Action)
    ]


def replay(record: Record, settings: Settings) -> Steps:
    """Take the decisions of a recorded call again; with its own settings they are the same."""
    world = _World(settings.taker())
    for now_s, step in record.steps:
        if isinstance(step, Action):
            world.was_decided(step, now_s)
        else:
            world.observe(step, now_s)
    return world.steps


@dataclass(slots=True)
class _Reader:
    """Puts the entries of a log back into the order in which things came about.

    Heartbeats come a second at a time, each other entry with the count of those before it.
    """

    _settings: Settings | None = None
    _beats: list[tuple[float, Heartbeat]] = field(default_factory=list)
    _others: list[tuple[int, float, Step]] = field(default_factory=list)
    _cut_short: str = "it has no end: the call goes on, or its process died"

    def take(self, line: str) -> bool:
        """Take the next line; False when what follows is of no use.  Raises `NotARecord`."""
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            if self._settings is None or line.endswith("\n"):
                raise NotARecord("is not JSON; a call's log is JSON, an entry a line") from None
            self._cut_short = "its last line is cut off"
            return False
        if not isinstance(values, dict) or not isinstance(values.get("event"), str):
            raise NotARecord('is no entry of a call\'s log: it has no "event"')
        if values.get("dropped_before"):
            self._cut_short = f"{values['dropped_before']} entries were lost there"
            return False
        self._take_entry(values["event"], values)
        return True

    def record(self) -> Record:
        """Return what was read; raises `NotReplayable`."""
        if self._settings is None:
            raise NotReplayable(
                f'holds no "{SETTINGS}": it is of an older Parley, or no log of a call'
            )
        # What is said of the last heartbeat itself may be missing from a log without an end.
        count = len(self._beats) - bool(self._cut_short)
        waiting: dict[int, list[tuple[float, Step]]] = {}
        for beat, now_s, step in self._others:
            waiting.setdefault(beat, []).append((now_s, step))
        steps = list(waiting.get(0, []))
        for beat, heartbeat in enumerate(self._beats[: max(0, count)], 1):
            steps.append(heartbeat)
            steps += waiting.get(beat, [])
        return Record(self._settings, steps, self._cut_short)

    def _take_entry(self, name: str, values: dict[str, Any]) -> None:
        if name == SETTINGS:
            if self._settings:
                raise NotARecord(f'there is a second "{SETTINGS}"; one log is one call')
            self._settings = _read_settings(values)
        elif name == HEARTBEATS:
            read = read_beats(values)
            if read.from_beat != len(self._beats):
                raise NotARecord(f"heartbeats are missing: {len(self._beats)} to {read.from_beat}")
            self._beats += read.steps
        elif name == "log_closed":
            self._cut_short = ""
        elif "beat" in values and (step := read_back(name, values)):
            beat, now_s = values["beat"], values.get("ear_s")
            if type(beat) is not int or not isinstance(now_s, int | float):
                raise NotARecord('"beat" and "ear_s" must be numbers')
            self._others.append((beat, float(now_s), step))


def _read_settings(values: dict[str, Any]) -> Settings:
    if values.get("format") != FORMAT:
        raise NotARecord(f"is of format {values.get('format')}; this Parley reads format {FORMAT}")
    try:
        return Settings(
            fit(TurnsConfig, unflat(values, "turns"), "turns"),
            fit(TurnTemperament, unflat(values, "persona"), "persona.turns"),
            str(values.get("language")),
        )
    except ConfigError as error:
        raise NotARecord(f"was written by another version of Parley: {error}") from None


class _World:
    """What a taker with other settings would have met."""

    def __init__(self, taker: TurnTaker) -> None:
        self.steps: list[tuple[float, Step]] = []
        self._taker = taker
        self._open = False
        """The caller's turn is under way, here."""
        self._was_open = False
        """It was then."""
        self._too_early = False
        """The recorded reply is under way, and the turn that it answers is not over here."""
        self._pause = 0
        self._words_of = 0
        """Newest pause whose words are known."""

    def observe(self, event: Event, now_s: float) -> None:
        """Observe what was recorded, as far as it can have come about."""
        if isinstance(event, AgentBusy):
            if event.busy and self._open and not self._was_open:
                self._too_early = True
                return
            if not event.busy and self._too_early:
                self._too_early = False
                return
        if isinstance(event, Heartbeat) and self._too_early:
            event = replace(event, agent_dbfs=SILENT_DBFS)
        self._feed(event, now_s)
        if self._too_early and not self._open:
            self._too_early = False
            self._feed(AgentBusy(True), now_s)

    def was_decided(self, action: Action, now_s: float) -> None:
        """Learn of a decision that was recorded."""
        if isinstance(action, BeginTurn):
            self._was_open = True
        elif isinstance(action, EndTurn | DropTurn):
            self._was_open = False
        if isinstance(action, DropTurn) and self._open and self._words_of < self._pause:
            # A turn that was dropped was not transcribed to its end: nobody knows its words.
            self._feed(TranscriptReady(self._pause, "", NO_WORDS), now_s)

    def _feed(self, event: Event, now_s: float) -> None:
        self.steps.append((now_s, event))
        if isinstance(event, TranscriptReady):
            self._words_of = event.pause
        for taken in self._taker.step(event, now_s):
            action = rounded(taken)
            self.steps.append((now_s, action))
            if isinstance(action, Judge):
                self._pause = action.pause
            elif isinstance(action, BeginTurn):
                self._open = True
            elif isinstance(action, EndTurn | DropTurn):
                self._open = False
