"""Scores of turn taking against cases worked out by hand."""

import math
from typing import Any

import pytest

from bench.turns_world.scores import (
    NEVER_S,
    DraftOutcome,
    Outcome,
    PauseOutcome,
    Point,
    SoundOutcome,
    TurnOutcome,
    answers,
    cut_turns,
    eva,
    eva_latency,
    eva_turn,
    frontier,
    interruptions,
    operating_points,
    panel,
    percentile,
    point,
    selectivity,
    tau_voice,
    wasted_work,
)
from bench.turns_world.scripts import SoundKind


def end(after_s: float | None) -> PauseOutcome:
    return PauseOutcome("end", 0.0, after_s, True)


def hold(length_s: float, *, cut: bool = False) -> PauseOutcome:
    return PauseOutcome("clause", length_s, 0.15 if cut else None, True)


def turn(**known: Any) -> TurnOutcome:
    """A turn of two seconds, answered after 0.8 s, unless it says otherwise."""
    fields = {
        "script": "s",
        "language": "en",
        "kind": "statement",
        "pauses": (end(0.3),),
        "began_s": 10.0,
        "ended_s": 12.0,
        "answered_s": 12.8,
        "uses_tool": False,
    }
    return TurnOutcome(**(fields | known))


def sound(kind: SoundKind = "cough", **known: Any) -> SoundOutcome:
    fields = {"script": "s", "language": "en", "kind": kind, "agent_spoke": True, "stopped": False}
    return SoundOutcome(**(fields | known))


def of(*what: TurnOutcome | SoundOutcome | DraftOutcome) -> list[Outcome]:
    """One call in which this happened."""
    return [
        Outcome(
            tuple(one for one in what if isinstance(one, TurnOutcome)),
            tuple(one for one in what if isinstance(one, SoundOutcome)),
            tuple(one for one in what if isinstance(one, DraftOutcome)),
        )
    ]


# Percentiles


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0, 1.0], 50) == 1.0
    assert percentile([3.0, 1.0], 51) == 3.0


def test_what_never_happened_has_no_percentile() -> None:
    assert percentile([], 50) is None
    assert percentile([0.2, math.inf], 50) == 0.2
    assert percentile([0.2, math.inf], 95) is None


# The curve


def test_false_cutoffs_are_a_share_of_the_holds_that_count() -> None:
    """Holds below 0.2 s and above 5 s are left out, cut or not; a turn's end is no hold."""
    outcomes = of(
        turn(pauses=(hold(0.15, cut=True), hold(0.4, cut=True), hold(0.9), end(0.3))),
        turn(pauses=(hold(0.2), hold(6.0, cut=True), hold(5.0), end(0.5))),
    )
    assert point(outcomes, (1.0,)) == Point(1 / 4, 0.4, (1.0,))
    assert cut_turns(outcomes) == 1.0


def test_an_end_that_was_not_seen_counts_as_very_late() -> None:
    outcomes = of(turn(pauses=(hold(0.4), end(None))), turn(pauses=(end(1.0),)))
    assert point(outcomes, ()).mean_delay_s == (NEVER_S + 1.0) / 2


def test_interruptions_are_not_on_the_curve() -> None:
    outcomes = of(
        turn(pauses=(hold(0.4), end(0.3))),
        turn(kind="interruption", pauses=(hold(0.4, cut=True), end(0.9))),
    )
    assert point(outcomes, ()) == Point(0.0, 0.3, ())
    assert cut_turns(outcomes) == 0.0


def test_a_curve_needs_holds_and_turns() -> None:
    with pytest.raises(ValueError, match="0 holds and 1 turns make no point"):
        point(of(turn()), ())


def test_the_frontier_drops_what_is_beaten_in_both() -> None:
    fast, slow, beaten, equal = (
        Point(0.4, 0.3, (0,)),
        Point(0.1, 0.9, (1,)),
        Point(0.5, 0.4, (2,)),
        Point(0.1, 1.0, (3,)),
    )
    assert frontier([beaten, equal, slow, fast]) == [fast, slow]


def test_operating_points_keep_their_bounds() -> None:
    points = [
        Point(0.40, 0.30, ()),
        Point(0.12, 0.55, ()),
        Point(0.10, 0.58, ()),
        Point(0.04, 1.2, ()),
    ]
    assert operating_points(points) == {
        "false_cutoffs_at_300ms": 0.40,
        "false_cutoffs_at_550ms": 0.12,
        "false_cutoffs_at_600ms": 0.10,
        "delay_ms_at_5pct": 1200.0,
        "delay_ms_at_10pct": 580.0,
    }


def test_an_operating_point_that_no_setting_reaches_is_none() -> None:
    named = operating_points([Point(0.2, 0.5, ())])
    assert named["false_cutoffs_at_300ms"] is None
    assert named["false_cutoffs_at_550ms"] == 0.2
    assert named["delay_ms_at_5pct"] is None and named["delay_ms_at_10pct"] is None


# Answers, interruptions, sounds, drafts


def test_voice_to_voice_is_from_the_last_sound_to_the_first() -> None:
    scores = answers(of(turn(answered_s=12.5), turn(answered_s=13.0), turn(answered_s=None)))
    assert scores["v2v_ms_p50"] == pytest.approx(500)
    assert scores["v2v_ms_p95"] == pytest.approx(1000)
    assert scores["unanswered_share"] == pytest.approx(1 / 3)


def test_interruptions_are_timed_and_their_words_counted() -> None:
    scores = interruptions(
        of(
            turn(yield_ms=200.0, duck_ms=80.0, heard_error_words=0),
            turn(yield_ms=240.0, duck_ms=90.0, heard_error_words=2),
            turn(yield_ms=math.inf, duck_ms=100.0),
            turn(),
        )
    )
    assert scores["interruptions"] == 3
    assert scores["yield_ms_p50"] == 240 and scores["yield_ms_p95"] is None
    assert scores["unyielded_share"] == pytest.approx(1 / 3)
    assert scores["duck_ms_p95"] == 100
    assert scores["heard_error_words_p99"] == 2 and scores["heard_within_1_word_share"] == 0.5


def test_selectivity_counts_what_the_agent_spoke_over_and_leaves_television_apart() -> None:
    scores = selectivity(
        of(
            sound("cough", held_ms=300.0),
            sound("backchannel"),
            sound("side talk", stopped=True),
            sound("side talk"),
            sound("tv", stopped=True),
            sound("tic", agent_spoke=False, stopped=True),
        )
    )
    assert scores["selectivity"] == 0.75
    assert scores["selectivity_side_talk"] == 0.5
    assert scores["selectivity_tv"] == 0.0
    assert scores["selectivity_laughter"] is None
    assert scores["held_share"] == pytest.approx(1 / 3)
    assert scores["held_ms_mean"] == 100 and scores["held_ms_p95"] == 300


def test_wasted_work_is_the_share_of_drafts_thrown_away_and_what_was_in_them() -> None:
    scores = wasted_work(
        of(
            turn(),
            turn(),
            DraftOutcome(True, 30, 2.0),
            DraftOutcome(True, 20, 1.0),
            DraftOutcome(True, 20, 1.0),
            DraftOutcome(False, 12, 0.5),
        )
    )
    assert scores["wasted_work_share"] == 0.25
    assert scores["drafts_per_turn"] == 2
    assert scores["wasted_tokens_per_turn"] == 6
    assert scores["wasted_audio_s_per_turn"] == 0.25


# EVA


@pytest.mark.parametrize(
    ("latency_ms", "uses_tool", "score"),
    [
        (-900, False, 0.0),
        (-500, False, 0.0),
        (0, False, 0.5),
        (300, False, 0.8),
        (500, False, 1.0),
        (2000, False, 1.0),
        (2750, False, 0.5),
        (3500, False, 0.0),
        (9000, False, 0.0),
        (2750, True, 1.0),
        (3000, True, 1.0),
        (4000, True, 0.5),
        (5000, True, 0.0),
    ],
)
def test_evas_latency_curve(latency_ms: float, uses_tool: bool, score: float) -> None:
    assert eva_latency(latency_ms, uses_tool=uses_tool) == pytest.approx(score)


def test_a_turn_without_an_answer_scores_nothing_at_eva() -> None:
    assert eva_turn(turn(answered_s=None)) == 0.0


def test_an_agent_that_interrupts_scores_half_at_most() -> None:
    assert eva_turn(turn(overlaps_ms=(0.0,))) == pytest.approx(0.5)
    assert eva_turn(turn(overlaps_ms=(400.0,))) == pytest.approx(0.4)
    assert eva_turn(turn(overlaps_ms=(200.0, 200.0))) == pytest.approx(0.25)
    assert eva_turn(turn(overlaps_ms=(1.0, 1.0, 1.0))) == 0.0
    assert eva_turn(turn(overlaps_ms=(5000.0,))) == 0.0
    # The answer comes 3.2 s late: worth 0.2.
    assert eva_turn(turn(overlaps_ms=(400.0,), answered_s=15.2)) == pytest.approx(0.2)


def test_an_interrupted_agent_is_scored_by_how_fast_it_yields() -> None:
    assert eva_turn(turn(yield_ms=200.0)) == pytest.approx(0.9)
    assert eva_turn(turn(yield_ms=2500.0)) == 0.0
    assert eva_turn(turn(yield_ms=math.inf)) == 0.0
    assert eva_turn(turn(yield_ms=200.0, overlaps_ms=(400.0,))) == pytest.approx(0.4)
    assert eva_turn(turn(yield_ms=1400.0, overlaps_ms=(400.0,))) == pytest.approx(0.3)


def test_eva_is_the_mean_over_turns() -> None:
    assert eva(of(turn(), turn(yield_ms=1000.0), turn(answered_s=None))) == {
        "eva_turn_taking": pytest.approx(0.5)
    }
    assert eva(of()) == {"eva_turn_taking": None}


# tau-voice


def test_tau_voices_times_are_in_ticks() -> None:
    scores = tau_voice(
        of(
            turn(ended_s=12.05, answered_s=12.95),  # ticks 60 and 64
            turn(ended_s=12.19, answered_s=12.41, overlaps_ms=(300.0,)),  # 60 and 62
            turn(answered_s=None, yield_ms=250.0),  # silent in the second tick
            turn(answered_s=None, yield_ms=2100.0, overlaps_ms=(1.0, 2.0)),
            turn(answered_s=None, yield_ms=math.inf),
        )
    )
    assert scores["tau_l_r_s"] == pytest.approx(0.6)
    assert scores["tau_r_r"] == pytest.approx(2 / 5)
    assert scores["tau_l_y_s"] == pytest.approx((0.4 + 2.2) / 2)
    assert scores["tau_r_y"] == pytest.approx(1 / 3)
    assert scores["tau_i_a"] == pytest.approx(3 / 5)


def test_tau_voice_takes_a_silent_tick_for_yielding_even_if_the_agent_speaks_on() -> None:
    scores = tau_voice(
        of(
            sound("backchannel", silent_tick_ms=600.0, held_ms=400.0),
            sound("backchannel", silent_tick_ms=1200.0),
            sound("backchannel"),
            sound("backchannel", agent_spoke=False, responded_ms=1500.0),
            sound("cough", agent_spoke=False, responded_ms=2500.0),
            sound("laughter", agent_spoke=False),
            sound("tic", silent_tick_ms=1000.0),
            sound("side talk", stopped=True, silent_tick_ms=500.0),
            sound("tv", stopped=True, silent_tick_ms=500.0),
        )
    )
    assert scores["tau_s_bc"] == 0.5
    assert scores["tau_s_vt"] == pytest.approx(2 / 3)
    assert scores["tau_s_nd"] == 0.0


def test_the_panel_has_every_score_once_and_survives_a_call_without_any() -> None:
    scores = panel([Outcome((), ())])
    wanted = {"yield_ms_p95", "duck_ms_p95", "selectivity", "heard_error_words_p99"}
    assert wanted | {"eva_turn_taking", "wasted_work_share", "v2v_ms_p50"} <= set(scores)
    assert {value for value in scores.values()} == {None, 0.0}
