"""Replaying a record: the same decisions from the same settings, and from others what follows."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.config import TurnsConfig
from agent.persona import TurnTemperament
from agent.turns.endpointing import TurnTaker
from agent.turns.events import (
    AgentBusy,
    BeginTurn,
    DropTurn,
    EndTurn,
    Event,
    Heartbeat,
    Judge,
    MaySpeculate,
    SpeechStarted,
    SpeechStopped,
    TalkKey,
    TranscriptReady,
    TurnScored,
    WordsHeard,
)
from agent.turns.reading import read
from agent.turns.record import Recorder
from agent.turns.replay import (
    NotReplayable,
    Record,
    Settings,
    decisions,
    read_record,
    replay,
)

SAID = ("", "yes", "mm-hm", "wait", "my number is", "my number is five five two", "um", "so")


class Log:
    """The lines of a log without texts."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def event(self, name: str, **values: Any) -> None:
        if "text" in values:
            values["text_chars"] = len(values.pop("text"))
        entry = {"t": len(self.lines) / 100, "event": name, **values}
        self.lines.append(json.dumps(entry) + "\n")


class Call:
    """A taker with a caller: observations in, a log out."""

    def __init__(self, config: TurnsConfig | None = None, **temperament: Any) -> None:
        self.log = Log()
        self.settings = Settings(
            config or TurnsConfig(), TurnTemperament(**temperament), language="en"
        )
        self.log.event("log_opened")
        self.log.event("reply_began", utterance=1)  # of no concern here
        self._record = Recorder(self.log)
        self._record.begin(self.settings.config, self.settings.temperament, "en")
        self._taker: TurnTaker = self.settings.taker()
        self.beats = 0
        self.voice_s = 0.0
        self.run_s = 0.0
        self.agent_dbfs = -90.0
        self.decided: list[tuple[float, Any]] = []

    @property
    def now_s(self) -> float:
        return self.beats / 50

    def observe(self, event: Event) -> None:
        told = self._record.observed(event, self.now_s)
        for action in self._taker.step(told, self.now_s):
            self._record.decided(action, self.now_s)
            self.decided.append((self.now_s, action))

    def passes(self, seconds: float, *, voice: bool = False) -> "Call":
        for _ in range(round(seconds * 50)):
            self.beats += 1
            self.run_s = self.run_s + 0.02 if voice else 0.0
            self.voice_s = self.now_s if voice else self.voice_s
            level = -22.0 - self.beats % 5 if voice else -71.3
            self.observe(Heartbeat(self.voice_s, self.run_s, level, self.agent_dbfs))
        return self

    def speaks(self, seconds: float) -> "Call":
        """Voice of the caller, as the detector tells it."""
        began_s = self.now_s
        self.passes(0.1, voice=True)
        self.observe(SpeechStarted(began_s))
        self.passes(seconds - 0.1, voice=True)
        stopped_s = self.now_s
        self.passes(0.06)
        self.observe(SpeechStopped(stopped_s))
        return self

    def words(self, text: str, score: float) -> "Call":
        """What comes back for the newest pause."""
        [*_, pause] = [action.pause for _, action in self.decided if isinstance(action, Judge)]
        self.observe(TurnScored(pause, score, 0.06))
        self.observe(TranscriptReady(pause, text, read(text, "en")))
        return self

    def is_over(self) -> "Call":
        """Silence until it is decided that the turn is over."""
        count = len(ends(self.decided))
        while len(ends(self.decided)) == count:
            self.passes(0.02)
        return self

    def record(self) -> Record:
        self._record.close()
        self.log.event("log_closed")
        return read_record(self.log.lines)


def turn_of(call: Call, text: str = "what is the time", score: float = 0.97) -> Call:
    return call.speaks(1.0).words(text, score).passes(2.5)


def ends(steps: Iterable[tuple[float, Any]]) -> list[float]:
    return [now_s for now_s, step in steps if isinstance(step, EndTurn)]


WORDS = st.sampled_from(SAID)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("passes"), st.floats(0.02, 1.5), st.booleans()),
        st.tuples(st.just("speaks"), st.floats(0.12, 1.5)),
        st.tuples(st.just("words"), WORDS, st.floats(0, 1)),
        st.tuples(st.just("partial"), WORDS),
        st.tuples(st.just("busy"), st.booleans()),
        st.tuples(st.just("key"), st.booleans()),
        st.tuples(st.just("room"), st.booleans()),
    ),
    max_size=25,
)


def move(call: Call, name: str, *values: Any) -> None:
    match name, values:
        case "passes", (seconds, voice):
            call.passes(seconds, voice=voice)
        case "speaks", (seconds,):
            call.speaks(seconds)
        case "words", (text, score):
            if any(isinstance(action, Judge) for _, action in call.decided):
                call.words(text, score)
        case "partial", (text,):
            call.observe(WordsHeard(text, read(text, "en")))
        case "busy", (busy,):
            call.agent_dbfs = -25.0 if busy else -90.0
            call.observe(AgentBusy(busy))
        case "key", (pressed,):
            call.observe(TalkKey(pressed))
        case "room", (allowed,):
            call.observe(MaySpeculate(allowed))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MOVES, st.sampled_from(["open", "push-to-talk", "never"]), st.booleans())
def test_whatever_was_observed_the_same_settings_decide_the_same(
    moves: list[Any], interruption: str, murmurs: bool
) -> None:
    call = Call(interruption=interruption, murmurs=murmurs)
    for each in moves:
        move(call, *each)
    record = call.record()
    assert record.settings == call.settings
    assert not record.cut_short
    assert decisions(replay(record, record.settings)) == decisions(record.steps)
    assert len(decisions(record.steps)) == len(call.decided)


def test_more_patience_ends_a_turn_later() -> None:
    record = turn_of(Call()).record()
    patient = Settings(TurnsConfig(), TurnTemperament(patience=3), "en")
    [then], [now] = ends(record.steps), ends(replay(record, patient))
    assert now > then


def test_a_reply_that_was_recorded_begins_no_earlier_than_the_turn_it_answers_is_over() -> None:
    call = Call()
    call.speaks(1.0).words("what is the time", 0.97).is_over()
    call.observe(AgentBusy(True))
    call.agent_dbfs = -20.0
    call.passes(3)
    call.agent_dbfs = -90.0
    call.observe(AgentBusy(False))
    record = call.record()
    slow = Settings(TurnsConfig(min_silence_ms=1900, max_silence_ms=1900), TurnTemperament(), "en")
    steps = replay(record, slow)
    [end_s] = ends(steps)
    assert end_s > ends(record.steps)[0]
    [busy_s, _] = [now_s for now_s, step in steps if isinstance(step, AgentBusy)]
    assert busy_s == end_s
    sounds = [s for s, step in steps if isinstance(step, Heartbeat) and step.agent_dbfs > -60]
    assert min(sounds) > end_s
    assert not any(isinstance(step, DropTurn) for _, step in steps)


def test_a_reply_that_is_over_before_the_turn_is_none() -> None:
    call = Call()
    call.speaks(1.0).words("what is the time", 0.97).is_over()
    call.observe(AgentBusy(True))
    call.observe(AgentBusy(False))
    call.passes(3)
    slow = Settings(TurnsConfig(min_silence_ms=1900, max_silence_ms=1900), TurnTemperament(), "en")
    steps = replay(call.record(), slow)
    assert len(ends(steps)) == 1
    assert not any(isinstance(step, AgentBusy) for _, step in steps)


def test_words_that_were_never_transcribed_stay_unknown() -> None:
    """Speech over the agent's voice that was no turn then, and is taken for one now."""
    call = Call(interruption="never")
    call.observe(AgentBusy(True))
    call.agent_dbfs = -25.0
    call.passes(1.0).speaks(1.5).passes(2)
    call.observe(AgentBusy(False))
    call.agent_dbfs = -90.0
    turn_of(call)
    record = call.record()
    steps = replay(record, Settings(TurnsConfig(), TurnTemperament(), "en"))
    drops = [step for _, step in steps if isinstance(step, DropTurn)]
    assert drops == [DropTurn("no words", interrupted=True)]
    assert len(ends(steps)) == 1


# Logs that are no record, or not a whole one.


def test_a_log_without_a_record_is_refused() -> None:
    with pytest.raises(NotReplayable, match='holds no "turn_settings": it is of an older Parley'):
        read_record(['{"t": 0.0, "event": "log_opened"}\n'])
    with pytest.raises(NotReplayable, match="no log of a call"):
        read_record([])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello\n", "line 1: is not JSON"),
        ("[1]\n", 'line 1: is no entry of a call\'s log: it has no "event"'),
        ('{"event": 3}\n', 'line 1: is no entry of a call\'s log: it has no "event"'),
        ("null", "line 1: is no entry"),
        ("\x00\xff", "line 1: is not JSON"),
    ],
)
def test_a_foreign_file_is_refused_by_its_first_line(line: str, message: str) -> None:
    with pytest.raises(NotReplayable, match=message):
        read_record([line])


def changed(values: dict[str, Any]) -> list[str]:
    """A record whose settings are not quite those of this version."""
    lines = turn_of(Call()).log.lines
    for number, line in enumerate(lines):
        entry = json.loads(line)
        if entry["event"] == "turn_settings":
            kept = {key: value for key, value in (entry | values).items() if value is not None}
            lines[number] = json.dumps(kept) + "\n"
    return lines


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": 0}, "line 3: is of format 0; this Parley reads format 1"),
        ({"format": None}, "line 3: is of format None"),
        ({"turns.barge_in_ms": 180}, 'another version of Parley: .* unknown key "barge_in_ms"'),
        ({"turns.min_silence_ms": "soon"}, "min_silence_ms"),
        ({"persona.mood": 1}, 'unknown key "mood"'),
    ],
)
def test_a_record_of_another_version_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(NotReplayable, match=message):
        read_record(changed(values))


def test_two_calls_in_one_log_are_refused() -> None:
    lines = turn_of(Call()).log.lines
    with pytest.raises(NotReplayable, match='a second "turn_settings"'):
        read_record([*lines, *lines])


def test_an_entry_that_was_taken_out_is_missed() -> None:
    lines = [line for line in turn_of(Call()).log.lines if '"beat": 50' not in line]
    with pytest.raises(NotReplayable, match="heartbeats are missing: 50 to 100"):
        read_record(lines)


@pytest.mark.parametrize("without", ["beat", "ear_s"])
def test_an_entry_without_its_time_is_refused(without: str) -> None:
    lines = []
    for line in turn_of(Call()).log.lines:
        entry = json.loads(line)
        if entry["event"] == "judge":
            entry[without] = "?"
        lines.append(json.dumps(entry) + "\n")
    with pytest.raises(NotReplayable, match='"beat" and "ear_s" must be numbers'):
        read_record(lines)


def whole_and_cut(cut: int) -> tuple[Record, Record]:
    call = turn_of(turn_of(Call()), "my number is", 0.2)
    lines = list(call.log.lines)
    text = "".join(lines)[:-cut]
    return call.record(), read_record(text.splitlines(keepends=True))


@pytest.mark.parametrize("cut", [1, 7, 100, 1500, 4000])
def test_a_log_that_breaks_off_is_replayed_as_far_as_it_goes(cut: int) -> None:
    whole, record = whole_and_cut(cut)
    assert record.cut_short
    assert 0 < record.until_s < whole.until_s
    taken = decisions(record.steps)
    assert taken == decisions(whole.steps)[: len(taken)]
    assert decisions(replay(record, record.settings)) == taken


def test_a_log_is_read_up_to_where_entries_were_lost() -> None:
    lines = turn_of(Call()).log.lines
    place = next(n for n, line in enumerate(lines) if '"event": "judge"' in line)
    lost = json.loads(lines[place]) | {"dropped_before": 3}
    record = read_record([*lines[:place], json.dumps(lost) + "\n", *lines[place + 1 :]])
    assert record.cut_short == "3 entries were lost there"
    assert record.until_s == 0.98
    begun = [step for _, step in record.steps if isinstance(step, BeginTurn)]
    assert begun == [BeginTurn(0.0)]
    assert decisions(replay(record, record.settings)) == decisions(record.steps)
