"""When answers may be begun early: not at the expense of anybody's real answer."""

from agent.budget import CALM_S, LEAST_DRAFTS, WINDOW_S, Budget
from agent.config import SpeculationConfig

CONFIG = SpeculationConfig(max_wasted_share=0.5, max_calls=2)


def spent(budget: Budget, wasted: int, adopted: int, from_s: float = 0.0) -> float:
    """Drafts that ended one a second; returns the time after them."""
    for number in range(wasted + adopted):
        budget.draft_ended(from_s + number, wasted=number < wasted)
    return from_s + wasted + adopted


def test_a_quiet_worker_may_begin_answers_early() -> None:
    assert Budget(CONFIG).refusal(0.0) == ""


def test_one_answer_thrown_away_is_no_reason_to_stop() -> None:
    budget = Budget(CONFIG)
    now_s = spent(budget, wasted=LEAST_DRAFTS - 1, adopted=0)
    assert budget.refusal(now_s) == ""


def test_too_much_waste_ends_it_until_the_waste_is_a_minute_old() -> None:
    budget = Budget(CONFIG)
    now_s = spent(budget, wasted=5, adopted=3)
    assert budget.wasted_share(now_s) == 5 / 8
    assert budget.refusal(now_s) == "wasted"
    # The first of the eight, which was wasted, is forgotten at 60 s; the second a second later.
    assert budget.refusal(WINDOW_S) == "wasted"
    assert budget.refusal(WINDOW_S + 1.5) == ""
    assert budget.refusal(now_s + WINDOW_S + 1) == ""


def test_waste_at_the_bound_is_allowed() -> None:
    budget = Budget(CONFIG)
    now_s = spent(budget, wasted=4, adopted=4)
    assert budget.refusal(now_s) == ""


def test_more_calls_than_allowed_end_it_for_all_of_them() -> None:
    budget = Budget(CONFIG)
    for _ in range(2):
        budget.call_began()
    assert budget.refusal(0.0) == ""
    budget.call_began()
    assert budget.refusal(0.0) == "calls"
    budget.call_ended()
    assert budget.refusal(0.0) == ""


def test_a_recogniser_with_a_queue_has_no_time_to_waste() -> None:
    waiting = [0]
    budget = Budget(CONFIG, stt_waiting=lambda: waiting[0])
    assert budget.refusal(0.0) == ""
    waiting[0] = 1
    assert budget.refusal(0.0) == "stt queue"
    waiting[0] = 0
    assert budget.refusal(0.0) == ""


def test_a_speech_service_that_refused_is_left_alone_for_a_while() -> None:
    budget = Budget(CONFIG)
    budget.overloaded(100.0)
    assert budget.refusal(100.0) == "overloaded"
    assert budget.refusal(100.0 + CALM_S - 0.01) == "overloaded"
    assert budget.refusal(100.0 + CALM_S) == ""
