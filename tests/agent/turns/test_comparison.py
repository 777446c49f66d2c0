"""What was decided beside what would be decided now."""

from typing import Any

from agent.turns.comparison import (
    Comparison,
    SoundMet,
    TurnTaken,
    compare,
    sounds_met,
    turns_taken,
)
from agent.turns.events import (
    AgentBusy,
    BeginTurn,
    Discard,
    DropTurn,
    Duck,
    EndTurn,
    Hold,
    Interrupt,
    Judge,
    Restore,
    Speculate,
    Weighed,
)

Steps = list[tuple[float, Any]]


def turn(from_s: float, over_s: float, **end: Any) -> Steps:
    """A turn whose speech ends 0.3 s before it is over."""
    ended = EndTurn("", end.pop("stopped_s", round(over_s - 0.3, 3)), 0.9, **end)
    return [(from_s + 0.1, BeginTurn(from_s)), (over_s, ended)]


def none(from_s: float, over_s: float, reason: str = "no words") -> Steps:
    return [(from_s + 0.1, BeginTurn(from_s)), (over_s, DropTurn(reason, False))]


def verdicts(found: Comparison) -> list[tuple[str, int]]:
    return [(change.verdict, change.difference_ms) for change in found.turns]


def test_a_call_compared_with_itself_is_the_same() -> None:
    steps = [*turn(1.0, 2.0), (2.0, AgentBusy(True)), *none(3.0, 3.4), *turn(5.0, 6.0)]
    found = compare(steps, steps)
    assert found.decisions == 6
    assert (found.difference, found.noticed_s) == (None, None)
    assert verdicts(found) == [("same", 0)] * 3
    assert found.as_json()["same"] is True


def test_turns_that_end_earlier_or_later_say_by_how_much() -> None:
    was = [*turn(1.0, 2.0), *turn(5.0, 6.0)]
    now = [*turn(1.0, 1.88), *turn(5.0, 6.2)]
    found = compare(was, now)
    assert verdicts(found) == [("earlier", -120), ("later", 200)]
    assert found.noticed_s == 1.88
    assert (found.count("earlier"), found.count("later"), found.count("same")) == (1, 1, 0)


def test_a_turn_that_ends_in_one_of_its_pauses_is_cut_off() -> None:
    now = [*turn(1.0, 1.9, stopped_s=1.5), *turn(2.1, 3.0)]
    [change] = compare(turn(1.0, 3.0), now).turns
    assert (change.verdict, change.pause_ms) == ("cut off", 600)
    assert [taken.from_s for taken in change.now] == [1.0, 2.1]


def test_two_turns_that_become_one_are_joined() -> None:
    was = [*turn(1.0, 1.9), *turn(2.1, 3.0)]
    found = compare(was, turn(1.0, 3.0))
    assert verdicts(found) == [("later", 1100), ("joined", 0)]


def test_a_turn_that_becomes_none_is_something_else() -> None:
    found = compare(turn(1.0, 2.0), none(1.0, 2.0))
    assert verdicts(found) == [("other", 0)]
    assert found.noticed_s == 2.0
    found = compare(none(1.0, 2.0), [*none(1.0, 1.5), *turn(1.6, 2.5)])
    assert [change.verdict for change in found.turns] == ["other"]


def test_a_turn_without_an_end_is_unfinished() -> None:
    [taken] = turns_taken([*turn(1.0, 2.0)[:1], (9.0, Judge(1))])
    assert taken == TurnTaken(1.0, 9.0)


def test_drafts_are_counted_by_turn() -> None:
    steps = [
        (1.1, BeginTurn(1.0)),
        (1.4, Speculate(1, "a")),
        (1.8, Discard(1, "said more")),
        (2.2, Speculate(2, "b")),
        (2.4, EndTurn("b", 2.1, 0.9, 0.0, 2)),
        *turn(5.0, 6.0),
    ]
    first, second = turns_taken(steps)
    assert (first.drafts, first.drafts_dropped, first.adopted) == (2, 1, True)
    assert (second.drafts, second.drafts_dropped, second.adopted) == (0, 0, False)


def test_what_the_caller_cannot_hear_of_is_a_difference_that_is_not_noticed() -> None:
    was = [*turn(1.0, 2.0)[:1], (1.5, Weighed(1, 0.1, 0.2, 1.5)), *turn(1.0, 2.0)[1:]]
    now = [*turn(1.0, 2.0)[:1], (1.5, Weighed(1, 0.1, 0.3, 1.4)), *turn(1.0, 2.0)[1:]]
    found = compare(was, now)
    assert found.noticed_s is None
    assert found.difference is not None
    assert found.as_json()["first_difference"] == {
        "at_s": 1.5,
        "was": {
            "action": "weighed",
            "pause": 1,
            "silence_s": 0.1,
            "probability": 0.2,
            "needed_s": 1.5,
            "sound": None,
            "words": None,
            "habit": None,
        },
        "now": {
            "action": "weighed",
            "pause": 1,
            "silence_s": 0.1,
            "probability": 0.3,
            "needed_s": 1.4,
            "sound": None,
            "words": None,
            "habit": None,
        },
    }


def test_the_first_difference_may_be_a_decision_that_is_not_taken_any_more() -> None:
    was = turn(1.0, 2.0)
    missing = compare(was, was[:1]).difference
    assert missing is not None and (missing.at_s, missing.now) == (2.0, None)
    added = compare(was[:1], was).difference
    assert added is not None and (added.at_s, added.was) == (2.0, None)
    sooner = compare(was, turn(1.0, 1.8)).difference
    assert sooner is not None and (sooner.at_s, sooner.was) == (1.8, None)


def test_sounds_over_the_agents_voice_are_told_with_what_became_of_them() -> None:
    steps = [
        (1.0, Duck()),
        (1.2, Restore("short sound")),
        (3.0, Duck()),
        (3.1, Hold()),
        (3.5, Interrupt(0.5, "words")),
        (5.0, Interrupt(0.2, "goes on")),
        (7.0, Duck()),
    ]
    assert sounds_met(steps) == [
        SoundMet(1.0, 1.2, None, "restored", "short sound"),
        SoundMet(3.0, 3.5, 400, "interrupted", "words"),
        SoundMet(5.0, 5.0, None, "interrupted", "goes on"),
        SoundMet(7.0, 7.0, None, "left", ""),
    ]


def test_sounds_are_compared_with_those_at_the_same_time() -> None:
    was = [(1.0, Duck()), (1.2, Restore("echo")), (3.0, Hold()), (3.4, Interrupt(0.5, "words"))]
    now = [(3.1, Hold()), (3.6, Restore("backchannel")), (8.0, Duck())]
    changes = compare(was, now).sounds
    pairs = [(c.was and c.was.becomes, c.now and c.now.becomes) for c in changes]
    assert pairs == [("restored", None), ("interrupted", "restored"), (None, "left")]
    assert not any(change.same for change in changes)
