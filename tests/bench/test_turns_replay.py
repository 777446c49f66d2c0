"""Simulated calls are recorded like real ones, and replaying them takes the same decisions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.config import TurnsConfig
from agent.events import shown
from agent.persona import TurnTemperament
from agent.turns.comparison import compare
from agent.turns.events import Action, Event
from agent.turns.record import EAR_DIGITS, Recorder
from agent.turns.replay import Record, Settings, decisions, read_record, replay
from bench.turns_world.callers import scripts
from bench.turns_world.latencies import PROFILES
from bench.turns_world.scripts import Script
from bench.turns_world.world import play

CALLS = 3
PROFILE = next(iter(PROFILES.values()))


class Lines:
    """A log without texts."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, name: str, **fields: Any) -> None:
        entry: dict[str, Any] = {"t": 0.0, "event": name}
        for key, value in fields.items():
            entry |= shown(key, value, log_text=False)
        self.lines.append(json.dumps(entry, separators=(",", ":")) + "\n")


class Recorded:
    """A taker as the ears have it: told what the record holds."""

    def __init__(self, settings: Settings) -> None:
        self.log = Lines()
        self._record = Recorder(self.log)
        self._record.begin(settings.config, settings.temperament, settings.language)
        self._taker = settings.taker()

    def step(self, event: Event, now_s: float) -> list[Action]:
        now_s = round(now_s, EAR_DIGITS)
        actions = self._taker.step(self._record.observed(event, now_s), now_s)
        for action in actions:
            self._record.decided(action, now_s)
        return actions

    def record(self) -> Record:
        self._record.close()
        self.log.event("log_closed")
        return read_record(self.log.lines)


def recorded(script: Script) -> Record:
    taker = Recorded(Settings(TurnsConfig(), TurnTemperament(), script.language))
    play(script, lambda _: taker, PROFILE, seed=6)
    return taker.record()


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Both languages; one exchange each, so that they take no time."""
    found = scripts(6, half="calibrate", count=CALLS)
    return [recorded(replace(script, exchanges=script.exchanges[:1])) for script in found]


def test_every_decision_of_simulated_calls_is_taken_again(records: list[Record]) -> None:
    for record in records:
        assert not record.cut_short
        assert decisions(replay(record, record.settings)) == decisions(record.steps)
    assert sum(len(decisions(record.steps)) for record in records) > 25 * CALLS


def test_less_patience_ends_no_turn_later_and_more_ends_none_earlier(
    records: list[Record],
) -> None:
    changes = {0.5: 0, 2.0: 0}
    for record in records:
        for patience in changes:
            temperament = TurnTemperament(patience=patience)
            settings = Settings(record.settings.config, temperament, record.settings.language)
            found = compare(record.steps, replay(record, settings))
            # Up to the first difference the caller did what they did for the same reasons.
            first = next((turn for turn in found.turns if turn.difference_ms), None)
            if first and first.was.how == "ended":
                assert (first.difference_ms > 0) is (patience > 1)
                changes[patience] += 1
    assert min(changes.values()) >= 1
