"""What the ears observed and what was decided from it, as entries of the call's event log.

In: the events and actions of `agent.turns.events`, in the order in which they came about.  Out:
log entries, from log entries the very same events and actions again, and the picture of each turn.
Knows nothing of files and decides nothing.  Used from the event loop's thread.

The taker is told what `Recorder.observed` returns, and that is what the log holds: numbers rounded
to the log's resolution.  So a replay of the log takes the same decisions to the last one.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, TypeVar, get_args, get_type_hints

from agent.config import TurnsConfig
from agent.events import EventLog
from agent.persona import TurnTemperament
from agent.turns.events import Action, Event, Heartbeat
from agent.turns.meaning import same_meaning
from agent.turns.reading import Reading
from agent.turns.timeline import Picture, Timeline

FORMAT = 1
"""Of the entries; a log of another format cannot be replayed."""
SETTINGS = "turn_settings"
"""Name of the entry with which a record begins."""
HEARTBEATS = "heartbeats"
"""Name of an entry that holds up to a second of heartbeats."""
BEATS = 50
"""Most heartbeats in one entry."""
BEAT_S = 0.02
BEAT_COLUMNS: Mapping[str, tuple[str, int]] = {
    "last_voice_s": ("last_voice_ms", 1000),
    "run_s": ("run_ms", 1000),
    "level_dbfs": ("level_half_dbfs", 2),
    "agent_dbfs": ("agent_half_dbfs", 2),
}
"""The fields of a heartbeat: what each is called in an entry, and in what part of its unit it is
counted there."""
DIGITS = 4
"""Decimals of every other number: 0.1 ms, and far more than a probability means."""
EAR_DIGITS = 3
"""Decimals of the ear's clock, which goes from frame to frame of 20 ms."""
TEXTS_COMPARED = 32
"""Newest texts among which one of the same meaning is looked for: more than a turn has."""
MEANING = "meaning"
"""Field that says which texts mean the same, where the texts themselves are not logged."""

Step = Event | Action
TYPES: Mapping[str, type] = {
    re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Step)
}
"""Events and actions by the names of their entries."""
_Step = TypeVar("_Step", bound=Step)
_NAMES = {kind: name for name, kind in TYPES.items()}
_READING = "reading_"


class NotARecord(ValueError):
    """An entry is not what this version of Parley writes; the message says what is wrong."""


def entry(step: Step) -> tuple[str, dict[str, Any]]:
    """Return the name and the fields of an entry; `read_back` is the inverse."""
    values: dict[str, Any] = {}
    for name, value in _values(step):
        if isinstance(value, Reading):
            values |= {_READING + part: inner for part, inner in _values(value)}
        else:
            values[name] = value
    return _NAMES[type(step)], values


def read_back(name: str, values: Mapping[str, Any]) -> Step | None:
    """Return the event or action of an entry, None for an entry of another kind.

    A text that was not logged is replaced by a word that stands for its meaning.  Raises
    `NotARecord`.
    """
    kind = TYPES.get(name)
    if kind is None:
        return None
    found = {}
    for field, hint in _hints(kind).items():
        if hint is Reading:
            parts = _hints(Reading)
            found[field] = Reading(
                **{part: _value(values, _READING + part, parts[part]) for part in parts}
            )
        else:
            found[field] = _value(values, field, hint)
    step: Step = kind(**found)
    return step


def rounded(step: _Step) -> _Step:
    """Return an event or action with its numbers at the log's resolution."""
    if isinstance(step, Heartbeat):
        return replace(step, **_beat_values(_counts(step)))
    return replace(step, **{name: _round(value) for name, value in _values(step)})


class Recorder:
    """Writes one call's record, and draws its turns."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._language = ""
        self._beats = 0
        # Bounded by `BEATS`: written out when there are so many.
        self._waiting: list[Sequence[int]] = []
        self._from_s = 0.0
        self._texts: deque[tuple[int, str]] = deque(maxlen=TEXTS_COMPARED)
        self._meanings = 0
        self._timeline = Timeline()
        # Taken by the ears after each observation, so two at most.
        self._pictures: list[Picture] = []

    def begin(self, config: TurnsConfig, temperament: TurnTemperament, language: str) -> None:
        """Note with which settings decisions are taken."""
        self._language = language
        settings: dict[str, Any] = {"format": FORMAT, "language": language}
        settings |= _flat("turns", config.model_dump()) | _flat("persona", temperament.model_dump())
        self._log.event(SETTINGS, **settings)

    def observed(self, event: Event, now_s: float) -> Event:
        """Note what was observed at ear time `now_s`; returns what the taker is to be told."""
        told: Event = rounded(event)
        self._draw(told, now_s)
        if isinstance(told, Heartbeat):
            self._observed_beat(told, now_s)
            return told
        name, values = entry(told)
        if "text" in values:
            values[MEANING] = self._meaning(values["text"])
        self._write(name, values, now_s)
        return told

    def decided(self, action: Action, now_s: float) -> None:
        """Note what follows from what was observed last."""
        self._draw(action, now_s)
        self._write(*entry(rounded(action)), now_s)

    def take_pictures(self) -> list[Picture]:
        """Return the pictures of turns that are over, each once."""
        pictures, self._pictures = self._pictures, []
        return pictures

    def close(self) -> None:
        """Write the heartbeats that still wait.  Idempotent."""
        beats, self._waiting = self._waiting, []
        if beats:
            self._log.event(HEARTBEATS, **_packed(beats, self._from_s, self._beats - len(beats)))

    def _observed_beat(self, beat: Heartbeat, now_s: float) -> None:
        if self._waiting and not _follows(self._from_s, len(self._waiting), now_s):
            self.close()
        if not self._waiting:
            self._from_s = round(now_s, EAR_DIGITS)
        self._waiting.append(_counts(beat))
        self._beats += 1
        if len(self._waiting) == BEATS:
            self.close()

    def _write(self, name: str, values: dict[str, Any], now_s: float) -> None:
        self._log.event(name, ear_s=round(now_s, EAR_DIGITS), beat=self._beats, **values)

    def _draw(self, step: Step, now_s: float) -> None:
        picture = self._timeline.step(step, now_s)
        if picture:
            self._pictures.append(picture)

    def _meaning(self, text: str) -> int:
        """Number of the meaning of a text; texts that mean the same have the same."""
        known = (n for n, other in self._texts if same_meaning(other, text, self._language))
        number = next(known, None)
        if number is None:
            number, self._meanings = self._meanings, self._meanings + 1
        self._texts.append((number, text))
        return number


@dataclass(frozen=True, slots=True)
class Beats:
    """The heartbeats of one entry."""

    from_beat: int
    """Heartbeats before them."""
    steps: tuple[tuple[float, Heartbeat], ...]
    """With the ear time of each."""


def read_beats(values: Mapping[str, Any]) -> Beats:
    """Return what an entry of `HEARTBEATS` holds; raises `NotARecord`."""
    count = _value(values, "count", int)
    from_s, from_beat = _value(values, "ear_s", float), _value(values, "beat", int)
    if not 1 <= count <= BEATS:
        raise NotARecord(f'"count" is {count}, must be from 1 to {BEATS}')
    columns = [
        list(_column(values, name, count, usual))
        for (name, _), usual in zip(BEAT_COLUMNS.values(), _SILENCE, strict=True)
    ]
    steps = (
        (round(from_s + index * BEAT_S, EAR_DIGITS), Heartbeat(**_beat_values(row)))
        for index, row in enumerate(zip(*columns, strict=True))
    )
    return Beats(from_beat, tuple(steps))


def unflat(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the table whose values were noted under "prefix.key" or "prefix.table.key"."""
    table: dict[str, Any] = {}
    for key, value in values.items():
        head, *names = key.split(".")
        if head != prefix or not names:
            continue
        inner = table
        for name in names[:-1]:
            inner = inner.setdefault(name, {})
        inner[names[-1]] = value
    return table


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}.{key}"
        flat |= _flat(name, value) if isinstance(value, dict) else {name: value}
    return flat


def _packed(beats: Sequence[Sequence[int]], from_s: float, from_beat: int) -> dict[str, Any]:
    """Each field as its first value and then the change from frame to frame; as one number if it
    stays the same, and not at all if that is its usual one."""
    values: dict[str, Any] = {"ear_s": from_s, "beat": from_beat, "count": len(beats)}
    columns = zip(BEAT_COLUMNS.values(), zip(*beats, strict=True), _SILENCE, strict=True)
    for (name, _), column, usual in columns:
        if any(value != column[0] for value in column):
            changes = (later - before for before, later in zip(column, column[1:], strict=False))
            values[name] = [column[0], *changes]
        elif column[0] != usual:
            values[name] = column[0]
    return values


def _column(values: Mapping[str, Any], name: str, count: int, usual: int) -> Iterator[int]:
    packed = values.get(name, usual)
    if isinstance(packed, int) and not isinstance(packed, bool):
        packed = [packed, *[0] * (count - 1)]
    if not isinstance(packed, list) or not all(type(item) is int for item in packed):
        raise NotARecord(f'"{name}" is {packed!r:.40}, must be an integer or a list of them')
    if len(packed) != count:
        raise NotARecord(f'"{name}" has {len(packed)} values, must have {count}')
    total = 0
    for change in packed:
        total += change
        yield total


def _counts(beat: Heartbeat) -> tuple[int, ...]:
    return tuple(round(getattr(beat, name) * units) for name, (_, units) in BEAT_COLUMNS.items())


def _beat_values(counts: Sequence[int]) -> dict[str, float]:
    parts = zip(BEAT_COLUMNS.items(), counts, strict=True)
    return {name: count / units for (name, (_, units)), count in parts}


_SILENCE = _counts(Heartbeat(0.0))
"""What the fields of a heartbeat are while nobody speaks."""


def _follows(from_s: float, count: int, now_s: float) -> bool:
    return round(from_s + count * BEAT_S, EAR_DIGITS) == round(now_s, EAR_DIGITS)


def _values(part: Any) -> Iterator[tuple[str, Any]]:
    return ((field.name, getattr(part, field.name)) for field in fields(part))


def _round(value: Any) -> Any:
    if isinstance(value, Reading):
        return replace(value, **{name: _round(part) for name, part in _values(value)})
    return round(value, DIGITS) if isinstance(value, float) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(values: Mapping[str, Any], name: str, hint: Any) -> Any:
    """Return a field's value; raises `NotARecord` for one that is missing or of another kind."""
    if name == "text" and name not in values:
        return _stand_in(values)
    if name not in values:
        raise NotARecord(f'has no "{name}"')
    value = values[name]
    allowed = get_args(hint) or (hint,)
    if type(value) is int and float in allowed:
        return float(value)
    if value in allowed or type(value) in allowed:
        return value
    names = " or ".join(getattr(kind, "__name__", repr(kind)) for kind in allowed)
    raise NotARecord(f'"{name}" is {value!r:.40}, must be {names}')


def _stand_in(values: Mapping[str, Any]) -> str:
    """A word for a text that was not logged: no text has none, the same meaning has the same."""
    if not values.get("text_chars"):
        return ""
    number, word = values.get(MEANING, 0), ""
    while number or not word:
        number, letter = divmod(number, 26)
        word += f"x{chr(ord('a') + letter)}x"
    return word
