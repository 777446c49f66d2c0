"""Pictures of turns, from what was observed and decided."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, get_args

import pytest

from agent.turns.events import (
    AgentBusy,
    BeginTurn,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Heartbeat,
    Hold,
    Interrupt,
    Murmur,
    Reason,
    Restore,
    Speculate,
    SpeechStarted,
    SpeechStopped,
    Weighed,
)
from agent.turns.timeline import LANES, Picture, Timeline, pictures
from agent.turns.timeline_svg import HEIGHT, drawing

SVG = "{http://www.w3.org/2000/svg}"


class Script:
    """Steps by their time; the agent's voice as heartbeats."""

    def __init__(self) -> None:
        self.steps: list[tuple[float, Any]] = []

    def at(self, now_s: float, *steps: Any) -> "Script":
        self.steps += [(now_s, step) for step in steps]
        return self

    def sounds(self, from_s: float, to_s: float, level_dbfs: float = -20.0) -> "Script":
        """Heartbeats of 20 ms from `from_s` to `to_s`."""
        for beat in range(round((to_s - from_s) * 50)):
            now_s = round(from_s + beat * 0.02, 3)
            self.steps.append((now_s, Heartbeat(0.0, agent_dbfs=level_dbfs)))
        return self

    def silent(self, from_s: float, to_s: float) -> "Script":
        return self.sounds(from_s, to_s, -90.0)

    def drawn(self) -> list[Picture]:
        return pictures(self.steps)


def asked() -> Script:
    """A turn from 1.0 to 2.0 s with a pause in it, answered at 2.6 s by an early answer."""
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0))
    script.at(1.46, SpeechStopped(1.4)).at(1.52, Weighed(1, 0.12, 0.2, 1.3, 0.1, None, 0.4))
    script.at(1.7, SpeechStarted(1.6)).at(2.06, SpeechStopped(2.0))
    script.at(2.12, Weighed(2, 0.12, 0.6, 0.3, 0.7, 0.8, 0.4), Speculate(1, "what"))
    script.at(2.3, EndTurn("what", 2.0, 0.9, 0.0, 1), AgentBusy(True)).silent(2.3, 2.6)
    return script


def answered() -> Script:
    return asked().sounds(2.6, 4.0).silent(4.0, 4.3).at(4.3, AgentBusy(False))


def spans(picture: Picture, lane: str) -> list[tuple[str, int, int]]:
    return [(s.kind, s.from_ms, s.to_ms) for s in picture.spans if s.lane == lane]


def test_a_turn_and_its_answer_are_one_picture() -> None:
    [picture] = answered().drawn()
    assert (picture.number, picture.from_s) == (1, 0.8)
    assert spans(picture, "caller") == [
        ("speech", 200, 600),
        ("silence", 600, 800),
        ("speech", 800, 1200),
        ("silence", 1200, 1500),
    ]
    assert spans(picture, "draft") == [("adopted", 1320, 1500)]
    assert spans(picture, "agent") == [("thinking", 1500, 1800), ("speech", 1800, 3200)]


def test_judgements_are_shown_with_what_they_come_from() -> None:
    [picture] = answered().drawn()
    first, second = picture.judgements
    assert (first.at_ms, first.pause, first.probability, first.needed_ms) == (720, 1, 0.2, 1300)
    assert (first.sound, first.words, first.habit) == (0.1, None, 0.4)
    assert (second.at_ms, second.pause) == (1320, 2)


def test_the_end_of_a_turn_says_how_sure_it_was_and_after_how_much_silence() -> None:
    [picture] = answered().drawn()
    [end] = [decision for decision in picture.decisions if decision.kind == "end"]
    assert (end.at_ms, end.silence_ms, end.probability) == (1500, 300, 0.9)


def test_a_picture_ends_soon_after_the_last_that_was_decided() -> None:
    script = asked().sounds(2.6, 20.0).at(20.0, AgentBusy(False))
    [picture] = script.drawn()
    assert picture.length_ms == 3300  # 1.5 s after the agent began to speak
    assert spans(picture, "agent")[-1] == ("speech", 1800, 3300)


def test_gaps_between_the_agents_words_are_no_silence_and_longer_ones_are() -> None:
    script = asked().sounds(2.6, 3.0).silent(3.0, 3.1).sounds(3.1, 3.4).silent(3.4, 3.8)
    [picture] = script.sounds(3.8, 4.0).at(4.0, AgentBusy(False)).drawn()
    speech = [span for span in spans(picture, "agent") if span[0] == "speech"]
    assert speech == [("speech", 1800, 2600), ("speech", 3000, 3200)]


def test_a_sound_over_the_agents_voice_is_shown_in_the_answers_picture() -> None:
    script = asked().sounds(2.6, 3.0).at(3.0, Duck()).sounds(3.0, 3.1).at(3.1, Hold())
    script.at(3.12, SpeechStarted(2.98), BeginTurn(2.98)).silent(3.12, 3.4)
    script.at(3.4, SpeechStopped(3.2), Restore("backchannel"), DropTurn("backchannel", False))
    [picture] = script.sounds(3.4, 4.0).at(4.0, AgentBusy(False)).drawn()
    assert spans(picture, "floor") == [("duck", 2200, 2300), ("hold", 2300, 2600)]
    [hold] = [span for span in picture.spans if span.kind == "hold"]
    assert hold.reason == "backchannel"
    assert [(d.kind, d.reason) for d in picture.decisions][-2:] == [
        ("restore", "backchannel"),
        ("drop", "backchannel"),
    ]


def test_an_interruption_ends_one_picture_and_begins_the_next() -> None:
    script = asked().sounds(2.6, 3.0).at(3.1, SpeechStarted(3.0), BeginTurn(3.0))
    script.at(3.2, Interrupt(0.2, "voice")).sounds(3.0, 3.24).at(3.24, AgentBusy(False))
    script.at(3.6, SpeechStopped(3.5)).at(4.0, EndTurn("stop", 3.5, 0.8))
    script.at(4.0, AgentBusy(True)).sounds(4.2, 5.0).at(5.0, AgentBusy(False))
    first, second = script.drawn()
    assert [d.kind for d in first.decisions] == ["speculate", "end", "interrupt"]
    assert spans(first, "caller")[-1] == ("speech", 2200, 2440)
    assert (second.number, second.from_s) == (2, 2.8)
    assert spans(second, "caller") == [
        ("speech", 200, 700),
        ("silence", 700, 1200),
    ]
    assert [d.kind for d in second.decisions] == ["interrupt", "end"]


def test_the_greeting_is_a_picture_too() -> None:
    script = Script().at(0.5, AgentBusy(True)).sounds(0.7, 1.5).at(1.5, AgentBusy(False))
    [picture] = script.drawn()
    assert spans(picture, "agent") == [("thinking", 200, 400), ("speech", 400, 1200)]


def test_noise_without_an_answer_is_a_picture_of_its_own() -> None:
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0)).at(1.4, SpeechStopped(1.3))
    [picture] = script.at(1.8, DropTurn("no words", False)).silent(1.8, 9.0).drawn()
    assert spans(picture, "caller") == [("speech", 200, 500), ("silence", 500, 1000)]
    assert [(d.kind, d.reason) for d in picture.decisions] == [("drop", "no words")]


def test_an_early_answer_that_is_thrown_away_says_why() -> None:
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0)).at(1.5, SpeechStopped(1.4))
    script.at(1.6, Speculate(1, "my")).at(2.4, Discard(1, "said more")).at(2.5, Murmur())
    [picture] = script.at(3.0, DropTurn("no words", False)).drawn()
    [draft] = [span for span in picture.spans if span.lane == "draft"]
    assert (draft.kind, draft.from_ms, draft.to_ms, draft.reason) == (
        "dropped",
        800,
        1600,
        "said more",
    )
    kinds = [decision.kind for decision in picture.decisions]
    assert kinds == ["speculate", "discard", "murmur", "drop"]


def test_a_turn_that_goes_on_at_the_end_of_the_call_is_drawn_as_far_as_it_went() -> None:
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0)).silent(1.1, 2.0)
    [picture] = script.drawn()
    assert spans(picture, "caller") == [("speech", 200, 1180)]


def test_a_turn_that_nobody_answers_ends_where_the_next_begins() -> None:
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0)).at(1.5, SpeechStopped(1.4))
    script.at(1.8, EndTurn("hi", 1.4, 0.9))
    script.at(3.1, SpeechStarted(3.0), BeginTurn(3.0)).at(3.5, SpeechStopped(3.4))
    first, second = script.at(3.9, EndTurn("hello", 3.4, 0.9)).drawn()
    assert [d.kind for d in first.decisions] == ["end"]
    assert (second.from_s, [d.kind for d in second.decisions]) == (2.8, ["end"])


def test_a_turn_that_spans_the_end_of_a_phrase_of_the_agents_goes_on() -> None:
    """The agent's "are you still there" ends while the caller speaks."""
    script = Script().at(1.1, SpeechStarted(1.0), BeginTurn(1.0)).at(1.2, AgentBusy(True))
    script.at(1.9, AgentBusy(False)).at(2.5, SpeechStopped(2.4))
    script.at(2.9, EndTurn("yes", 2.4, 0.9)).at(2.9, AgentBusy(True))
    [picture] = script.sounds(3.0, 3.5).at(3.5, AgentBusy(False)).drawn()
    assert [d.kind for d in picture.decisions] == ["end"]


def test_a_picture_keeps_so_many_parts_and_no_more() -> None:
    timeline = Timeline()
    timeline.step(BeginTurn(0.0), 0.0)
    for number in range(5000):
        timeline.step(Weighed(1, 0.1, 0.5, 0.4), number / 100)
    picture = timeline.finish(50.0)
    assert picture is not None
    assert len(picture.judgements) == 400
    assert picture.judgements[-1].at_ms == 50_190


def test_a_message_is_small_and_leaves_out_what_says_nothing() -> None:
    [picture] = answered().drawn()
    message = picture.message()
    assert message["spans"][0] == {
        "lane": "caller",
        "kind": "speech",
        "from_ms": 200,
        "to_ms": 600,
    }
    assert "words" not in message["judgements"][0]
    assert len(json.dumps(message)) < 1200


@pytest.mark.parametrize("reason", get_args(Reason))
def test_the_page_has_words_for_every_reason_in_both_languages(reason: str) -> None:
    page = (Path(__file__).parents[3] / "web" / "strings.js").read_text(encoding="utf-8")
    assert len(re.findall(rf'^ +"?reason_{reason}"?: ".+",$', page, flags=re.MULTILINE)) == 2


def test_every_lane_is_drawn_with_its_name_and_every_part_says_what_it_is() -> None:
    root = ElementTree.fromstring(drawing(answered().drawn(), title="a <call>"))
    assert root.findtext(f"{SVG}title") == "a <call>"
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"caller", "turn over?", "early answer", "agent", "ducked, held"} <= set(texts)
    rects = [rect for rect in root.iter(f"{SVG}rect") if rect.get("class") != "ground"]
    assert {rect.get("class", "").split("-")[0] for rect in rects} <= set(LANES)
    titles = [element.findtext(f"{SVG}title") for element in [*rects, *root.iter(f"{SVG}circle")]]
    assert len(titles) == 9 and None not in titles
    assert titles[-1] == (
        "over 0.60 at 1320 ms (from sound 0.70, words 0.80, habit 0.40); "
        "would end after 300 ms of silence"
    )


def test_the_lines_of_judgements_do_not_cross_from_pause_to_pause() -> None:
    root = ElementTree.fromstring(drawing(answered().drawn(), title=""))
    lines = [line.get("points", "").split() for line in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [1, 1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_drawing_is_as_high_as_its_turns(count: int) -> None:
    script = Script()
    for number in range(count):
        script.steps += [(now_s + 10 * number, step) for now_s, step in answered().steps]
    root = ElementTree.fromstring(drawing(script.drawn(), title=""))
    height = int(root.get("viewBox", "").split()[-1])
    assert height == max(1, count) * HEIGHT
