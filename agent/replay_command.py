"""`parley replay CALL`: what was decided in a recorded call, and what would be with other settings.

In: a call's event log, by path or by the call's id, and settings to change.  Out: a table or JSON
on stdout, and a picture of the turns if one is asked for.  Reads files; opens nothing else.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, TurnsConfig, apply_override
from agent.persona import TurnTemperament, load_personas, read_persona
from agent.tables import ConfigError, Problem, fit, unknown
from agent.turns.comparison import (
    Comparison,
    SoundMet,
    TurnChange,
    TurnTaken,
    Verdict,
    compare,
)
from agent.turns.replay import NotReplayable, Record, Settings, read_record, replay
from agent.turns.timeline import pictures
from agent.turns.timeline_svg import drawing

LISTED_CALLS = 3
"""Newest calls that are named where one cannot be found."""


class ReplayFailed(Exception):
    """There is no such call, or it cannot be replayed; the message says why."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    call: str
    """The path of a log, or the id of a call in `calls.log_dir`."""
    overrides: Sequence[str] = ()
    """Settings to change: "turns.min_silence_ms=400"."""
    persona: str | None = None
    """Whose temperament to take instead: a file, or the id of a persona."""
    as_json: bool = False
    timeline: Path | None = None
    """Where to draw the turns."""


def run(request: Request, config: Config) -> str:
    """Return what is to be printed; raises `ReplayFailed` and `ConfigError`."""
    path = find_log(request.call, config.calls.log_dir)
    try:
        with path.open(encoding="utf-8") as lines:
            record = read_record(lines)
    except (NotReplayable, UnicodeDecodeError) as error:
        raise ReplayFailed(f"{path}: {error}") from None
    except OSError as error:
        raise ReplayFailed(f"{path}: cannot be read: {error.strerror or error}") from None
    settings = changed(record.settings, request.overrides, request.persona, config)
    steps = replay(record, settings)
    if request.timeline:
        # The turns as they were, unless it is asked how else they would have been.
        drawn = record.steps if settings == record.settings else steps
        _write(request.timeline, drawing(pictures(drawn), title=path.stem))
    comparison = compare(record.steps, steps)
    if request.as_json:
        shown = {"call": path.stem, "until_s": record.until_s, "cut_short": record.cut_short}
        return json.dumps(shown | comparison.as_json(), ensure_ascii=False)
    return report(path.stem, record, settings, comparison)


def find_log(call: str, folder: Path | None) -> Path:
    """Return the log of a call, by its path or its id; raises `ReplayFailed`."""
    path = Path(call)
    if path.is_file():
        return path
    if path.suffix or len(path.parts) > 1:
        raise ReplayFailed(f"{call}: there is no such file")
    if folder is None:
        raise ReplayFailed(f'"{call}" is no file, and calls.log_dir is empty: no logs are kept')
    logs = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    found = [log for log in logs if log.stem == call or log.stem.endswith(f"-{call}")]
    if found:
        return found[-1]
    newest = ", ".join(log.stem for log in logs[-LISTED_CALLS:]) or "none"
    raise ReplayFailed(f'no call "{call}" in {folder} (the newest are: {newest})')


def changed(
    settings: Settings, overrides: Sequence[str], persona: str | None, config: Config
) -> Settings:
    """Return a call's settings with some changed; raises `ConfigError`."""
    data = {"turns": settings.config.model_dump(mode="json")}
    for override in overrides:
        if not override.startswith("turns."):
            problem = "only turns.* can change in a replay: the rest of the call is as recorded"
            raise ConfigError([Problem("--set", override, problem)])
        apply_override(override, data)
    turns = fit(TurnsConfig, data["turns"], "--set turns")
    return Settings(turns, _temperament(settings, persona, config), settings.language)


def _temperament(settings: Settings, persona: str | None, config: Config) -> TurnTemperament:
    if persona is None:
        return settings.temperament
    if Path(persona).is_file():
        return read_persona(Path(persona)).turns
    personas = load_personas(config.calls.personas_dir)
    if persona not in personas:
        raise ConfigError([Problem("--persona", "", unknown(persona, "persona", sorted(personas)))])
    return personas[persona].turns


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReplayFailed(f"{path}: cannot be written: {error.strerror or error}") from None


# The table.


def report(name: str, record: Record, settings: Settings, found: Comparison) -> str:
    """Return what a person reads."""
    lines = [f"{name}: {len(found.turns)} turns in {record.until_s:.1f} s"]
    if record.cut_short:
        lines.append(f"The record ends at {record.until_s:.1f} s: {record.cut_short}.")
    lines += _changes(record.settings, settings)
    lines += ["", f"{'turn':>4}  {'begins':>8}  {'is over':>8}  {'now':>8}"]
    lines += [_turn_line(turn) for turn in found.turns]
    if found.sounds:
        lines += ["", f"{'over the agent':>14}  {'then':<32}now"]
    for sound in found.sounds:
        met = sound.was or sound.now
        at = f"{met.from_s:.2f} s" if met else ""
        lines.append(f"{at:>14}  {_sound(sound.was):<32}{'' if sound.same else _sound(sound.now)}")
    return "\n".join([*lines, "", *_verdict(record.settings == settings, found)])


def _changes(was: Settings, now: Settings) -> list[str]:
    old, new = _plain(was), _plain(now)
    return [f"{key}: {old[key]} -> {new[key]}" for key in old if old[key] != new[key]]


def _plain(settings: Settings) -> dict[str, object]:
    turns, persona = settings.config.model_dump(), settings.temperament.model_dump()
    plain: dict[str, object] = {}
    for prefix, table in (("turns", turns), ("persona", persona)):
        for key, value in table.items():
            inner = value if isinstance(value, dict) else {"": value}
            plain |= {f"{prefix}.{key}.{name}".rstrip("."): part for name, part in inner.items()}
    return plain


def _turn_line(change: TurnChange) -> str:
    was = change.was
    over = f"{was.over_s:.2f} s" if was.how != "unfinished" else "-"
    now = f"{change.now[-1].over_s:.2f} s" if change.now else "-"
    said = ", ".join(part for part in (_fate(was), _happens(change)) if part)
    return f"{change.number:>4}  {was.from_s:>6.2f} s  {over:>8}  {now:>8}  {said}"


def _fate(turn: TurnTaken) -> str:
    if turn.how == "dropped":
        return f"no turn ({turn.reason})"
    if turn.how == "unfinished":
        return "not over when the record ends"
    if turn.adopted:
        return "answer begun early"
    return f"{turn.drafts_dropped} answers thrown away" if turn.drafts_dropped else ""


def _happens(change: TurnChange) -> str:
    match change.verdict:
        case "earlier" | "later":
            return f"{abs(change.difference_ms)} ms {change.verdict}"
        case "cut off":
            return f"now cut off in a pause of {change.pause_ms} ms"
        case "joined":
            return "now goes on from the turn before"
        case "other":
            fates = [_fate(turn) or "ended" for turn in change.now]
            return "now " + ", then ".join(fates)
    return ""


def _sound(sound: SoundMet | None) -> str:
    if sound is None:
        return "nothing"
    held = "" if sound.held_ms is None else f", held {sound.held_ms} ms"
    reason = f" ({sound.reason})" if sound.reason else ""
    return f"{sound.becomes}{reason}{held}"


def _verdict(unchanged: bool, found: Comparison) -> list[str]:
    if found.difference is None:
        return [f"All {found.decisions} decisions come out as they were taken."]
    lines = []
    if unchanged:
        lines.append("The settings are the same, so the code that decides has changed since.")
    kinds: dict[Verdict, str] = {
        "earlier": "over earlier",
        "later": "over later",
        "cut off": "cut off in a pause",
        "joined": "one with the turn before",
        "other": "otherwise",
    }
    counts = [f"{found.count(kind)} {said}" for kind, said in kinds.items() if found.count(kind)]
    lines.append(f"Of {len(found.turns)} turns {', '.join(counts) or 'none changes'}.")
    if found.noticed_s is None:
        return [*lines, "The caller would have noticed nothing."]
    lines.append(
        f"The caller would have noticed something from {found.noticed_s:.2f} s on, and might"
    )
    lines.append(
        "have acted differently from there: what follows takes them as they were recorded."
    )
    return lines
