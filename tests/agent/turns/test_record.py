"""The record of turn taking: entries and steps are two forms of the same thing."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import TurnsConfig
from agent.events import PLAIN_FIELDS
from agent.persona import TurnTemperament
from agent.turns.events import (
    Action,
    AgentBusy,
    EndTurn,
    Event,
    Heartbeat,
    SpeechStarted,
    TranscriptReady,
    TurnScored,
)
from agent.turns.meaning import same_meaning
from agent.turns.reading import Reading, read
from agent.turns.record import (
    BEAT_COLUMNS,
    HEARTBEATS,
    SETTINGS,
    TYPES,
    NotARecord,
    Recorder,
    Step,
    entry,
    read_back,
    read_beats,
    rounded,
    unflat,
)

SECONDS = st.integers(0, 3_600_000).map(lambda ms: ms / 1000)
NUMBERS = st.floats(0, 1).map(lambda number: round(number, 4))
LEVELS = st.integers(-180, 0).map(lambda halves: halves / 2)
LANGUAGES = ("en", "zh", "ja", "ko", "yue")


class MemoryLog:
    """Keeps entries as a file without texts would."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, Any]]] = []

    def event(self, name: str, **values: Any) -> None:
        if "text" in values:
            values["text_chars"] = len(values.pop("text"))
        self.entries.append((name, json.loads(json.dumps(values))))

    def named(self, name: str) -> list[dict[str, Any]]:
        return [values for other, values in self.entries if other == name]


def value_of(name: str, hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of an event or action may have."""
    if hint is Reading:
        return st.builds(Reading, **{n: value_of(n, h) for n, h in get_type_hints(Reading).items()})
    if name.endswith("_dbfs"):
        return LEVELS
    if name == "hum":
        return st.integers(0, 100).map(lambda percent: percent / 100)
    kinds = get_args(hint) or (hint,)
    if all(isinstance(kind, str) for kind in kinds):
        return st.sampled_from(kinds)
    by_kind = {
        float: SECONDS if name.endswith("_s") else NUMBERS,
        int: st.integers(0, 10_000),
        bool: st.booleans(),
        str: st.text(max_size=20),
        type(None): st.none(),
    }
    return st.one_of([by_kind[kind] for kind in kinds])


def steps_of(kind: type) -> st.SearchStrategy[Step]:
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: value_of(name, hint) for name, hint in hints.items()})


EVERY_STEP = st.one_of([steps_of(kind) for kind in TYPES.values()])


def test_every_event_and_every_action_has_a_name_of_its_own() -> None:
    assert set(TYPES.values()) == {*get_args(Event), *get_args(Action)}
    assert TYPES["end_turn"] is EndTurn


def test_every_entry_stands_on_the_page_about_the_log() -> None:
    page = (Path(__file__).parents[3] / "docs" / "call-log.md").read_text(encoding="utf-8")
    columns = [column for column, _ in BEAT_COLUMNS.values()]
    names = {*TYPES, SETTINGS, HEARTBEATS, *columns} - {"heartbeat"}
    assert {name for name in names if f"`{name}`" not in page} == set()


@given(EVERY_STEP)
def test_what_is_written_is_read_back(step: Step) -> None:
    name, values = entry(step)
    assert read_back(name, json.loads(json.dumps(values))) == step


@given(EVERY_STEP)
def test_rounding_what_is_rounded_changes_nothing(step: Step) -> None:
    assert rounded(step) == step


def test_strings_that_are_written_hold_nothing_that_was_said() -> None:
    texts = {
        name
        for kind in (*TYPES.values(), Reading)
        for name, hint in get_type_hints(kind).items()
        if str in (get_args(hint) or (hint,)) or all(isinstance(a, str) for a in get_args(hint))
        if get_args(hint) or hint is str
    }
    assert texts == {"text", "reason", "slot"}
    assert {"reason", "reading_slot"} <= PLAIN_FIELDS and "text" not in PLAIN_FIELDS


def test_settings_can_be_read_from_a_log_without_texts() -> None:
    log = MemoryLog()
    config = TurnsConfig(min_silence_ms=333)
    temperament = TurnTemperament(patience=1.5, interruption="never")
    Recorder(log).begin(config, temperament, "zh")
    [settings] = log.named(SETTINGS)
    assert TurnsConfig.model_validate(unflat(settings, "turns")) == config
    assert TurnTemperament.model_validate(unflat(settings, "persona")) == temperament
    strings = {key for key, value in settings.items() if isinstance(value, str)}
    assert strings <= PLAIN_FIELDS


BEATS = st.lists(
    st.builds(
        Heartbeat,
        last_voice_s=SECONDS,
        run_s=SECONDS,
        level_dbfs=LEVELS,
        agent_dbfs=LEVELS,
    ),
    max_size=120,
)


@settings(max_examples=25)
@given(BEATS, st.integers(0, 10))
def test_heartbeats_are_rebuilt_as_they_were_told(beats: list[Heartbeat], lost: int) -> None:
    log = MemoryLog()
    record, steps = Recorder(log), []
    for number, beat in enumerate(beats, 1):
        now_s = round((number + (lost if number > 60 else 0)) * 0.02, 3)  # audio that never came
        assert record.observed(beat, now_s) == beat
        steps.append((now_s, beat))
    record.close()
    read = [read_beats(values) for values in log.named(HEARTBEATS)]
    assert [step for beats in read for step in beats.steps] == steps
    assert [beats.from_beat for beats in read][:1] == [0][: len(beats)]


def test_every_field_of_a_heartbeat_is_recorded() -> None:
    assert [field.name for field in fields(Heartbeat)] == list(BEAT_COLUMNS)


def test_the_taker_is_told_what_the_log_holds() -> None:
    record = Recorder(MemoryLog())
    told = record.observed(Heartbeat(1.00049, 0.0316, -33.333, -90.0), 1.02)
    assert told == Heartbeat(1.0, 0.032, -33.5, -90.0)
    told = record.observed(TurnScored(1, 0.123456789, 0.1000001), 1.02)
    assert told == TurnScored(1, 0.1235, 0.1)


def test_a_second_without_a_sound_is_a_short_entry() -> None:
    log = MemoryLog()
    record = Recorder(log)
    for number in range(1, 51):
        record.observed(Heartbeat(0.0), number / 50)
    assert log.entries == [(HEARTBEATS, {"ear_s": 0.02, "beat": 0, "count": 50})]


def test_entries_stand_in_order_with_the_count_of_heartbeats_before_them() -> None:
    log = MemoryLog()
    record = Recorder(log)
    record.observed(SpeechStarted(0.0), 0.02)
    record.observed(Heartbeat(0.02), 0.02)
    record.observed(AgentBusy(True), 0.02)
    record.decided(EndTurn("yes", 0.01, 0.91234567), 0.02)
    record.close()
    assert [(name, values["beat"]) for name, values in log.entries] == [
        ("speech_started", 0),
        ("agent_busy", 1),
        ("end_turn", 1),
        (HEARTBEATS, 0),
    ]
    assert log.named("end_turn")[0]["probability"] == 0.9123


def test_closing_twice_writes_once() -> None:
    log = MemoryLog()
    record = Recorder(log)
    record.observed(Heartbeat(0.0), 0.02)
    record.close()
    record.close()
    assert len(log.entries) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_that_are_not_logged_keep_apart_what_differs_in_meaning(language: str) -> None:
    log = MemoryLog()
    record = Recorder(log)
    record.begin(TurnsConfig(), TurnTemperament(), language)
    texts = ["no", "one two", "One, two.", "three", "", *(f"word{n}" for n in range(40)), "word39"]
    for number, text in enumerate(texts):
        record.observed(TranscriptReady(number, text, read(text, language)), 1.0)
    back = [read_back("transcript_ready", values) for values in log.named("transcript_ready")]
    stand_ins = [step.text for step in back if isinstance(step, TranscriptReady)]
    assert stand_ins[1] == stand_ins[2]
    assert stand_ins[4] == ""
    assert stand_ins[-1] == stand_ins[-2]
    for a in range(4):
        for b in range(a):
            same = same_meaning(texts[a], texts[b], language)
            assert same_meaning(stand_ins[a], stand_ins[b], language) is same
    assert len(set(stand_ins)) == len(set(texts)) - 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, 'has no "at_s"'),
        ({"at_s": "soon"}, "\"at_s\" is 'soon', must be float"),
        ({"at_s": True}, '"at_s" is True, must be float'),
        ({"at_s": None}, '"at_s" is None, must be float'),
    ],
)
def test_an_entry_that_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(NotARecord, match=message):
        read_back("speech_started", values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 51}, "from 1 to 50"),
        ({"count": 0}, "from 1 to 50"),
        ({"run_ms": [1, 2]}, '"run_ms" has 2 values, must have 3'),
        ({"run_ms": [1, 2.5, 3]}, "must be an integer or a list of them"),
        ({"run_ms": "much"}, "must be an integer or a list of them"),
        ({"run_ms": True}, "must be an integer or a list of them"),
    ],
)
def test_heartbeats_that_do_not_fit_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(NotARecord, match=message):
        read_beats({"ear_s": 0.02, "beat": 0, "count": 3, **change})


def test_entries_of_others_are_none_of_ours() -> None:
    assert read_back("reply_began", {"utterance": 1}) is None


def test_a_turn_is_drawn_once() -> None:
    record = Recorder(MemoryLog())
    record.observed(AgentBusy(True), 1.0)
    record.observed(replace(Heartbeat(0.0), agent_dbfs=-20.0), 1.02)
    assert record.take_pictures() == []
    record.observed(AgentBusy(False), 2.0)
    [picture] = record.take_pictures()
    assert [span.kind for span in picture.spans] == ["thinking", "speech"]
    assert record.take_pictures() == []
