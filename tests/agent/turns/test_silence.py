"""The silence ladder: prompt, offer, goodbye; and the time that a caller asks for."""

from agent.config import TurnsConfig
from agent.turns.reading import Reading
from agent.turns.silence import SilenceWatch, asks_for_time


def ladder(watch: SilenceWatch, from_s: float, to_s: float) -> list[tuple[float, str]]:
    times = [from_s + tick * 0.5 for tick in range(int((to_s - from_s) * 2))]
    return [(at, nudge) for at in times if (nudge := watch.step(at, quiet=True))]


def test_a_prompt_an_offer_then_goodbye() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=2))
    assert ladder(watch, 0, 31) == [(10, "prompt"), (20, "offer"), (30, "goodbye")]


def test_the_offer_is_the_last_of_many_prompts() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=4))
    nudges = [nudge for _, nudge in ladder(watch, 0, 51)]
    assert nudges == ["prompt", "prompt", "prompt", "offer", "goodbye"]


def test_one_prompt_asks_whether_the_caller_is_there() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=1))
    assert ladder(watch, 0, 21) == [(10, "prompt"), (20, "goodbye")]


def test_without_prompts_goodbye_is_said_at_once() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=0))
    assert ladder(watch, 0, 11) == [(10, "goodbye")]


def test_a_turn_resets_the_ladder() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=1))
    assert ladder(watch, 0, 15) == [(10, "prompt")]
    assert watch.caller_spoke(15, asks_for_time=False) == "answer"
    assert ladder(watch, 15, 37) == [(25, "prompt"), (35, "goodbye")]


def test_time_does_not_run_while_somebody_speaks() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=1))
    ladder(watch, 0, 9)
    watch.step(9, quiet=False)
    assert ladder(watch, 9, 18) == []


def test_zero_never_prompts() -> None:
    assert ladder(SilenceWatch(TurnsConfig(idle_prompt_s=0)), 0, 500) == []


def test_a_caller_who_asks_for_time_gets_it_before_the_ladder_begins() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, max_idle_prompts=2, hold_s=60))
    assert watch.caller_spoke(5, asks_for_time=True) == "time"
    assert ladder(watch, 5, 90) == [(65, "prompt"), (75, "offer"), (85, "goodbye")]


def test_asking_for_time_again_begins_it_anew() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, hold_s=60))
    watch.caller_spoke(5, asks_for_time=True)
    assert watch.caller_spoke(40, asks_for_time=True) == "more time"
    assert ladder(watch, 40, 101) == [(100, "prompt")]


def test_speaking_ends_the_wait() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, hold_s=60))
    watch.caller_spoke(5, asks_for_time=True)
    assert watch.caller_spoke(20, asks_for_time=False) == "answer"
    assert ladder(watch, 20, 31) == [(30, "prompt")]
    assert watch.caller_spoke(35, asks_for_time=True) == "time"


def test_who_was_prompted_during_a_wait_is_told_again_that_it_is_fine() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, hold_s=60))
    watch.caller_spoke(0, asks_for_time=True)
    assert ladder(watch, 0, 61) == [(60, "prompt")]
    assert watch.caller_spoke(62, asks_for_time=True) == "time"


def test_a_wait_is_never_shorter_than_the_time_to_a_prompt() -> None:
    watch = SilenceWatch(TurnsConfig(idle_prompt_s=10, hold_s=0))
    watch.caller_spoke(0, asks_for_time=True)
    assert ladder(watch, 0, 11) == [(10, "prompt")]


def test_only_a_few_words_without_more_in_them_ask_for_time() -> None:
    assert asks_for_time(Reading(words=2, holds=True))
    assert not asks_for_time(Reading(words=2))
    assert not asks_for_time(Reading(words=9, holds=True))
    assert not asks_for_time(Reading(words=4, holds=True, slot="digits"))
