"""A call can be taken apart afterwards: its log holds what was decided, from what, and why."""

import json
from typing import Any

import pytest

from agent.config import TurnsConfig
from agent.events import shown
from agent.persona import TurnTemperament
from agent.turns.comparison import compare, sounds_met, turns_taken
from agent.turns.replay import Record, Settings, decisions, read_record, replay
from tests.conversations.harness import PERSONA, Call
from tests.fakes.llm import FakeLlm, Say

LONG = "Let me tell you all about it, from the very first day on, since you were asking me."


def lines(call: Call, *, log_text: bool = False) -> list[str]:
    """The call's log as its file has it."""
    written = []
    for at_s, name, fields in call.log.events:
        entry: dict[str, Any] = {"t": at_s, "event": name}
        for key, value in fields.items():
            entry.update(shown(key, value, log_text=log_text))
        written.append(json.dumps(entry) + "\n")
    return [*written, '{"t": 99.0, "event": "log_closed"}\n']


def record_of(call: Call) -> Record:
    return read_record(lines(call))


def lively(until: float, **persona: Any) -> Call:
    """A call with a greeting, pauses, a cough, an agreement and an interruption."""
    changes = {"greeting": "Good morning. How can I help you today?"} | persona
    call = Call(
        persona=PERSONA.model_copy(update=changes),
        llm=FakeLlm([Say(LONG), Say("Of course."), Say(LONG), Say("Goodbye then.")]),
    )
    call.says("I would like and", at=5.0)
    call.says("to know the time", at=6.9)
    call.coughs(at=10.2, duration_s=0.16)
    call.says("mm-hm", at=12.0)
    call.says("stop that please right now", at=13.4)
    call.coughs(at=18.0, duration_s=0.4)
    call.says("tell me more", at=20.0)
    return call.run(until)


@pytest.fixture(scope="module")
def call() -> Call:
    return lively(until=28)


def test_a_replay_takes_every_decision_again_at_its_time(call: Call) -> None:
    record = record_of(call)
    assert not record.cut_short
    again = replay(record, record.settings)
    assert decisions(again) == decisions(record.steps)
    assert len(decisions(again)) > 40
    assert {type(step).__name__ for _, step in decisions(again)} >= {
        "BeginTurn",
        "Judge",
        "Weighed",
        "Duck",
        "Interrupt",
        "EndTurn",
    }


@pytest.mark.parametrize(
    "turns",
    [
        TurnTemperament(interruption="never", patience=2.5, murmurs=True),
        TurnTemperament(interruption="push-to-talk"),
    ],
)
def test_so_does_that_of_a_call_with_another_temperament(turns: TurnTemperament) -> None:
    record = record_of(lively(until=12, turns=turns))
    assert record.settings.temperament == turns
    assert decisions(replay(record, record.settings)) == decisions(record.steps)


def test_the_log_of_a_call_holds_no_word_that_was_said(call: Call) -> None:
    written = "".join(lines(call))
    for word in ("like", "know", "stop", "tell", "about", "morning"):
        assert f"{word} " not in written and f" {word}" not in written
    kept = "".join(lines(call, log_text=True))
    assert "to know the time" in kept


def test_a_replay_of_a_log_with_texts_takes_the_same_decisions(call: Call) -> None:
    record = read_record(lines(call, log_text=True))
    assert decisions(record.steps) == decisions(record_of(call).steps)
    assert decisions(replay(record, record.settings)) == decisions(record.steps)


def test_every_end_of_a_turn_stands_behind_the_judgement_it_comes_from(call: Call) -> None:
    weighed: dict[str, Any] = {}
    ends = 0
    for _, name, fields in call.log.events:
        if name == "weighed":
            weighed = fields
        elif name == "end_turn":
            ends += 1
            assert weighed["sound"] is not None and weighed["words"] is not None
            silence_s = fields["ear_s"] - fields["stopped_s"]
            assert silence_s >= weighed["needed_s"] - 0.001
    assert ends == len([turn for turn in turns_taken(record_of(call).steps) if turn.how == "ended"])
    assert ends >= 3


def test_a_changed_setting_changes_what_it_should_and_nothing_else(call: Call) -> None:
    record = record_of(call)
    slower = Settings(TurnsConfig(idle_prompt_s=0, min_silence_ms=900), TurnTemperament(), "en")
    found = compare(record.steps, replay(record, slower))
    ended = [turn for turn in found.turns if turn.was.how == "ended" and turn.now]
    silences = [round(turn.now[0].over_s - turn.now[0].stopped_s, 3) for turn in ended]
    assert len(silences) >= 3 and min(silences) >= 0.9
    assert sounds_met(record.steps)[0] == sounds_met(replay(record, slower))[0]


def test_a_persona_that_is_never_interrupted_would_have_held_its_ground(call: Call) -> None:
    record = record_of(call)
    firm = Settings(record.settings.config, TurnTemperament(interruption="never"), "en")
    assert any(sound.becomes == "interrupted" for sound in sounds_met(record.steps))
    assert sounds_met(replay(record, firm)) == []


def test_the_page_is_shown_each_turn_once_it_is_over(call: Call) -> None:
    notes = [note for _, note in call.notes("turn-timeline")]
    assert [note["turn"] for note in notes] == list(range(1, len(notes) + 1))
    kinds = [[decision["kind"] for decision in note["decisions"]] for note in notes]
    assert sum("end" in each for each in kinds) >= 3
    assert any("interrupt" in each for each in kinds)
    lanes = {span["lane"] for note in notes for span in note["spans"]}
    assert lanes >= {"caller", "agent", "floor", "draft"}
    assert max(len(json.dumps(note)) for note in notes) < 6000


def test_a_minute_of_a_lively_call_takes_less_than_80_kb_of_log(call: Call) -> None:
    own = [line for line in lines(call) if '"beat"' in line or '"turn_settings"' in line]
    per_minute = len("".join(own)) / 28 * 60
    assert per_minute < 80_000
